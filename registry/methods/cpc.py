"""CPC: contrastive predictive coding."""

from collections.abc import Iterable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.losses import cpc
from registry.methods import Corpus, Method
from registry.methods._frames import frames
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.views import Views


class Cpc(Method["Cpc.Config"]):
    """Predicts the encoder's coming frames from its past frames: it tells the right frame from other frames.

    A recurrent net summarises the frames up to t in a context c. For each step k a matrix scores a frame z as ``z^T W_k
    c``: the frame k steps ahead against other frames of its clip, against the frames at its place in other clips, or
    both. The source draws negatives from the batch; here all are used. A step is one frame of the encoder: 10 to 160 ms
    for conv160 to conv2560, 160 ms for cnn10 with a hop of 10 ms, so that a window has few of these. Norms and padding
    inside an encoder may look ahead; the context does not.

    As for all methods, the encoder's pooled embedding is evaluated, not the context. If the encoder's pooling has
    weights, they stay untrained.

    The defaults are from memory. In the source windows are 20,480 samples of 16 kHz, and frames 10 ms: conv160 is the
    nearest encoder. The number of epochs is not stated.
    """

    source: ClassVar[str] = "van den Oord et al. 2018, CPC"
    windows = 1
    on_frames = True
    fewest = 1
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 100,
        "batch_size": 64,
        "optimizer": "adam",
        "learning_rate": 2e-4,
        "schedule": "constant",
    }

    class Config(Settings):
        steps: int = Field(12, ge=1, description="frames ahead to predict, each by its own matrix")
        negatives: Literal["within", "across", "both"] = Field(
            "both", description="other frames of the clip, frames of the batch's other clips, or both"
        )
        context: int = Field(256, ge=1, description="size of the recurrent net's state")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.config = config
        self.context = nn.GRU(encoder.embedding_dim, config.context, batch_first=True)
        self.steps = nn.ModuleList(
            nn.Linear(config.context, encoder.embedding_dim, bias=False) for _ in range(config.steps)
        )

    @classmethod
    def objections(cls, config: Config, standing: Standing) -> Iterable[Objection]:
        yield from super().objections(config, standing)
        if standing.batch == 1 and config.negatives == "across":
            what = "negatives are frames of the batch's other clips, and a batch of one has none"
            yield Objection("negatives", what, "negatives: within, or a batch_size of 2 at least")

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        frames_BND = frames(self, self.views(wave_BVT[:, 0]))
        count, steps = frames_BND.shape[1], len(self.steps)
        if count <= steps:
            raise Mistake(
                f"a window gives {count} frames, and {steps} steps ahead need at least {steps + 1}",
                where="cpc",
                fix="use longer windows, a shorter hop, or fewer steps",
            )
        context_BNH, _ = self.context(frames_BND)
        within, across = self.config.negatives != "across", self.config.negatives != "within"
        losses = [
            cpc(step(context_BNH[:, : count - k]), frames_BND, within=within, across=across)
            for k, step in enumerate(self.steps, 1)
        ]
        return torch.stack(losses).mean(), {}
