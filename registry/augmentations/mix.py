"""Mixing with other examples of the batch."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations import Augmentation, AugmentationConfig


class Mix(Augmentation):
    """``a * x1 + (1 - a) * x2``: x2 another example of the batch, a ~ Beta(alpha, beta) drawn for each example."""

    domain = "waveform"
    source: ClassVar[str] = "Wang 2021"

    class Config(AugmentationConfig):
        alpha: float = Field(5.0, gt=0, description="first parameter of the Beta distribution")
        beta: float = Field(2.0, gt=0, description="second parameter; Beta(5, 2) has mean 0.714")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.alpha, self.beta = config.alpha, config.beta

    def apply_batch(self, x: Tensor) -> Tensor:
        alpha_B1, beta_B1 = (x.new_full((len(x), 1), value) for value in (self.alpha, self.beta))
        share_B1 = torch.distributions.Beta(alpha_B1, beta_B1, validate_args=False).sample()  # checks read values back
        others = x[torch.randperm(len(x), device=x.device)]
        return share_B1 * x + (1 - share_B1) * others
