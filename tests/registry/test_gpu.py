"""What the CPU computes, a GPU computes too."""

import pytest
import torch

from registry.lookup import names
from tests.registry.test_encoders import build, fed_by, pairs, small

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions without TF32, whose ten bits would hide a mistake."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("name", names("frontends"))
def test_a_front_end_gives_the_same_on_a_gpu(name: str) -> None:
    frontend = fed_by(name)
    wave_BT = torch.randn(3, 17_777)
    here = frontend(wave_BT)
    there = frontend.cuda()(wave_BT.cuda()).cpu()
    if name == "clar":  # a phase of pi is one of -pi
        here[:, 1], there[:, 1] = here[:, 1].cos(), there[:, 1].cos()
    torch.testing.assert_close(there, here, atol=2e-2, rtol=1e-3)


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
