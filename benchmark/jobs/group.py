"""The processes that torchrun starts for one job: each joins their group, and has a device of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from benchmark.jobs.model import Device
from registry.ranks import ALONE, Ranks

_LONGEST_STEP = timedelta(minutes=10)  # then a rank that does not answer counts as lost
_LONGEST_WAIT = timedelta(days=30)  # for another run that is at work on the same job


def started() -> int:
    """How many processes torchrun started together with this one; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def device_here(device: str) -> str:
    """The device of this process: of several GPUs on a machine, each process has its own."""
    on_gpu = torch.cuda.is_available() if device == "auto" else device == "cuda"
    return f"cuda:{os.environ['LOCAL_RANK']}" if started() > 1 and on_gpu else device


@contextmanager
def joined(device: Device) -> Iterator[Ranks]:
    """The group of the processes that torchrun started, while the block runs; without torchrun this one is alone."""
    if started() == 1:
        yield ALONE
        return
    on_gpu = device.device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device.device)
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=_LONGEST_STEP)
    try:
        on_host = dist.new_group(backend="gloo", timeout=_LONGEST_STEP)
        beginning = dist.new_group(backend="gloo", timeout=_LONGEST_WAIT)
        yield Ranks(dist.get_rank(), dist.get_world_size(), on_host, beginning)
    finally:
        dist.destroy_process_group()
