"""Augmentations of which each fails the one check that it is called after."""

import random
from typing import ClassVar

import torch
from torch import Tensor

from registry.augmentations import Augmentation, uniform


class _Louder(Augmentation):
    """Multiplies every example by a number."""

    domain = "waveform"
    source: ClassVar[str] = "ours"

    def apply_batch(self, x: Tensor) -> Tensor:
        return x * uniform(1, 2, x)


class Whole(_Louder):
    """Keeps its contract."""

    name = "whole"


class Shortened(_Louder):
    """Leaves a half, wherever it is applied."""

    name = "keeps_shape_and_type"

    def forward(self, x: Tensor) -> Tensor:
        return x if self.p == 0 else super().apply_batch(x)[:, : x.shape[1] // 2]


class Eager(_Louder):
    """Is applied to every example."""

    name = "changes_nothing_at_probability_0"

    def forward(self, x: Tensor) -> Tensor:
        return self.apply_batch(x)


class Elsewhere(_Louder):
    """Draws from Python's generator."""

    name = "draws_from_torch"

    def apply_batch(self, x: Tensor) -> Tensor:
        return x * random.uniform(1, 2)


class InPlace(_Louder):
    """Changes what it is given."""

    name = "leaves_its_input"

    def apply_batch(self, x: Tensor) -> Tensor:
        return x.mul_(uniform(1, 2, x))


class Levelled(_Louder):
    """Divides by the loudness."""

    name = "is_finite"

    def apply_batch(self, x: Tensor) -> Tensor:
        return x / x.abs().amax(1, keepdim=True)


class InPairs(_Louder):
    """Needs two examples."""

    name = "takes_one_example"

    def apply_batch(self, x: Tensor) -> Tensor:
        return x + x[[1, 0, *range(2, len(x))]]


class Looking(_Louder):
    """Reads how loud the batch is."""

    name = "reads_nothing_back"

    def apply_batch(self, x: Tensor) -> Tensor:
        return x / 2 if float(x.abs().max()) > 1 else x * torch.rand(len(x), 1)
