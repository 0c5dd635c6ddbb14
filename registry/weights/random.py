"""Random weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from registry.weights import Weights

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.lookup import Choice


class Random(Weights):
    """Random weights, as the encoder draws them; each seed gives others. They are the control of trained weights."""

    source: ClassVar[str] = "audiobench"
    untrained = True

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        return {"seed": seed}

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        return []
