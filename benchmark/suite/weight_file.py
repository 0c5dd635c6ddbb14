"""Finds the files of weights that a suite names."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.suite.document import Document
from benchmark.suite.parse import Keys
from benchmark.suite.resolved import ResolvedWeights
from registry.errors import Mistake
from registry.lookup import Choice
from registry.weights import Weights

if TYPE_CHECKING:
    from registry.encoders import Encoder


def with_file(
    source: Choice[Weights], encoder: "Choice[Encoder]", document: Document, at: Keys, data: Path | None
) -> ResolvedWeights:
    """Weights with their file, which may lie here, beside the suite, in the data folder or beside that folder.

    Args:
        source: of the weights.
        encoder: gets the weights.
        document: the suite.
        at: the path in the document that names the file.
        data: the folder of data sets.
    """
    name = source.build().file(encoder)
    if not name:
        return ResolvedWeights(source)
    folders = [Path(), document.file(at).parent, *([data, data.parent] if data else [])]
    path = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if path and not os.access(path, os.R_OK):
        unreadable = Mistake(f"{path} may not be read", where=document.where(at), fix="see to its permissions")
        return ResolvedWeights(source, missing=str(unreadable))
    if path:
        return ResolvedWeights(source, path)
    looked = ", ".join(str(folder) for folder in folders)
    fix = f"looked in {looked}; give its path, or --data beside it"
    return ResolvedWeights(source, missing=str(Mistake(f"no such file: {name}", where=document.where(at), fix=fix)))
