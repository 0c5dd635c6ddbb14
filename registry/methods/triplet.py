"""Triplet loss over sounds and changed copies of them that mean the same."""

import math
from collections.abc import Iterable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from registry.augmentations.frequency_shift import FrequencyShift
from registry.encoders import Encoder
from registry.losses import semi_hard, triplet
from registry.methods import Corpus, Method, projection, unit
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.views import Views

_NOISE = 0.5  # standard deviation
_MIX = 0.25  # energy of the other sound, relative to the anchor's
_BINS = 10  # largest shift


class Triplet(Method["Triplet.Config"]):
    """A sound should be nearer to a noisy, shifted or mixed copy, or to its neighbour in time, than to other sounds.

    Every kind of positive gives a triplet loss; the joint training averages all four. Negatives are the batch's other
    clips, anchors and positives: the nearest one that is farther than the positive, or else the farthest. ``noise``
    multiplies each energy by ``1 + |e|``, where e has deviation 0.5. ``translation`` rotates the frames by any number,
    and shifts up to 10 bins up or down. ``mixing`` adds another clip at a quarter of the energy. ``proximity`` takes
    another window of the clip; the paper limits the distance to 10 s. The front end must give natural logarithms of
    energies: ``log: ln, normalise: none``. All numbers are from memory; the recipe is ours.
    """

    source: ClassVar[str] = "Jansen et al. 2018, from memory"
    windows = 2
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 200,
        "batch_size": 256,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "schedule": "constant",
    }

    class Config(Settings):
        positives: list[Literal["noise", "translation", "mixing", "proximity"]] = Field(
            ["noise", "translation", "mixing", "proximity"], min_length=1, description="kinds of positives"
        )
        margin: float = Field(0.1, gt=0, description="between squared distances")
        dim: int = Field(128, ge=1, description="size of the embeddings")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.head = projection("linear", encoder, config.dim)

    @classmethod
    def objections(cls, config: Config, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.gives == "waveform" and set(config.positives) != {"proximity"}:
            what = "noise, translation and mixing are of spectrograms, and the front end gives a waveform"
            yield Objection("positives", what, "use a front end such as logmel, or positives: [proximity]")

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        x_BCFN = self.views(wave_BVT[:, 0])
        anchor_BD = unit(self.head(self.embed(x_BCFN)))
        other_BM = ~torch.eye(len(anchor_BD), dtype=torch.bool, device=anchor_BD.device).repeat(1, 2)
        losses = []
        for kind in self.config.positives:
            changed_BCFN = self.views(wave_BVT[:, 1]) if kind == "proximity" else _CHANGES[kind](x_BCFN)
            positive_BD = unit(self.head(self.embed(changed_BCFN)))
            candidate_MD = torch.cat([anchor_BD, positive_BD])
            negative_BD = candidate_MD[semi_hard(anchor_BD, positive_BD, candidate_MD, other_BM)]
            losses.append(triplet(anchor_BD, positive_BD, negative_BD, self.config.margin))
        return torch.stack(losses).mean(), {}


def add_noise(x_BCFN: Tensor) -> Tensor:
    """Every energy times ``1 + |e|``, where e is normal with deviation 0.5. This and the next two take log energies."""
    return x_BCFN + (_NOISE * torch.randn_like(x_BCFN)).abs().log1p()


def translate(x_BCFN: Tensor) -> Tensor:
    """Rotates frames by any number, and shifts bins by up to 10; vacated bins get the example's lowest value."""
    frames = x_BCFN.shape[3]
    shift_B1 = torch.randint(frames, (len(x_BCFN), 1), device=x_BCFN.device)
    origin_BN = (torch.arange(frames, device=x_BCFN.device) - shift_B1) % frames
    turned_BCFN = x_BCFN.gather(3, origin_BN[:, None, None, :].expand_as(x_BCFN))
    return FrequencyShift(FrequencyShift.Config(bins=_BINS)).apply_batch(turned_BCFN)


def mix_in(x_BCFN: Tensor) -> Tensor:
    """``x + 0.25 E(x) / E(z) z`` in energies: z is the batch's next clip, in random order; E is the total energy."""
    energy = x_BCFN.logsumexp((1, 2, 3), keepdim=True)
    next_BCFN = (x_BCFN - energy).roll(1, 0) + energy
    return torch.logaddexp(x_BCFN, next_BCFN + math.log(_MIX))


_CHANGES = {"noise": add_noise, "translation": translate, "mixing": mix_in}
