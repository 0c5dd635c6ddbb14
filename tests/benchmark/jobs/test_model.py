"""What a device computes in."""

from collections.abc import Iterator

import pytest
import torch

from benchmark.jobs.model import choose_device


def tf32() -> list[bool]:
    return [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = tf32()
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize(("precision", "rounded"), [("auto", True), ("bf16", True), ("fp32", False)])
def test_float32_is_exact_on_a_gpu_where_it_is_asked_for(
    precision: str, rounded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "empty", lambda *size, device: None)  # no GPU is needed to choose one
    chosen = choose_device("cuda", precision)
    assert chosen.precision == ("bf16" if precision == "auto" else precision)
    assert tf32() == [rounded, rounded]


def test_a_cpu_leaves_the_flags_of_gpus_alone() -> None:
    before = tf32()
    choose_device("cpu", "bf16")
    assert tf32() == before
