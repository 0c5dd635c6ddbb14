"""A step of pretraining in bf16 on a CPU, beside the same step in fp32. Where the CPU has no bf16 there is no row."""

from collections.abc import Iterator

import torch

from benchmark.jobs.model import choose_device
from tests.speed import Row, ratio
from tests.speed._steps import CNN10, RESNET18, pretraining_step


def rows() -> Iterator[Row]:
    """A net of usual size, and a narrow one."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return
    bf16 = choose_device("cpu", "bf16")
    for work, method, encoder in (
        ("simclr with resnet18", {"name": "simclr"}, RESNET18),
        ("moco with cnn10, width 16", {"name": "moco"}, CNN10),
    ):
        yield ratio(
            f"{work}, a step in bf16",
            pretraining_step(method, encoder, bf16),
            "in fp32",
            pretraining_step(method, encoder),
            1 / 1.8,
        )
