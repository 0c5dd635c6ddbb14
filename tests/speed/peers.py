"""A SimCLR step with other libraries, where they are installed: theirs on ready spectrograms, ours from audio."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import timm
import torch
from torch import Tensor, nn

from tests.speed import Row, ratio
from tests.speed._steps import BATCH, RESNET18, pretraining_step

WORK = f"a SimCLR step with resnet18, {BATCH} windows of 1 s, crops and front end with it"


def rows() -> Iterator[Row]:
    """One row for each library."""
    if find_spec("lightly"):
        from lightly.loss import NTXentLoss
        from lightly.models.modules import SimCLRProjectionHead

        theirs = _step(SimCLRProjectionHead(512, 512, 128), NTXentLoss(temperature=0.5))
        yield ratio(WORK, pretraining_step({"name": "simclr"}, RESNET18), "lightly, on ready spectrograms", theirs, 1.0)
    if find_spec("solo"):
        from solo.losses.simclr import simclr_loss_func  # type: ignore[import-not-found]

        head = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 128))
        theirs = _step(head, partial(simclr_loss_func, temperature=0.5))
        yield ratio(WORK, pretraining_step({"name": "simclr"}, RESNET18), "solo-learn's loss, the same", theirs, 1.0)


def _step(head: nn.Module, loss_of: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], None]:
    """A step as these libraries' examples write it."""
    net = nn.Sequential(timm.create_model("resnet18", in_chans=1, num_classes=0), head)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    x_VBCFN = torch.randn(2, BATCH, 1, 64, 101)

    def step() -> None:
        loss = loss_of(net(x_VBCFN[0]), net(x_VBCFN[1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
