"""What entries inherit from their suite: encoder, front end, augmentation, pretraining."""

from collections import defaultdict

from benchmark.suite.document import Document, as_mapping, inherit
from benchmark.suite.parse import Keys


def inherit_all(document: Document) -> Document:
    """The document with what entries inherit written into each: encoder, pretraining, augmentation."""
    entries = as_mapping(document.data.get("entries"))
    shared, own = _places_by_entry(document)
    data, places = dict(document.data), dict(document.places)
    for name, entry in entries.items():
        # An entry at a time: whole documents of hundreds of entries would be copied for each of them.
        completed = _inherit_one(Document({**data, "entries": {name: entry}}, {**shared, **own[name]}), name)
        data = {**data, "entries": {**data["entries"], **completed.data["entries"]}}
        places |= {path: place for path, place in completed.places.items() if path[:2] == ("entries", name)}
    return Document(data, places)


def _places_by_entry(document: Document) -> tuple[dict[Keys, str], dict[str | int, dict[Keys, str]]]:
    """The places of what entries inherit, and those within each entry."""
    shared: dict[Keys, str] = {}
    own: defaultdict[str | int, dict[Keys, str]] = defaultdict(dict)
    for path, place in document.places.items():
        if path[:1] == ("entries",) and len(path) > 1:
            own[path[1]][path] = place
        elif path[:1] in ((), ("encoder",), ("frontend",), ("augment",), ("pretrain",)):
            shared[path] = place
    return shared, own


def _inherit_one(document: Document, name: str) -> Document:
    entry = document.data["entries"][name]
    at: Keys = ("entries", name)
    for part in ("encoder", "frontend"):
        document = inherit(document, (part,), (*at, part))
    if "augment" not in as_mapping(entry):
        document = inherit(document, ("augment",), (*at, "augment"))
    if "pretrain" in as_mapping(as_mapping(entry).get("weights")):
        document = inherit(document, ("pretrain",), (*at, "weights"))
        if "augment" not in document.data["entries"][name]["weights"]:
            document = inherit(document, (*at, "augment"), (*at, "weights", "augment"))
    return document
