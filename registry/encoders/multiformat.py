"""Several formats of one sound, each with its own encoder."""

from typing import ClassVar

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.frontends import make_frontend
from registry.lookup import EncoderReference, FrontendReference
from registry.settings import Settings
from registry.views import Views


class Branch(Settings):
    """One format: a front end, and the encoder of its output."""

    frontend: FrontendReference = Field(..., description="of this format, at the sample rate of the entry's front end")
    encoder: EncoderReference = Field(..., description="of this format")


_BASE = {
    "waveform": Branch(frontend={"name": "waveform"}, encoder={"name": "res1dnet31", "norm": "group"}),
    "logmel": Branch(frontend={"name": "s2"}, encoder={"name": "cnn14"}),
}


class Multiformat(Encoder):
    """Branches side by side, each with its own front end and encoder.

    All branches get one waveform ``[B, 1, T]``. The embedding is the embeddings of all branches, concatenated in their
    order: its ``parts``. ``inputs`` of the protocols ``freeze`` and ``knn`` chooses among the parts, as in Tables 3 and
    4 of Wang 2021. The default is that paper's larger pair. Frames are averaged to the grid of the coarsest branch.
    """

    source: ClassVar[str] = "Wang 2021"
    takes = "waveform"

    class Config(Settings):
        branches: dict[str, Branch] = Field(
            _BASE,
            min_length=1,
            description="by name, in the order of their embeddings",
        )

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.views, self.encoders = nn.ModuleDict(), nn.ModuleDict()
        parts = {}
        for name, branch in config.branches.items():
            frontend = make_frontend(branch.frontend)
            self.views[name] = Views(frontend)
            self.encoders[name] = branch.encoder.build(frontend.channels, frontend.bins)
            parts[name] = self.branch(name)[1].embedding_dim
        self.parts = parts
        self.embedding_dim = sum(parts.values())

    @classmethod
    def gradients(cls, config: Config) -> int:
        """The newest of its branches."""
        encoders = [branch.encoder for branch in config.branches.values()]
        return max(encoder.component.gradients(encoder.settings) for encoder in encoders)

    def branch(self, name: str) -> tuple[Views, Encoder]:
        """The front end and the encoder of one format."""
        return self.views[name], self.encoders[name]  # type: ignore[return-value]

    def forward(self, x_B1T: Tensor) -> Tensor:
        frames = [encoder(x) for encoder, x in self._formats(x_B1T)]
        length = min(x_BND.shape[1] for x_BND in frames)
        return torch.cat([F.adaptive_avg_pool1d(x.transpose(1, 2), length).transpose(1, 2) for x in frames], 2)

    def embed(self, x_B1T: Tensor) -> Tensor:
        """The embeddings of all branches, ``[B, D]``, in their order."""
        return torch.cat([encoder.embed(x) for encoder, x in self._formats(x_B1T)], 1)

    def _formats(self, x_B1T: Tensor) -> list[tuple[Encoder, Tensor]]:
        branches = [self.branch(name) for name in self.parts]
        return [(encoder, views(x_B1T.squeeze(1))) for views, encoder in branches]
