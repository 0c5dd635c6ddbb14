"""Sources of weights of which each fails the one check that it is called after."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field

from registry.settings import Settings
from registry.weights import Weights

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.lookup import Choice


class _Scaled(Weights["_Scaled.Config"]):
    """What the encoder draws, times a number."""

    source: ClassVar[str] = "ours"
    value = "times"

    class Config(Settings):
        times: float = Field(0.5, gt=0, description="what every weight is multiplied by")

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        return {"times": self.config.times, "seed": seed}

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.mul_(stated.get("times", 0.5))
        return []


class Whole(_Scaled):
    """Keeps its contract."""

    name = "whole"


class Unstable(_Scaled):
    """States when it was asked."""

    name = "names_what_it_loads"
    asked = 0

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        type(self).asked += 1
        return {**super().stated(encoder, seed), "asked": self.asked} if seed == 3 else super().stated(encoder, seed)


class Taken(_Scaled):
    """States a key that names the source itself."""

    name = "names_what_it_loads-2"

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        return {**super().stated(encoder, seed), "kind": "scaled"}


class Misnamed(_Scaled):
    """Takes a setting that it does not have."""

    name = "takes_its_value"
    value = "factor"


class Lost(_Scaled):
    """Leaves a tensor that is no number."""

    name = "fills_every_tensor"

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        with torch.no_grad():
            next(encoder.parameters()).fill_(torch.inf)
        return []


class Frozen(_Scaled):
    """Freezes what it fills."""

    name = "leaves_them_trainable"

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        encoder.requires_grad_(False)
        return []


class Elsewhere(_Scaled):
    """Draws from the system."""

    name = "loads_the_same_twice"

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        with torch.no_grad():
            next(encoder.parameters()).mul_(1 + int.from_bytes(os.urandom(4)) / 2**32)
        return []


class Constant(_Scaled):
    """States a seed that does not count."""

    name = "follows_the_seed_it_states"

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.fill_(0.1)
        return []


class OfValues(_Scaled):
    """Reads a value of an encoder, which may have none yet."""

    name = "is_tried_without_values"

    def file(self, encoder: object) -> str:
        path = Path(tempfile.gettempdir()) / "audiobench-no-weights"
        path.touch()
        return str(path)

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        assert float(next(encoder.parameters()).detach().abs().max()) > 0
        return []
