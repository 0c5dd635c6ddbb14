"""Describes components without running them."""

import inspect
import sys
from typing import Any

from registry.lookup import FRONTENDS, kind_called
from registry.pipelines import PIPELINES
from registry.weights.own import brought

DETAILS = ("kind", "doc", "file", "version", "settings")  # what ``details`` has and ``summary`` has not


def summary(kind: str, name: str) -> dict[str, Any]:
    """One row of a listing: name, what it is in a line, the traits of its kind, source."""
    component = kind_called(kind).find(name)
    traits = _TRAITS[kind](component) if kind in _TRAITS else {}
    what = (inspect.getdoc(component) or "").split("\n")[0]
    return {"name": name, "what": what, **traits, "source": component.source}


def pipelines() -> list[dict[str, Any]]:
    """The rows of a listing of pipelines."""
    return [
        {
            "name": name,
            "steps": ", ".join(step if isinstance(step, str) else step["name"] for step in pipeline.steps),
            "source": pipeline.source,
        }
        for name, pipeline in PIPELINES.items()
    ]


def details(kind: str, name: str) -> dict[str, Any]:
    """Everything about one component: docstring, settings with types and defaults, traits, source, file."""
    component = kind_called(kind).find(name)
    fields = component.Config.model_json_schema()["properties"] if component.Config.model_fields else {}
    return {
        **summary(kind, name),
        "kind": kind,
        "doc": inspect.getdoc(component) or "",
        "file": sys.modules[component.__module__].__file__,
        "version": kind_called(kind).version(name),
        "settings": [
            {
                "name": field,
                "type": "|".join(map(str, schema.get("enum", ()))) or schema.get("type", "choice"),
                "default": _brief(schema.get("default", "required")),
                "meaning": schema.get("description", ""),
            }
            for field, schema in fields.items()
        ],
    }


def _brief(default: Any) -> Any:
    """A default as a suite would write it: a component inside is written as its name."""
    if isinstance(default, dict):
        return default["name"] if "name" in default else {key: _brief(value) for key, value in default.items()}
    return [_brief(value) for value in default] if isinstance(default, list) else default


def _encoder_traits(component: Any) -> dict[str, Any]:
    """The kind of input, the embedding's size, and the trainable parameters, counted on an encoder without storage."""
    import torch

    if brought(component):
        return {"inputs": component.takes}
    bins = FRONTENDS.choose("logmel").settings.n_mels if component.takes == "spectrogram" else 0
    with torch.device("meta"):
        encoder = component(component.Config(), 1, bins)
    parameters = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    return {"inputs": component.takes, "embedding": encoder.embedding_dim, "parameters": parameters}


def _frontend_traits(component: Any) -> dict[str, Any]:
    """The kind of output, and the default sample rate."""
    settings = component.Config()
    return {"gives": component.gives, "sample_rate": settings.sample_rate}


def _augmentation_traits(component: Any) -> dict[str, Any]:
    return {"domain": component.domain}


def _method_traits(component: Any) -> dict[str, Any]:
    return {"windows": component.windows, "recipe": ", ".join(f"{k} {v}" for k, v in component.recipe.items())}


def _task_traits(component: Any) -> dict[str, Any]:
    return {"classes": len(component.classes), "folds": len(component.folds), "licence": component.licence}


def _target_traits(component: Any) -> dict[str, Any]:
    return {"metrics": ", ".join(metric.name for metric in component.metrics)}


_TRAITS = {
    "encoders": _encoder_traits,
    "frontends": _frontend_traits,
    "augmentations": _augmentation_traits,
    "methods": _method_traits,
    "tasks": _task_traits,
    "targets": _target_traits,
}
