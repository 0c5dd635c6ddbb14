"""What the registry can say of a component without running it."""

import inspect
import sys
from typing import Any

from registry.lookup import choose, find


def summary(kind: str, name: str) -> dict[str, Any]:
    """One row of a listing: name, what it is in a line, kind-specific facts, source."""
    component = find(kind, name)
    facts = _FACTS[kind](component) if kind in _FACTS else {}
    return {"name": name, "what": (inspect.getdoc(component) or "").split("\n")[0], **facts, "source": component.source}


def details(kind: str, name: str) -> dict[str, Any]:
    """Everything about one component: docstring, settings with types and defaults, facts, source, file."""
    component = find(kind, name)
    fields = component.Config.model_json_schema()["properties"] if component.Config.model_fields else {}
    return {
        **summary(kind, name),
        "kind": kind,
        "doc": inspect.getdoc(component) or "",
        "file": sys.modules[component.__module__].__file__,
        "version": component.version,
        "settings": [
            {
                "name": field,
                "type": "|".join(map(str, schema.get("enum", ()))) or schema.get("type", "choice"),
                "default": schema.get("default", "required"),
                "meaning": schema.get("description", ""),
            }
            for field, schema in fields.items()
        ],
    }


def _encoder_facts(component: Any) -> dict[str, Any]:
    """Inputs, embedding size and exact trainable parameters, counted on an instance without storage."""
    import torch

    frontend = choose("frontends", "logmel").settings
    with torch.device("meta"):
        encoder = component(component.Config(), 1, frontend.n_mels)
    parameters = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    return {"inputs": "log-mel", "embedding": encoder.embedding_dim, "parameters": parameters}


def _augmentation_facts(component: Any) -> dict[str, Any]:
    return {"domain": component.domain}


def _method_facts(component: Any) -> dict[str, Any]:
    return {"windows": component.windows, "recipe": ", ".join(f"{k} {v}" for k, v in component.recipe.items())}


def _task_facts(component: Any) -> dict[str, Any]:
    return {"classes": len(component.classes), "folds": len(component.folds), "licence": component.licence}


_FACTS = {
    "encoders": _encoder_facts,
    "augmentations": _augmentation_facts,
    "methods": _method_facts,
    "tasks": _task_facts,
}
