"""Models to export, with weights that nothing has trained."""

from importlib.metadata import EntryPoint
from typing import Any

import torch

from benchmark.export.exported import Exported
from benchmark.jobs import embed
from benchmark.jobs.model import build_encoder, build_views, choose_device, place
from registry.lookup import ENCODERS, FRONTENDS
from registry.net import Net
from registry.seeding import seed_everything

CPU = choose_device("cpu", "fp32")
LOGMEL = {"name": "logmel", "sample_rate": 8000, "fmax": 4000, "n_fft": 256, "win_length": 256, "n_mels": 32}
CNN = {"name": "cnn10", "width": 2}
BRANCHES = {  # not in the order of their names
    "raw": {"frontend": {"name": "waveform"}, "encoder": {"name": "conv160", "width": 8}},
    "mels": {"frontend": "logmel", "encoder": {"name": "cnn10", "width": 2}},
}


BANK = EntryPoint("learned-bank", "tests.learned_bank", "audiobench.frontends")  # a front end that learns


def exported(
    encoder: Any,
    frontend: Any,
    statistics: dict[str, tuple[float, float]] | None = None,
    seconds: float = 0.5,
) -> Exported:
    """A model with random weights, in windows of some length."""
    encoding, input_of = ENCODERS.choose(encoder), FRONTENDS.choose(frontend)
    seed_everything(0, "weights")
    made = build_views(input_of, statistics=statistics).frontend
    window_samples = round(seconds * made.sample_rate)
    net = Net(made, place(build_encoder(encoding, made), CPU), window_samples)
    with torch.no_grad():
        for name, buffer in net.named_buffers():  # as training leaves them
            if name.endswith("running_mean"):
                buffer.uniform_(-0.1, 0.1)
    weights = embed.WeightsKey(kind="random", seed=0)
    config = embed.Config(encoder=encoding, frontend=input_of, weights=weights, window_samples=window_samples)
    return Exported("mine", net, config, "int16", "0123", None)


def waves(net: Net, batch: int = 2, seconds: float = 1.3) -> torch.Tensor:
    """Noise ``[B, T]`` at a net's rate, longer than its window."""
    generator = torch.Generator().manual_seed(1)
    return 0.2 * torch.randn(batch, round(seconds * net.sample_rate), generator=generator)
