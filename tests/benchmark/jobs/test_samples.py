"""What packs of int16 samples cost, measured on real recordings: the figures of docs/packs.md (print them with -s)."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmark.jobs.pack import Samples
from benchmark.jobs.packing import make_pack, open_pack
from benchmark.progress import Progress
from registry.encoders import Encoder
from registry.frontends import Frontend, make_frontend
from registry.lookup import ENCODERS, FRONTENDS
from registry.settings import Settings
from registry.tasks.esc50 import Esc50

CLIPS = 100
ABOVE_8_KHZ = 9  # of the 64 bands of panns, those whose lower edge lies there


def waves(data: Path, rate: int, folder: Path, samples: Samples) -> Tensor:
    """Every twentieth clip of ESC-50 ``[N, T]``, of a copy at 16 kHz."""
    task = Esc50(Settings())
    folder.mkdir(parents=True)
    made = make_pack(task, task.clips(data)[::20], rate, folder, Progress(), samples=samples)
    (folder / "result.json").write_text(made.model_dump_json())
    return open_pack(folder).recordings.windows(torch.arange(CLIPS), 5 * rate)[0]


@torch.no_grad()
def apart(frontend: Frontend, one_NT: Tensor, exact_NT: Tensor) -> tuple[Tensor, Tensor]:
    """How far bands are from the exact ones, in dB by clip ``[N, F]``, and a CNN14's embeddings, relative ``[N]``."""
    torch.manual_seed(0)
    choice = ENCODERS.choose({"name": "cnn14", "width": 8})
    encoder: Encoder = ENCODERS.find("cnn14")(choice.settings, 1, frontend.bins).eval()
    mel_NFT, exact_NFT = (torch.cat([frontend(x)[:, 0] for x in w.split(10)]) for w in (one_NT, exact_NT))
    z_ND, exact_ND = (torch.cat([encoder.embed(x[:, None]) for x in m.split(10)]) for m in (mel_NFT, exact_NFT))
    return (mel_NFT - exact_NFT).abs().mean(2), (z_ND - exact_ND).norm(dim=1) / exact_ND.norm(dim=1)


def told(x_N: Tensor) -> str:
    return f"{x_N.median():.2g} ({x_N.min():.2g} to {x_N.max():.2g})"


@pytest.mark.real
@pytest.mark.slow
def test_integers_cost_most_where_bands_are_empty(data: Path, tmp_path: Path) -> None:
    bands_NF, embeddings_N = {}, {}
    for name in ("panns", "panns-16k"):
        frontend = make_frontend(FRONTENDS.choose(name))
        rate = frontend.sample_rate
        one_NT, exact_NT = (waves(data, rate, tmp_path / name / kind, kind) for kind in ("int16", "float32"))
        bands_NF[name], embeddings_N[name] = apart(frontend, one_NT, exact_NT)
        whole_N = exact_NT.abs().amax(1) <= 1
        for group, of_N in (("all clips", whole_N | True), ("within full scale", whole_N)):
            low_N = bands_NF[name][of_N, :-ABOVE_8_KHZ].mean(1)
            high_N = bands_NF[name][of_N, -ABOVE_8_KHZ:].mean(1)
            print(f"\n{name}, {group} ({of_N.sum()}): top {ABOVE_8_KHZ} bands {told(high_N)} dB,")
            print(f"    the others {told(low_N)} dB, embeddings {told(embeddings_N[name][of_N])}")
    assert bands_NF["panns"][:, -ABOVE_8_KHZ:].mean(1).median() > 3
    assert bands_NF["panns"][:, :-ABOVE_8_KHZ].mean(1).median() < 0.1
    assert bands_NF["panns-16k"].mean(1).median() < 0.1
    assert embeddings_N["panns"].median() > 20 * embeddings_N["panns-16k"].median()
