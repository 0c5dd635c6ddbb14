"""The front end and the augmentations of pipeline ``s1``: their share of a training step of the same batch."""

from collections.abc import Iterator
from functools import partial

import torch
from torch.nn.functional import cross_entropy

from benchmark.jobs.model import build_encoder, choose_device, place
from registry.frontends import make_frontend
from registry.lookup import AUGMENTATIONS, ENCODERS
from registry.pipelines import PIPELINES
from registry.views import Views
from tests.speed import Row, ratio

_CLIPS, _SAMPLES = 64, 16000


def rows() -> Iterator[Row]:
    """The value is the share: 0.10 is a tenth of the step."""
    frontend = make_frontend("logmel")
    augmentations = [AUGMENTATIONS.choose(step).build() for step in PIPELINES["s1"].steps]
    wave_BT = 0.1 * torch.randn(_CLIPS, _SAMPLES, generator=torch.Generator().manual_seed(0))
    x_BCFN, label_B = Views(frontend)(wave_BT), torch.arange(_CLIPS) % 50
    choice = ENCODERS.choose({"name": "timm", "model": "resnet18", "in_channels": 1})
    encoder = place(build_encoder(choice, frontend), choose_device("cpu", "fp32"))
    head = torch.nn.Linear(encoder.embedding_dim, 50)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], 0.01, 0.9)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(head(encoder.embed(x_BCFN)), label_B).backward()
        optimizer.step()

    for name, augmented in (("log-mel", []), ("s1 and log-mel", augmentations)):
        work = f"{name}, {_CLIPS} clips of {_SAMPLES / 16000:g} s"
        yield ratio(
            work, partial(Views(frontend, augmented), wave_BT), "step of ResNet-18, tensors ready", step, 0.10, 3
        )
