"""Colorization: predicts the high frequencies from the low ones."""

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.methods import Corpus, Method
from registry.methods._frames import frames
from registry.methods.rotation import Rotation
from registry.settings import Settings
from registry.views import Views

_ROUNDING = 64  # times the precision of the type, of the range of a band


class Colorization(Method["Colorization.Config"]):
    """Predicts for each frame how loud the upper half of the bins is; the encoder sees only the lower half.

    The audio form is our proposal, and in no paper: the lower bins stand for lightness, the upper bins for colour. In
    each of the encoder's frames the upper bins are averaged to ``bands`` values. The band's mean over the window is
    subtracted, because steady noise would be easiest to predict. Each value becomes a class: one of ``levels`` that are
    equally frequent in the batch, for each band. This is our rebalancing of rare colours. Targets are hard. In place of
    the upper bins the encoder sees each frame's mean over the lower bins: a constant would give batch norms other
    statistics than whole spectrograms, which are evaluated.

    The recipe is rotation's. The source has 313 colours, soft targets, and weights against frequent colours.
    """

    version = 2  # in version 1 rounding gave frames that a mask had made equal several levels
    source: ClassVar[str] = "Zhang et al. 2016, from memory; audio form ours"
    windows = 1
    on_frames = True
    fewest = 1
    recipe = Rotation.recipe

    class Config(Settings):
        bands: int = Field(8, ge=1, description="averages over the upper bins; each is predicted")
        levels: int = Field(8, ge=2, description="classes of each band")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        frontend = views.frontend
        if frontend.channels != 1 or frontend.bins < 2 * config.bands:
            raise Mistake(
                f"colorization with {config.bands} bands needs one channel of at least {2 * config.bands} bins, and "
                f"the front end gives {frontend.channels} of {frontend.bins}",
                where="colorization",
                fix="use a log-mel front end, or fewer bands",
            )
        self.classifier = nn.Linear(encoder.embedding_dim, config.bands * config.levels)

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        x_B1FN = self.views(wave_BVT[:, 0])
        low_B1FN, high_B1FN = x_B1FN.tensor_split([x_B1FN.shape[2] // 2], 2)
        frames_BND = frames(self, torch.cat([low_B1FN, low_B1FN.mean(2, keepdim=True).expand_as(high_B1FN)], 2))
        if frames_BND.shape[1] < 2:
            raise Mistake(
                "a window gives one frame, which equals the mean over the window",
                where="colorization",
                fix="use longer windows or a shorter hop",
            )
        score_BLKN = self.classifier(frames_BND).transpose(1, 2).unflatten(1, (self.config.levels, -1))
        loudness_BKN = F.adaptive_avg_pool2d(high_B1FN, (self.config.bands, frames_BND.shape[1])).squeeze(1)
        level_BKN = _levels(loudness_BKN - loudness_BKN.mean(2, keepdim=True), self.config.levels)
        loss = F.cross_entropy(score_BLKN, level_BKN)
        return loss, {}


def _levels(loudness_BKN: Tensor, levels: int) -> Tensor:
    """Levels ``[B, K, N]`` from 0 on. In each band k all levels are equally frequent; equal values have one level, as
    have values that differ by rounding alone.
    """
    sorted_KM = loudness_BKN.transpose(0, 1).flatten(1).sort(1).values  # quantile() would wait for the device
    edge_LK = torch.stack([sorted_KM[:, sorted_KM.shape[1] * level // levels - 1] for level in range(1, levels)])
    # Frames that a mask made equal differ by the rounding of their means, which must not split them.
    rounding_K = _ROUNDING * torch.finfo(loudness_BKN.dtype).eps * (sorted_KM[:, -1] - sorted_KM[:, 0])
    return (loudness_BKN > (edge_LK + rounding_K)[:, None, :, None]).sum(0)
