"""Multi-format contrast: raw audio against log-mel."""

import itertools
from typing import ClassVar

from pydantic import Field
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.encoders.multiformat import Multiformat
from registry.errors import Mistake
from registry.lookup import AugmentationList
from registry.losses import nt_xent
from registry.methods import Corpus, Method, unit
from registry.settings import Settings
from registry.views import Views


class MultiformatContrast(Method):
    """Finds the windows of a batch that belong to one clip; the two windows of a clip have different formats.

    With the encoder ``multiformat`` the first window goes through the first branch, and the second window through the
    second branch. With any other encoder both windows go through it: this is the one-format case that the paper
    compares with. One projector with one hidden layer serves all formats. ``augment`` of the pretraining works on both
    waveforms; ``augment`` here works on one format, for example shifts and masks of the log-mel.
    """

    source: ClassVar[str] = "Wang 2021; optimiser's moments and mask sizes not stated"
    windows = 2
    recipe: ClassVar[dict[str, object]] = {
        "epochs": 200,  # 400,000 steps of 1024 on the two million clips of AudioSet
        "batch_size": 1024,
        "optimizer": "adam",
        "learning_rate": 1e-4,
        "schedule": "cosine",
        "final_rate": 0.01,  # 1e-6
    }

    class Config(Settings):
        temperature: float = Field(0.1, gt=0, description="divides the similarities")
        dim: int = Field(512, ge=1, description="latent size; 1024 in the final model")
        augment: dict[str, AugmentationList] = Field({}, description="augmentations by branch")

    def __init__(self, config: Config, encoder: Encoder, views: Views, corpus: Corpus) -> None:
        super().__init__(config, encoder, views, corpus)
        self.temperature = config.temperature
        self.branches = list(encoder.parts)[:2] if isinstance(encoder, Multiformat) else []
        if len(self.branches) == 1:
            raise Mistake("two formats are contrasted, and the encoder has one branch", fix="name a second branch")
        sizes = {encoder.parts[name] for name in self.branches} or {encoder.embedding_dim}
        if len(sizes) > 1:
            raise Mistake(
                f"one projector serves both formats, and their embeddings have {' and '.join(map(str, sizes))} values",
                fix="choose encoders of one embedding size: cnn10 with conv320, or cnn14 with res1dnet31",
            )
        for name in config.augment:
            if name not in self.branches:
                raise Mistake(f"augment names no branch: {name!r}", fix=f"branches: {', '.join(self.branches)}")
        dim = sizes.pop()
        self.projector = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(inplace=True), nn.Linear(dim, config.dim))
        self.augmentations = [[a.build() for a in config.augment.get(name, ())] for name in self.branches]
        self.registered = nn.ModuleList(itertools.chain(*self.augmentations))  # so that they move to the device, too

    def forward(self, wave_BVT: Tensor, index_B: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        inputs = [self.views(wave_BT) for wave_BT in wave_BVT.unbind(1)]
        if isinstance(self.encoder, Multiformat):
            embedded = []
            for name, augmentations, x_B1T in zip(self.branches, self.augmentations, inputs, strict=True):
                plain_views, encoder = self.encoder.branch(name)
                views = Views(plain_views.frontend, augmentations)
                embedded.append(self.embed(views(x_B1T.squeeze(1)), encoder))
        else:
            embedded = [self.embed(x) for x in inputs]
        a_BD, b_BD = (unit(self.projector(z_BD)) for z_BD in embedded)
        return nt_xent(a_BD, b_BD, self.temperature), {}
