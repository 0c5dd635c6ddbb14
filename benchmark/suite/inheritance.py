"""Entries inherit from their suite: the encoder, the front end, the augmentations, the pretraining."""

from collections import defaultdict

from benchmark.suite.document import Document, as_mapping, inherit
from benchmark.suite.parse import Keys


def inherit_all(document: Document) -> Document:
    """The document, with the inherited encoder, front end, augmentations and pretraining written into each entry."""
    entries = as_mapping(document.data.get("entries"))
    shared, of_entry = _places_by_entry(document)
    data, places = dict(document.data), dict(document.places)
    for name, entry in entries.items():
        # A document of this entry alone: else hundreds of entries would be copied for each of them.
        completed = _inherit_one(Document({**data, "entries": {name: entry}}, {**shared, **of_entry[name]}), name)
        data = {**data, "entries": {**data["entries"], **completed.data["entries"]}}
        places |= {path: place for path, place in completed.places.items() if path[:2] == ("entries", name)}
    return Document(data, places)


def _places_by_entry(document: Document) -> tuple[dict[Keys, str], dict[str | int, dict[Keys, str]]]:
    """The places of the values that all entries inherit, and the places within each entry."""
    shared: dict[Keys, str] = {}
    of_entry: defaultdict[str | int, dict[Keys, str]] = defaultdict(dict)
    for path, place in document.places.items():
        if path[:1] == ("entries",) and len(path) > 1:
            of_entry[path[1]][path] = place
        elif path[:1] in ((), ("encoder",), ("frontend",), ("augment",), ("pretrain",)):
            shared[path] = place
    return shared, of_entry


def _inherit_one(document: Document, name: str) -> Document:
    entry = document.data["entries"][name]
    at: Keys = ("entries", name)
    for field in ("encoder", "frontend"):
        document = inherit(document, (field,), (*at, field))
    if "augment" not in as_mapping(entry):
        document = inherit(document, ("augment",), (*at, "augment"))
    if "pretrain" in as_mapping(as_mapping(entry).get("weights")):
        document = inherit(document, ("pretrain",), (*at, "weights"))
        if "augment" not in document.data["entries"][name]["weights"]:
            document = inherit(document, (*at, "augment"), (*at, "weights", "augment"))
    return document
