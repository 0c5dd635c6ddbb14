"""The JSON Schema of suite files: the suite's own fields, and every component the registry holds with its settings."""

from typing import Any

from benchmark.suite import Suite
from registry.lookup import KINDS, find, names
from registry.pipelines import PIPELINES
from registry.training import Pretraining

_REFERENCES = {"frontend": "frontends", "encoder": "encoders"}
_LISTS = {"augment": "augmentations", "tasks": "tasks"}


def suite_schema() -> dict[str, Any]:
    """Draft 2020-12, for ``yaml-language-server`` and the like."""
    schema = Suite.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = schema["$defs"]
    for kind in KINDS:
        components = [_component(kind, name) for name in names(kind)]
        for component in components:  # what a component's settings refer to is looked up at the root
            definitions.update(component.pop("$defs", {}))
        definitions[kind] = {"anyOf": [{"enum": names(kind)}, *components]}
    definitions["augmentations"]["anyOf"].append({"enum": sorted(PIPELINES)})
    properties = schema["properties"]
    for field, kind in _REFERENCES.items():
        properties[field]["anyOf"] = [{"$ref": f"#/$defs/{kind}"}]
    for field, kind in _LISTS.items():
        properties[field]["items"] = {"$ref": f"#/$defs/{kind}"}
    properties["protocols"]["properties"] = {name: _settings("protocols", name) for name in names("protocols")}
    # A protocol may stand again as a variant, under a name of its own.
    properties["protocols"]["additionalProperties"] = {"$ref": "#/$defs/protocols"}
    properties["pretrain"]["properties"] = {
        **Pretraining.model_json_schema()["properties"],
        "corpus": {"$ref": "#/$defs/tasks"},
        "monitor": {"$ref": "#/$defs/tasks"},
        "augment": {"type": "array", "items": {"$ref": "#/$defs/augmentations"}},
    }
    properties["pretrain"]["additionalProperties"] = False
    entry = definitions["Entry"]["properties"]
    for field, kind in _REFERENCES.items():
        entry[field]["anyOf"] = [{"$ref": f"#/$defs/{kind}"}, {"type": "object"}]
    entry["augment"] = {"type": "array", "items": {"$ref": "#/$defs/augmentations"}}
    return schema


def _component(kind: str, name: str) -> dict[str, Any]:
    settings = _settings(kind, name)
    properties = {"name": {"const": name}, **settings["properties"]}
    return {**settings, "properties": properties, "required": ["name"]}


def _settings(kind: str, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = find(kind, name).Config.model_json_schema()
    settings.setdefault("properties", {})
    settings.pop("required", None)  # a scale or an entry may complete what is left out
    return settings
