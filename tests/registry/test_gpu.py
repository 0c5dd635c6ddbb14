"""What the CPU computes, a GPU computes too."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from benchmark.jobs.model import choose_device
from registry.lookup import FRONTENDS
from tests.registry import test_a_minute_of_training as training
from tests.registry.test_encoders import build, fed_by, pairs, small
from tests.registry.test_methods import corpus

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions without TF32, whose ten bits would hide a mistake."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("name", FRONTENDS.names())
def test_a_front_end_gives_the_same_on_a_gpu(name: str) -> None:
    frontend = fed_by(name)
    wave_BT = torch.randn(3, 17_777)
    here = frontend(wave_BT)
    there = frontend.cuda()(wave_BT.cuda()).cpu()
    if name == "clar":  # a phase of pi is one of -pi
        here[:, 1], there[:, 1] = here[:, 1].cos(), there[:, 1].cos()
    # The logarithm of a bin that is nearly silent is that of rounding: one in ten thousand may differ.
    close = torch.isclose(there, here, atol=2e-2, rtol=1e-3)
    assert close.float().mean() > 0.9999
    assert (there - here).abs().max() < 1


@pytest.mark.parametrize(("name", "frontend"), [pair for pair in pairs() if pair[1] in ("waveform", "logmel", "clar")])
def test_an_encoder_gives_the_same_on_a_gpu_and_trains_there(name: str, frontend: str) -> None:
    fed = fed_by(frontend)
    encoder = build(small(name), fed.bins, fed.channels).eval()
    x = fed(torch.randn(3, 17_777))
    with torch.no_grad():
        here = encoder.embed(x)
        torch.testing.assert_close(encoder.cuda().embed(x.cuda()).cpu(), here, atol=1e-3, rtol=1e-3)
    with torch.autocast("cuda", torch.bfloat16):
        loss = encoder.train().embed(x.cuda()).float().square().sum()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", training.TRIALS)
def test_a_step_of_every_method_runs_on_a_gpu_in_half_precision_and_waits_for_nothing(name: str) -> None:
    device = choose_device("cuda", "bf16")
    method = training.build(name, corpus(64), device)
    method.autocast = device.autocast
    wave_BVT, index_B = torch.randn(32, method.windows, 16000).cuda() / 4, torch.arange(32).cuda()
    method.before_epoch()
    for step in range(2):
        if step == 0:  # in an epoch's first step DeepCluster clusters the corpus
            loss, _ = method(wave_BVT, index_B)
        else:
            with _waiting_is_an_error():
                loss, _ = method(wave_BVT, index_B)
        loss.backward()
        method.after_step()
        assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())
