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
from registry.weights.own import brought

if TYPE_CHECKING:
    from registry.encoders import Encoder


def with_file(
    source: Choice[Weights], encoder: "Choice[Encoder]", document: Document, at: Keys, data: Path | None
) -> ResolvedWeights:
    """Weights with their file or folder, which may lie here, beside the suite, in the data folder or beside it.

    A model at a hub lies in the hub's cache.

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
    model = brought(encoder.component)
    folders = [Path(), document.file(at).parent, *([data, data.parent] if data else [])]
    is_there = Path.is_dir if model and model.is_folder else Path.is_file
    path = next((folder / name for folder in folders if is_there(folder / name)), None)
    if path is None and model:
        try:
            path = model.hub_folder(encoder.settings)
        except Mistake as mistake:
            absent = Mistake(mistake.what, where=document.where(at), fix=mistake.fix)
            return ResolvedWeights(source, missing=str(absent))
    if path and not os.access(path, os.R_OK):
        unreadable = Mistake(f"{path} may not be read", where=document.where(at), fix="see to its permissions")
        return ResolvedWeights(source, missing=str(unreadable))
    if path:
        return ResolvedWeights(source, path)
    looked = ", ".join(str(folder) for folder in folders)
    remedy = model.remedy(encoder.settings) if model else ""
    fix = remedy or f"looked in {looked}; give its path, or --data beside it"
    kind = "folder" if model and model.is_folder else "file"
    return ResolvedWeights(source, missing=str(Mistake(f"no such {kind}: {name}", where=document.where(at), fix=fix)))
