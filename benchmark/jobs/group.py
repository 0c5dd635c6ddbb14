"""The group of the processes that torchrun starts for one pretraining: each is a rank, and has a device of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from benchmark.jobs import torchrun
from benchmark.jobs.model import Device
from registry.ranks import ALONE, Ranks

_LONGEST_STEP = timedelta(minutes=10)  # a rank that does not answer for so long counts as lost
_LONGEST_WAIT = timedelta(days=30)  # for another run that is at work on the same job


@dataclass(frozen=True)
class Group:
    """The processes of one job.

    Args:
        ranks: this process's place.
        waiting: the group in which the others wait for the first rank to begin; None if this process is alone.
    """

    ranks: Ranks = ALONE
    waiting: dist.ProcessGroup | None = None

    def begins(self, first: bool) -> bool:
        """Whether the first rank begins, as it says by ``first``; the other ranks wait here until it says so."""
        if self.waiting is None:
            return first
        told = torch.tensor(first)
        dist.broadcast(told, 0, group=self.waiting)
        return bool(told)


def device_here(device: str) -> str:
    """The name of this process's device, where torchrun started one process for each GPU of the machine."""
    on_gpu = torch.cuda.is_available() if device == "auto" else device == "cuda"
    return f"cuda:{torchrun.rank_here()}" if on_gpu and torchrun.world() > 1 else device


@contextmanager
def joined(device: Device) -> Iterator[Group]:
    """The group of the processes that torchrun started, while the block runs."""
    on_gpu = device.device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device.device)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_LONGEST_STEP)
    try:
        on_host, waiting = (dist.new_group(backend="gloo", timeout=time) for time in (_LONGEST_STEP, _LONGEST_WAIT))
        yield Group(Ranks(dist.get_rank(), dist.get_world_size(), on_host), waiting)
    finally:
        dist.destroy_process_group()
