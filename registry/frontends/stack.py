"""Several front ends as the channels of one."""

from typing import ClassVar, Self

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field, model_validator
from torch import Tensor, nn

from registry.frontends import Frontend, make_frontend
from registry.lookup import FrontendReference, named
from registry.settings import Settings


class Stack(Frontend):
    """Several front ends as channels, on the grid of the first.

    ``[B, T]`` to ``[B, C, F, N]``. The front ends share a sample rate; their outputs are resized to the first one's
    (bilinear). Lin 2022 repeats one log-mel three times, and proposes a different transform in each channel as future
    work. A front end that is named twice is computed once.
    """

    source: ClassVar[str] = "Lin 2022 (three log-mels; different transforms as future work)"

    class Config(Settings):
        frontends: list[FrontendReference] = Field(
            [named("logmel")] * 3, min_length=1, description="the channels, in their order"
        )

        @property
        def sample_rate(self) -> int:
            """Hz, the same for all front ends."""
            return _rate(self.frontends[0])

        @model_validator(mode="after")
        def _fit_together(self) -> Self:
            for reference in self.frontends:
                if reference.component.gives != "spectrogram":
                    raise ValueError(f"{reference.name} gives no spectrogram, so it cannot be a channel")
                if _rate(reference) != self.sample_rate:
                    raise ValueError(f"sample rates differ: {self.sample_rate} and {_rate(reference)}")
            return self

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        unique = [reference for i, reference in enumerate(config.frontends) if reference not in config.frontends[:i]]
        self.order = [unique.index(reference) for reference in config.frontends]
        built = [make_frontend(reference) for reference in unique]
        self.frontends = nn.ModuleList(built)
        self.sample_rate, self.bins = built[0].sample_rate, built[0].bins
        self.channels = sum(built[i].channels for i in self.order)

    def forward(self, wave_BT: Tensor) -> Tensor:
        made = [frontend(wave_BT) for frontend in self.frontends]
        grid = made[0].shape[2:]
        made = [x if x.shape[2:] == grid else F.interpolate(x, grid, mode="bilinear", antialias=True) for x in made]
        return torch.cat([made[i] for i in self.order], 1)


def _rate(reference: FrontendReference) -> int:
    return reference.component.rate_of(reference.settings)
