"""Weights that come with a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from registry.errors import Mistake
from registry.weights import Weights

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.encoders._brought import Brought
    from registry.frontends import Frontend
    from registry.lookup import Choice


class OwnWeights(Weights):
    """The weights of a model made elsewhere. Encoders such as ``onnx`` have these by default, and no others."""

    source: ClassVar[str] = "audiobench"

    def file(self, encoder: "Choice[Encoder]") -> str:
        return _required(encoder.component).file_of(encoder.settings)

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        code = _required(encoder.component).digest_of(encoder.settings)
        return {"code": code} if code else {}

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        model = _required(type(encoder))
        assert isinstance(encoder, model)
        encoder.load_own(path)
        return []


def brought(encoder: "type[Encoder]") -> "type[Brought] | None":
    """The class of an encoder, if it is a model made elsewhere; None of an encoder that is made here."""
    from registry.encoders._brought import Brought

    return encoder if issubclass(encoder, Brought) else None


def _required(encoder: "type[Encoder]") -> "type[Brought]":
    model = brought(encoder)
    if model is None:
        raise Mistake(f"{encoder.__name__} brings no weights", fix="use weights: random")
    return model
