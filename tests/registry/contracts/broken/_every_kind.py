"""Augmentations of which each fails the one check of every kind that it is called after."""

from typing import Any, ClassVar

from pydantic import BaseModel, Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class _Louder(Augmentation):
    domain = "waveform"
    source: ClassVar[str] = "ours"

    def apply_batch(self, x: Tensor) -> Tensor:
        return 2 * x


class Whole(_Louder):
    """Keeps its contract."""

    name = "whole"


class Silent(_Louder):  # without a docstring
    name = "says_what_it_is"


class FromNowhere(_Louder):
    """States no source."""

    name = "states_its_source"
    source: ClassVar[str] = "not stated"


class Lettered(_Louder):
    """Has a version that is no number."""

    name = "has_a_version"
    version: ClassVar[Any] = "1b"


class Unsaid(_Louder):
    """Has a setting without a description."""

    name = "describes_its_settings"

    class Config(AugmentationConfig):
        times: float = Field(2.0, gt=0)


class OutOfRange(_Louder):
    """Has a default that is out of its range."""

    name = "settings_are_plain"

    class Config(AugmentationConfig):
        times: float = Field(-2.0, gt=0, description="what the waveform is multiplied by")


class Growing(_Louder):
    """Changes its setting whenever it is read."""

    name = "settings_are_plain-2"

    class Config(AugmentationConfig):
        times: float = Field(2.0, description="what the waveform is multiplied by")

        def model_post_init(self, context: object) -> None:
            self.__dict__["times"] += 1


class Lax(_Louder):
    """Has settings that take anything."""

    name = "settings_are_plain-3"

    class Config(BaseModel):
        p: float = Field(1.0, description="probability")


class Unmakeable(_Louder):
    """Cannot be made."""

    name = "is_made"

    def __init__(self, config: AugmentationConfig) -> None:
        super().__init__(config)
        raise RuntimeError("no")
