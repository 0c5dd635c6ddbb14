"""JSON that commands print with ``--json``: one document on standard output, and nothing else there. docs/json.md"""

from typing import Any

from registry.errors import Mistake


def print_document(document: Any) -> None:
    """Prints a document. Numbers that are not finite become null."""
    from benchmark.store.files import json_text

    print(json_text(document, indent=1), flush=True)


def of_mistake(mistake: Mistake) -> dict[str, str]:
    """What is wrong, where, and what to do."""
    return {"what": mistake.what, "where": mistake.where, "fix": mistake.fix}
