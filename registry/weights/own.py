"""Weights that come with a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from registry.weights import Weights

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.lookup import Choice


class OwnWeights(Weights):
    """The weights of a model made elsewhere. Encoders such as ``onnx`` have these by default, and no others."""

    source: ClassVar[str] = "audiobench"

    def file(self, encoder: "Choice[Encoder]") -> str:
        return encoder.component.file_of(encoder.settings)

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        code = encoder.component.digest_of(encoder.settings)
        return {"code": code} if code else {}

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        encoder.load_own(path)
        return []
