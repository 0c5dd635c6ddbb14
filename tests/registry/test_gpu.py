"""What the CPU computes, a GPU computes too."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import benchmark.jobs.feed
from benchmark.jobs.embedding import ClipEmbeddings
from benchmark.jobs.feed import Feed
from benchmark.jobs.loop import _Run, pretrain
from benchmark.jobs.model import build_encoder, build_views, choose_device, place
from benchmark.progress import Progress
from benchmark.trackers import UNTRACKED
from registry.audio import Recordings
from registry.lookup import AUGMENTATIONS, ENCODERS, FRONTENDS, METHODS
from registry.ranks import ALONE
from registry.seeding import seed_everything
from registry.training import Pretraining
from registry.windows import Window
from tests.benchmark.jobs.test_loop import Interrupts
from tests.registry import test_a_minute_of_training as training
from tests.registry.test_encoders import build, fed_by, pairs, small
from tests.registry.test_methods import corpus

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

LENGTHS = [50_000, 400, 12_000, 16_000, 15_999, 3_000, 16_001, 90_000, 20_000, 16_000]  # samples


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    """Products without TF32, whose ten bits would hide a mistake."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    choose_device("cuda", "fp32")
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


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


def recordings(dtype: str) -> Recordings:
    """Clips longer and shorter than the windows, and clips of their length."""
    drawn = np.random.default_rng(0).integers(-32768, 32768, sum(LENGTHS))
    samples = drawn.astype(np.int16) if dtype == "int16" else (drawn / 30000).astype(np.float32)
    return Recordings(samples, np.concatenate([[0], np.cumsum(LENGTHS)]), 16000)


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("share", [1, 10**9])  # with the second nothing fits, and a thread cuts
def test_a_gpu_is_fed_with_what_a_cpu_cuts_to_the_bit(dtype: str, share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark.jobs.feed, "_SHARE", share)
    fed = {
        name: Feed(recordings(dtype), samples=16000, windows=2, batch=4, seed=3, device=torch.device(name))
        for name in ("cpu", "cuda")
    }
    there = [(wave.cpu(), index.cpu()) for wave, index in fed["cuda"].batches(1, 6)]
    for batch, expected in zip(there, fed["cpu"].batches(1, 6), strict=True):
        assert all(torch.equal(x, y) for x, y in zip(batch, expected, strict=True))


@pytest.mark.parametrize("name", training.TRIALS)
@pytest.mark.parametrize("share", [1, 10**9])
def test_a_step_of_every_method_runs_in_half_precision_and_waits_for_nothing(
    name: str, share: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark.jobs.feed, "_SHARE", share)
    device, known = choose_device("cuda", "bf16"), corpus(64)
    method = training.build(name, known, device)
    recipe = {"epochs": 4, **METHODS.find(name.split("/")[0]).recipe, "batch_size": 16, "learning_rate": 1e-3}
    budget = Pretraining.model_validate(recipe)
    run = _Run(method, budget, device, tmp_path / "checkpoint", UNTRACKED, lambda: None, ALONE)
    feed = Feed(known.recordings, 16000, method.windows, 16, 0, device.device)
    with closing(feed.batches(0, 4)) as batches:
        method.before_epoch()
        for step in range(4):
            seed_everything(0, "step", step)
            if step < 2:  # in an epoch's first step DeepCluster clusters the corpus; kernels are loaded in these two
                run.do_step(*next(batches), 1e-3)
            else:
                with _waiting_is_an_error():
                    run.do_step(*next(batches), 1e-3)
    assert all(total.isfinite() for total in run.sums.values())
    assert all(p.isfinite().all() for p in method.parameters())


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_an_augmentation_waits_for_nothing(name: str) -> None:
    augmentation = AUGMENTATIONS.choose(name).build()
    shape = (8, 20000) if augmentation.domain == "waveform" else (8, 1, 64, 101)
    x = torch.randn(*shape).cuda() / 4
    augmentation(x)
    with _waiting_is_an_error():
        changed = augmentation(x)
    assert changed.isfinite().all()


@pytest.mark.parametrize("name", FRONTENDS.names())
def test_a_front_end_waits_for_nothing(name: str) -> None:
    frontend, wave_BT = fed_by(name).cuda(), torch.randn(3, 17_777).cuda() / 4
    frontend(wave_BT)
    with _waiting_is_an_error():
        made = frontend(wave_BT)
    assert made.isfinite().all()


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "lars", "larc"])
def test_a_pretraining_goes_on_from_its_checkpoint(optimizer: str, tmp_path: Path) -> None:
    """The state of a fused optimiser is written and read."""

    def losses(folder: Path, progress: Progress) -> list[float]:
        device, known = choose_device("cuda", "fp32"), corpus(32)
        method = training.build("simclr", known, device)
        settings = {"epochs": 4, "batch_size": 16, "learning_rate": 1e-3, "optimizer": optimizer}
        checkpoint = folder / "checkpoint"
        folder.mkdir(exist_ok=True)
        budget = Pretraining.model_validate(settings)
        return [
            row["loss"]
            for row in pretrain(method, known.recordings, budget, 5000, 0, device, checkpoint, progress).epochs
        ]

    unbroken = losses(tmp_path / "unbroken", Progress())
    with pytest.raises(KeyboardInterrupt):
        losses(tmp_path / "broken", Interrupts(4))
    assert losses(tmp_path / "broken", Progress()) == pytest.approx(unbroken, rel=1e-3)


def test_embeddings_are_those_of_a_cpu() -> None:
    clips, made = recordings("int16"), []
    for name in ("cpu", "cuda"):
        device = choose_device(name, "fp32")
        torch.manual_seed(0)
        views = build_views(FRONTENDS.choose(training.LOGMEL))
        encoder = place(build_encoder(ENCODERS.choose(training.CNN10), views.frontend), device)
        views, names = views.to(device.device), [f"clip {i}" for i in range(len(clips))]
        windows: tuple[Window, ...] = (8000, "whole")
        made += [
            ClipEmbeddings(views, encoder, clips, names, window, device, Progress(), 8000).in_memory()
            for window in windows
        ]
    for here, there in zip(made[:2], made[2:], strict=True):
        assert torch.equal(here.clip_W, there.clip_W)
        torch.testing.assert_close(there.window_WD, here.window_WD, atol=1e-3, rtol=1e-3)
