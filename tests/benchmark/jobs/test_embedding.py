"""Embeddings that are no numbers stop the job; statistics of whole clips."""

import numpy as np
import pytest
import torch

from benchmark.jobs.embedding import ClipEmbeddings
from benchmark.jobs.measuring import measure
from benchmark.jobs.model import build_encoder, build_views, choose_device
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.errors import Mistake
from registry.frontends import make_frontend
from registry.lookup import ENCODERS, FRONTENDS
from registry.seeding import seed_everything

NAMES = ["one.wav", "two.wav", "three.wav"]


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_an_embedding_that_is_not_finite_names_its_clip(wrong: float) -> None:
    views = build_views(FRONTENDS.choose({"name": "logmel", "n_mels": 16}))
    rate = 44100
    samples = np.random.default_rng(0).integers(-9000, 9000, 3 * rate).astype(np.int16)
    recordings = Recordings(samples, np.arange(4) * rate, rate)
    seed_everything(0, "weights")
    encoder = build_encoder(ENCODERS.choose({"name": "cnn6", "width": 2}), views.frontend)
    device = choose_device("cpu", "fp32")
    made = ClipEmbeddings(views, encoder, recordings, NAMES, rate, device, Progress()).in_memory()
    assert made.window_WD.isfinite().all()
    whole = encoder.embed

    def second_is_wrong(x_BCFN: torch.Tensor) -> torch.Tensor:
        z_BD = whole(x_BCFN).clone()
        z_BD[1, 3] = wrong
        return z_BD

    encoder.embed = second_is_wrong  # type: ignore[method-assign]
    with pytest.raises(Mistake, match=r"the embedding of two\.wav is not finite"):
        ClipEmbeddings(views, encoder, recordings, NAMES, rate, device, Progress()).in_memory()


def test_statistics_of_whole_clips_are_over_every_frame_that_they_have() -> None:
    reference = {"name": "logmel", "sample_rate": 8000, "fmax": 4000, "n_fft": 256, "win_length": 256, "n_mels": 16}
    frontend = make_frontend({**reference, "normalise": "dataset"})
    plain = make_frontend({**reference, "normalise": "none"})
    lengths = [4000, 50, 9000, 4000]  # 256-point frames, reflected at the edges, need 129 samples
    samples = np.random.default_rng(0).integers(-9000, 9000, sum(lengths)).astype(np.int16)
    recordings = Recordings(samples, np.concatenate([[0], np.cumsum(lengths)]), 8000)
    clips = torch.tensor([0, 1, 2])
    measured = measure(frontend, recordings, clips, "whole", torch.device("cpu"), Progress())
    padded = [recordings.windows(clips[i : i + 1], max(length, 129))[0] for i, length in enumerate(lengths[:3])]
    values = torch.cat([plain(wave_1T).double().flatten() for wave_1T in padded])
    assert measured["normalisation"] == pytest.approx((values.mean().item(), values.std(correction=0).item()), rel=1e-6)


def test_clips_as_long_as_a_window_are_embedded_to_the_same_bits_whole() -> None:
    views = build_views(FRONTENDS.choose({"name": "logmel", "sample_rate": 8000, "fmax": 4000, "n_mels": 16}))
    samples = np.random.default_rng(0).integers(-9000, 9000, 19 * 8000).astype(np.int16)
    recordings = Recordings(samples, np.arange(20) * 8000, 8000)
    seed_everything(0, "weights")
    encoder = build_encoder(ENCODERS.choose({"name": "cnn6", "width": 2}), views.frontend)
    given = views, encoder, recordings, [str(i) for i in range(19)]
    device = choose_device("cpu", "fp32")
    windows, whole = (ClipEmbeddings(*given, window, device, Progress()).in_memory() for window in (8000, "whole"))
    assert torch.equal(windows.window_WD, whole.window_WD)
    assert torch.equal(windows.clip_W, whole.clip_W)
