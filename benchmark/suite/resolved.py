"""A suite with every component found and every setting complete."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.suite.fields import Suite
from benchmark.suite.shots import Column
from benchmark.suite.sweep import Variations
from registry.lookup import Choice
from registry.tasks import Task
from registry.weights import Weights
from registry.weights.pretrain import Pretrain
from registry.windows import Crop, Window

if TYPE_CHECKING:
    from registry.augmentations import Augmentation
    from registry.encoders import Encoder
    from registry.frontends import Frontend


@dataclass(frozen=True)
class ResolvedWeights:
    """Where an encoder's weights come from.

    Args:
        source: with complete settings.
        path: of the weights' file or folder, where the suite names one and it is there.
        missing: why the named file cannot be read; else empty.
    """

    source: Choice[Weights]
    path: Path | None = None
    missing: str = ""

    @property
    def pretraining(self) -> Pretrain.Config | None:
        """The settings of the pretraining; None for weights from elsewhere."""
        settings = self.source.settings
        return settings if isinstance(settings, Pretrain.Config) else None


@dataclass(frozen=True)
class ResolvedEntry:
    """An entry with complete settings."""

    name: str
    encoder: "Choice[Encoder]"
    frontend: "Choice[Frontend]"
    augment: "tuple[Choice[Augmentation], ...]"
    crop: Crop
    weights: ResolvedWeights
    protocols: tuple[str, ...]  # columns
    places: Mapping[str, str] = field(default_factory=dict)  # of encoder, crop, weights, and each column

    @property
    def window_samples(self) -> Window:
        """Samples of a training crop and of an evaluation window; or whole, for an evaluation of whole clips."""
        return "whole" if self.crop == "whole" else self._samples(self.crop)

    @property
    def pretraining_samples(self) -> int:
        """Samples of a window of the pretraining."""
        pretraining = self.weights.pretraining
        crop = (pretraining and pretraining.crop) or self.crop
        assert crop != "whole"  # the suite was refused
        return self._samples(crop)

    def _samples(self, seconds: float) -> int:
        return round(seconds * self.frontend.component.rate_of(self.frontend.settings))


@dataclass(frozen=True)
class ResolvedSuite:
    """A suite at one scale, with every component found and every setting complete."""

    suite: Suite
    scale: str | None
    entries: tuple[ResolvedEntry, ...]
    tasks: dict[str, Choice[Task]]  # by column
    protocols: dict[str, Column]  # by column
    variations: Variations
