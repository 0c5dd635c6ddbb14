"""Random gain."""

from typing import ClassVar, Self

from pydantic import Field, model_validator
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig, uniform


class Gain(Augmentation):
    """Multiplies each waveform by a gain uniform in decibels."""

    domain = "waveform"
    source: ClassVar[str] = "common practice"

    class Config(AugmentationConfig):
        min_db: float = Field(-6.0, description="dB")
        max_db: float = Field(6.0, description="dB")

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_db > self.max_db:
                raise ValueError(f"min_db {self.min_db} is above max_db {self.max_db}")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.min_db, self.max_db = config.min_db, config.max_db

    def apply_batch(self, x: Tensor) -> Tensor:
        return x * 10 ** (uniform(self.min_db, self.max_db, x) / 20)
