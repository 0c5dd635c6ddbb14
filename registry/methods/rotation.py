"""Rotation: predicts how a spectrogram was turned."""

from collections.abc import Iterable
from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.methods import Corpus, Method
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.views import Views


class Rotation(Method):
    """Predicts whether a spectrogram was reversed in time, flipped in frequency, both, or neither.

    The audio form is ours: a turn by 90 degrees would swap time and frequency, so the four classes here are the turn by
    180 degrees, the two flips that make it, and no change. All four versions of a window are in one batch, as in the
    source, from memory. Rate, decay and drops are those of the source's configuration for ResNet-50.
    """

    source: ClassVar[str] = "Gidaris et al. 2018, RotNet; facebookresearch/vissl; audio form ours"
    windows = 1
    fewest = 1
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 105,
        "batch_size": 256,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "weight_decay": 1e-4,
        "schedule": "step",
        "milestones": [30 / 105, 60 / 105, 90 / 105, 100 / 105],
    }

    def __init__(self, config: Settings, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.classifier = nn.Linear(encoder.embedding_dim, 4)

    @classmethod
    def objections(cls, config: Settings, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.gives == "waveform":
            what = "rotation flips spectrograms, and the front end gives a waveform"
            yield Objection("name", what, "use a spectral front end and an encoder of spectrograms")

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        x_BCFN = self.views(wave_BVT[:, 0])
        turned = torch.cat([x_BCFN, x_BCFN.flip(3), x_BCFN.flip(2), x_BCFN.flip(2, 3)])
        label = torch.arange(4, device=turned.device).repeat_interleave(len(x_BCFN))
        return F.cross_entropy(self.classifier(self.embed(turned)), label), {}
