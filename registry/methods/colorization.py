"""Colorization: fills in the high frequencies from the low ones."""

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


class Colorization(Method["Colorization.Config"]):
    """Predicts, frame by frame, how loud the upper half of the bins is, having seen the lower half.

    The audio form is a proposal of ours and in no paper: the lower bins stand for lightness, the upper for colour. The
    upper bins are averaged to ``bands`` values in each of the encoder's frames, less the band's mean over the window,
    since steady noise would be easiest to tell. Each value is a class: one of ``levels`` that are equally frequent in
    the batch, band by band, which is our rebalancing of rare colours. Targets are hard. Where the upper bins were, the
    encoder sees each frame's mean over the lower ones: a constant there would give batch norms statistics that whole
    spectrograms, which are evaluated, do not have.

    The recipe is rotation's. The source has 313 colours, soft targets and weights against frequent ones.
    """

    source: ClassVar[str] = "Zhang et al. 2016, from memory; audio form ours"
    windows = 1
    on_frames = True
    fewest = 1
    recipe = Rotation.recipe

    class Config(Settings):
        bands: int = Field(8, ge=1, description="averages over the upper bins, each predicted")
        levels: int = Field(8, ge=2, description="classes of each band")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        given = views.frontend
        if given.channels != 1 or given.bins < 2 * config.bands:
            raise Mistake(
                f"colorization with {config.bands} bands needs one channel of at least {2 * config.bands} bins, and "
                f"the front end gives {given.channels} of {given.bins}",
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
                "a window gives one frame, which differs in nothing from the mean over the window",
                where="colorization",
                fix="use longer windows or a shorter hop",
            )
        score_BLKN = self.classifier(frames_BND).transpose(1, 2).unflatten(1, (self.config.levels, -1))
        loudness_BKN = F.adaptive_avg_pool2d(high_B1FN, (self.config.bands, frames_BND.shape[1])).squeeze(1)
        level_BKN = _levels(loudness_BKN - loudness_BKN.mean(2, keepdim=True), self.config.levels)
        loss = F.cross_entropy(score_BLKN, level_BKN)
        return loss, {}


def _levels(loudness_BKN: Tensor, levels: int) -> Tensor:
    """Levels ``[B, K, N]`` from 0 up, of each band k so chosen that all are equally frequent; ties share one."""
    sorted_KM = loudness_BKN.transpose(0, 1).flatten(1).sort(1).values  # quantile() would read values back
    edge_LK = torch.stack([sorted_KM[:, sorted_KM.shape[1] * level // levels - 1] for level in range(1, levels)])
    return (loudness_BKN > edge_LK[:, None, :, None]).sum(0)
