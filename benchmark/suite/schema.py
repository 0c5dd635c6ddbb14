"""The JSON Schema of suite files: the fields of a suite, and every component of the registry with its settings."""

from typing import Any

from benchmark.suite.fields import Suite
from benchmark.suite.shots import Few, takes_few
from registry.lookup import ENCODERS, KINDS, PROTOCOLS, TARGETS, TASKS, WEIGHTS, AnyComponent, Kind
from registry.pipelines import PIPELINES
from registry.training import Pretraining
from registry.weights.own import brought

_REFERENCES = {"frontend": "frontends", "encoder": "encoders"}
_GRID = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "array", "minItems": 1}}


def suite_schema() -> dict[str, Any]:
    """Draft 2020-12, for ``yaml-language-server`` and the like."""
    schema = Suite.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    definitions = schema["$defs"]
    for kind in KINDS:
        if kind is TARGETS:
            continue  # tasks name them, and suites do not
        components = [_component(kind, name) for name in kind.names()]
        for component in components:  # references in a component's settings are looked up at the root
            definitions.update(component.pop("$defs", {}))
        definitions[kind.folder] = {"anyOf": [{"enum": kind.names()}, *components]}
    definitions["augmentations"]["anyOf"].append({"enum": sorted(PIPELINES)})
    properties = schema["properties"]
    properties["augment"]["items"] = {"$ref": "#/$defs/augmentations"}
    del properties["tasks"]["minLength"]
    properties["tasks"]["anyOf"] = [
        {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/tasks"}},
        {"type": "object", "minProperties": 1, "additionalProperties": {"$ref": "#/$defs/tasks"}},
    ]
    properties["protocols"]["properties"] = {
        name: {**_settings(PROTOCOLS, name), "type": ["object", "null"]} for name in PROTOCOLS.names()
    }
    # A protocol may appear again as a variant, under another name.
    properties["protocols"]["additionalProperties"] = {"$ref": "#/$defs/protocols"}
    properties["sweep"]["additionalProperties"] = {
        "anyOf": [_GRID, {"type": "array", "minItems": 1, "items": _GRID}, {"type": "null"}]
    }
    properties["pretrain"]["properties"] = _budget()
    properties["pretrain"]["additionalProperties"] = False
    entry = definitions["Entry"]["properties"]
    for field, folder in _REFERENCES.items():
        entry[field]["anyOf"] = [{"$ref": f"#/$defs/{folder}"}, {"type": "object"}]
    entry["augment"] = {"type": "array", "items": {"$ref": "#/$defs/augmentations"}}
    definitions["weights"] = _weights({"$ref": "#/$defs/methods"}, ["pretrain"])
    entry["weights"] = _weights({"anyOf": [{"$ref": "#/$defs/methods"}, {"type": "object"}]}, [])
    _allow_incomplete(schema)
    return schema


def _allow_incomplete(schema: dict[str, Any]) -> None:
    """Lets a suite that extends another leave keys out, or remove keys with null; every other suite is complete."""
    properties = schema["properties"]
    whole: dict[str, Any] = {field: {"$ref": f"#/$defs/{kind}"} for field, kind in _REFERENCES.items()}
    for field in _REFERENCES:
        properties[field]["anyOf"] = [whole[field], {"type": "object"}]
    with_weights = [name for name in ENCODERS.names() if brought(ENCODERS.find(name))]
    settings = {"type": "object", "properties": {"name": {"enum": with_weights}}, "required": ["name"]}
    names = {"anyOf": [{"enum": with_weights}, settings]}
    weighted = [{"required": ["weights"]}, {"required": ["encoder"], "properties": {"encoder": names}}]
    of_entries = {"anyOf": weighted, "properties": {"weights": {"$ref": "#/$defs/weights"}}}
    for field, complete_form in (("entries", of_entries), ("scales", {})):
        whole[field] = {"additionalProperties": {"type": "object", **complete_form}}
        properties[field]["additionalProperties"] = {
            "anyOf": [properties[field]["additionalProperties"], {"type": "null"}]
        }
    whole["protocols"] = {key: properties["protocols"][key] for key in ("properties", "additionalProperties")}
    properties["protocols"]["additionalProperties"] = {"type": ["object", "null"]}
    whole["sweep"] = {"type": "object"}
    properties["sweep"]["type"] = ["object", "null"]
    complete = {"required": schema.pop("required"), "properties": whole}
    schema.update({"if": {"required": ["extends"]}, "then": {"required": ["name"]}, "else": complete})


def _budget() -> dict[str, Any]:
    """The settings of a pretraining, apart from its method."""
    return {
        **Pretraining.model_json_schema()["properties"],
        "corpus": {"anyOf": [{"$ref": "#/$defs/tasks"}, _excluding()]},
        "monitor": {"anyOf": [{"$ref": "#/$defs/tasks"}, {"type": "null"}]},
        "augment": {"type": "array", "items": {"$ref": "#/$defs/augmentations"}},
        "crop": _settings(WEIGHTS, "pretrain")["properties"]["crop"],
    }


def _weights(method: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Where weights come from: a word, a file, or a pretraining. ``required`` are the keys that a pretraining needs."""

    def kind(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    words, mappings = [], [kind({"pretrain": method, **_budget()}, required)]
    for name in WEIGHTS.names():
        source = WEIGHTS.find(name)
        fields = _settings(WEIGHTS, name)["properties"]
        if not any(field.is_required() for field in source.Config.model_fields.values()):
            words.append(name)
        if source.value and name != "pretrain":
            value = {"minLength": 1, **fields.pop(source.value)}
            mappings.append(kind({name: value, **fields}, [name]))
    return {"anyOf": [{"enum": words}, *mappings]}


def _excluding() -> dict[str, Any]:
    """A corpus without the recordings of some tasks."""
    exclude = {"type": "array", "items": {"$ref": "#/$defs/tasks"}}
    return {
        "type": "object",
        "properties": {"name": {"enum": TASKS.names()}, "exclude": exclude},
        "required": ["name", "exclude"],
    }


def _component(kind: Kind[AnyComponent], name: str) -> dict[str, Any]:
    settings = _settings(kind, name)
    properties = {"name": {"const": name}, **settings["properties"]}
    return {**settings, "properties": properties, "required": ["name"]}


def _settings(kind: Kind[AnyComponent], name: str) -> dict[str, Any]:
    settings = kind.find(name).Config.model_json_schema()
    settings.setdefault("properties", {})
    if kind is PROTOCOLS and takes_few(PROTOCOLS.find(name)):
        settings["properties"] |= Few.model_json_schema()["properties"]
    settings.pop("required", None)  # a scale or an entry may add the missing settings
    return settings
