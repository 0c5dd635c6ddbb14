"""What is measured, part by part. Each part has a process of its own: one that fails takes nothing else with it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

import benchmark.jobs.feed
from benchmark.jobs.embedding import ClipEmbeddings
from benchmark.jobs.feed import Feed
from benchmark.jobs.model import build_views
from benchmark.progress import Progress
from registry.lookup import AUGMENTATIONS, FRONTENDS
from registry.protocols import Labels, Model, Split, Subject
from registry.protocols.finetune import Finetune
from registry.views import Views
from tests.speed_gpu.bench import (
    RESNET50,
    SMALL_NET,
    Bench,
    Pass,
    Row,
    Settings,
    Training,
    bare,
    flops_of,
    fresh,
    made,
    named,
    tidy,
)
from tests.speed_gpu.real import real_moco, real_npid

# Lin 2022 as suites/esc50.yaml has it, and Wang 2021 as suites/wang2021/table-4.yaml has it.
LOGMEL = {
    "name": "logmel",
    "sample_rate": 44100,
    "n_fft": 2048,
    "win_length": 1764,
    "hop_length": 441,
    "n_mels": 128,
    "fmax": 22050,
}
CHAIN: list[Any] = [
    "time-reversal",
    {"name": "pad", "samples": 8820},
    {"name": "crop", "samples": 132300},
    {"name": "pitch-shift", "semitones": 4},
    {"name": "frequency-mask", "count": 1, "width": 16},
    {"name": "time-mask", "count": 1, "width": 40},
]
RESNET18 = {"name": "timm", "model": "resnet18", "in_channels": 1}
SMALL_LOGMEL = {"name": "logmel", "hop_length": 320}
SMALL_FORMATS = {
    "name": "multiformat",
    "branches": {
        "waveform": {"frontend": "waveform", "encoder": {"name": "conv320", "width": 16}},
        "logmel": {"frontend": SMALL_LOGMEL, "encoder": SMALL_NET},
    },
}
FSD50K, AUDIOSET, ESC50 = 40_966, 2_041_789, 2_000  # clips: FSD50K's dev part, AudioSet's unbalanced part
LARGEST = 32_768  # Wang 2021's batch
_BATCHES = 8  # that are embedded


@dataclass(frozen=True)
class Part:
    """A part.

    Args:
        name: of the part.
        measure: yields its rows.
        least: seconds without which it is not begun.
        most: seconds after which it is stopped.
        share: of the seconds that are left, it may have these.
    """

    name: str
    measure: Callable[[Bench], Iterator[Row]]
    least: float
    most: float
    share: float = 1.0


def matrix(bench: Bench) -> Iterator[Row]:
    """The rate of one large matrix product in the precision of the encoders: what shares are shares of."""
    size = 256 if bench.small else 8192
    dtype = torch.bfloat16 if bench.device.precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=bench.device.device, dtype=dtype) for _ in range(2))
    seconds = bench.by_turns(lambda: a @ b)[0]
    yield Row(f"a matrix product, {size} x {size} in {dtype}", 1 / seconds, 2 * size**3 / seconds, note="its own rate")


def feeding(bench: Bench) -> Iterator[Row]:
    """Batches alone, from the device's memory and from the host's: no net."""
    crop, rate, batch = (0.5, 16000, 8) if bench.small else (3.0, 44100, 256)
    feed = Feed(made(4 * batch, crop + 2, rate), int(crop * rate), 2, batch, 0, bench.device.device)
    for where, share in (("resident", 1), ("streamed", 10**12)):
        benchmark.jobs.feed._SHARE = share
        batches = feed.batches(0, 10**6)
        seconds = bench.by_turns(lambda: next(batches))[0]  # noqa: B023 # it is called at once
        note = f"{batch * 2 * int(crop * rate) * 2 / seconds / 1e9:.3g} GB of int16 a second"
        yield Row(f"batches of {batch} x 2 windows of {crop} s, {where}, without a net", batch / seconds, note=note)
        batches.close()


def _trained(bench: Bench, work: str, training: Training, passes: list[Pass], full: tuple[str, int]) -> Row:
    """A row of a training beside the bare net's passes; ``full`` is the source's schedule: in words, and its clips."""
    ratio: float | None = None
    note, beside = "", bare(bench.device, passes)
    try:
        seconds, ratio = bench.by_turns(training.step, beside)
    except torch.OutOfMemoryError:
        note = "the bare net does not fit beside it"
    if ratio is None:  # outside of the handler, whose error holds the tensors
        tidy()
        seconds = bench.by_turns(training.step)[0]
    schedule, clips = full
    rate = training.batch / seconds
    return Row(work, rate, flops_of(training.step) / seconds, ratio, schedule, clips / rate / 3600, note)


def moco(bench: Bench) -> Iterator[Row]:
    """MoCo with ESResNet-50, with the suite's augmentation and without, and without its groups of batch norms."""
    frontend, net, batch = (SMALL_LOGMEL, SMALL_NET, 16) if bench.small else (LOGMEL, RESNET50, 256)
    crop = 1.0 if bench.small else 3.0
    full = "200 epochs of FSD50K dev (Lin 2022)", 200 * FSD50K
    plans: list[tuple[str, list[Any], int]] = [
        ("the suite's augmentation", ["time-reversal"] if bench.small else CHAIN, 8),
        ("no augmentation", [], 8),
        ("no augmentation, one group", [], 1),
    ]
    for told, augment, groups in plans:
        method = {"name": "moco", "norm_groups": groups, **({"queue_size": 64} if bench.small else {})}
        training = Training(bench, method, net, frontend, crop, batch, augment)
        x, bare_net = training.ready(), fresh(net, training.method.views.frontend, bench.device)
        passes = [Pass(bare_net, x, groups=groups), Pass(bare_net, x, learns=False, groups=groups)]
        yield _trained(bench, f"MoCo, {named(net)}, batch {batch}, {told}", training, passes, full)
        del training, passes, x, bare_net
        tidy()


def simclr(bench: Bench) -> Iterator[Row]:
    """SimCLR with a ResNet-18."""
    net, batch = (SMALL_NET, 16) if bench.small else (RESNET18, 256)
    training = Training(bench, {"name": "simclr"}, net, {"name": "logmel"}, 1.0, batch)
    x, bare_net = training.ready(), fresh(net, training.method.views.frontend, bench.device)
    full = "100 epochs of FSD50K dev", 100 * FSD50K
    work = f"SimCLR, {named(net)}, batch {batch}, windows of 1 s"
    yield _trained(bench, work, training, [Pass(bare_net, x), Pass(bare_net, x)], full)


def multiformat(bench: Bench) -> Iterator[Row]:
    """CNN14 beside Res1dNet-31 at the largest batch that fits, found by doubling; nothing is cached."""
    training = _formats(bench, 16 if bench.small else 128)
    batch = training.batch if bench.small else _largest(bench, training)
    training.take(batch)
    names = ("waveform", "logmel")
    wave_B1T = training.ready()
    encoder: Any = training.method.encoder
    passes = []
    for name in names:
        views, net = encoder.branch(name)
        with torch.no_grad():
            passes.append(Pass(net, views(wave_B1T.squeeze(1))))
    full = "400,000 steps of 1,024 (Wang 2021, the tables of one change)", 400_000 * 1024
    largest = "" if bench.small else ", the largest power of two that fits"
    work = f"multi-format, {named(training.encoder_settings)}, batch {batch}{largest}"
    yield _trained(bench, work, training, passes, full)


def chunked(bench: Bench) -> Iterator[Row]:
    """The same at Wang 2021's batch, gradients cached: the largest that fits, up to 32,768."""
    batch, chunk = (16, 8) if bench.small else (LARGEST, 512)
    training = _formats(bench, batch, chunk)
    done = False
    while not done:
        try:
            training.step()
            done = True
        except torch.OutOfMemoryError:
            if batch <= 2 * chunk:
                raise
        if not done:  # outside of the handler, whose error holds the tensors
            tidy()
            batch //= 2
            training.take(batch)
    seconds = bench.seconds(training.step)
    full = "700,000 steps of 32,768 (Wang 2021, the final model)", 700_000 * LARGEST
    note = "" if bench.small or batch == LARGEST else f"{LARGEST:,} does not fit"
    flops = None if bench.left() < 2 * seconds else flops_of(training.step) / seconds
    work = f"multi-format, {named(training.encoder_settings)}, batch {batch:,}, in chunks of {chunk}"
    rate = batch / seconds
    yield Row(work, rate, flops, None, full[0], full[1] / rate / 3600, note)


def _formats(bench: Bench, batch: int, chunk: int | None = None) -> Training:
    net: Settings = SMALL_FORMATS if bench.small else {"name": "multiformat"}
    masks = [
        {"name": "frequency-shift", "bins": 40},
        {"name": "frequency-mask", "width": 16, "count": 1},
        {"name": "time-mask", "width": 40, "count": 1},
    ]
    method = {"name": "multiformat", "dim": 1024, "augment": {"logmel": masks}}
    crop, clips = (1.0, 32) if bench.small else (3.0, 2 * LARGEST)
    mix = {"name": "mix", "alpha": 5.0, "beta": 2.0}
    return Training(bench, method, net, {"name": "waveform"}, crop, batch, [mix], chunk, clips)


def _largest(bench: Bench, training: Training) -> int:
    """Doubles the batch until the memory does not suffice: the largest with which two steps were done.

    Raises:
        torch.OutOfMemoryError: if not even the first batch fits.
    """
    fits = 0
    while training.batch <= LARGEST and bench.left() > 30:
        try:
            training.step()
            training.step()
            fits = training.batch
        except torch.OutOfMemoryError:
            if not fits:
                raise
        tidy()  # outside of the handler, whose error holds the tensors
        if fits < training.batch:
            break
        training.take(2 * training.batch)
    return fits


def finetune(bench: Bench) -> Iterator[Row]:
    """Fine-tuning: two further epochs of a fold with few test clips."""
    frontend, net, batch, steps = (SMALL_LOGMEL, SMALL_NET, 8, 2) if bench.small else (LOGMEL, RESNET50, 64, 20)
    crop, device = 1.0 if bench.small else 3.0, bench.device
    augment = ["time-reversal"] if bench.small else CHAIN
    views = build_views(FRONTENDS.choose(frontend), [AUGMENTATIONS.choose(one) for one in augment]).to(device.device)
    rate, clips = views.frontend.sample_rate, batch * steps + 2
    model = Model(lambda: fresh(net, views.frontend, device), views, Views(views.frontend), int(crop * rate))
    subject = Subject(None, made(clips, crop + 2, rate), device.device, device.autocast, model)
    fold_N = torch.where(torch.arange(clips) < 2, 1, 2)
    split = Split(Labels(torch.arange(clips) % 2, fold_N, torch.arange(clips), 2))

    def epochs(count: int) -> None:
        config = Finetune.Config(epochs=count, batch_size=batch)
        Finetune(config).evaluate(subject, split, [1], 0, lambda *told: None)

    epochs(1)  # which loads what it needs
    seconds = (bench.seconds(lambda: epochs(3)) - bench.seconds(lambda: epochs(1))) / 2 / steps
    with torch.no_grad():
        wave_BT = torch.randn(batch, int(crop * rate), device=device.device) / 8
        x: Tensor = views.frontend(wave_BT).contiguous(memory_format=torch.channels_last)
    alone = bare(device, [Pass(fresh(net, views.frontend, device), x)])
    per_second = batch / seconds
    yield Row(
        f"fine-tuning, {named(net)}, batch {batch}, the suite's augmentation",
        per_second,
        flops_of(alone) / seconds,
        seconds / bench.by_turns(alone)[0],
        "30 epochs of 5 folds of ESC-50, without evaluation",
        30 * 5 * ESC50 * 0.8 / per_second / 3600,
        "operations are those of the net alone",
    )


def embedding(bench: Bench) -> Iterator[Row]:
    """Embedding whole clips."""
    plans: list[tuple[Settings, Settings, float, str, int]] = [
        ({"name": "cnn14"}, {"name": "panns"}, 10.0, "AudioSet, 10 s each", AUDIOSET),
        (RESNET18, {"name": "logmel"}, 5.0, "ESC-50, 5 s each", ESC50),
    ]
    if bench.small:
        plans = [(SMALL_NET, SMALL_LOGMEL, 1.0, "ESC-50, 5 s each", ESC50)]
    for net, frontend, seconds, schedule, total in plans:
        views = build_views(FRONTENDS.choose(frontend)).to(bench.device.device)
        encoder, rate = fresh(net, views.frontend, bench.device), views.frontend.sample_rate
        batch = made(1, seconds, rate).clips_at_once(bench.device.device, 8)
        heard = made(_BATCHES * batch, seconds, rate)
        names = [str(clip) for clip in range(len(heard))]
        ours = ClipEmbeddings(views, encoder, heard, names, "whole", bench.device, Progress())
        with torch.no_grad():
            wave_BT = heard.windows(torch.arange(batch), int(seconds * rate))[0]
            x = views(wave_BT.to(bench.device.device))
        encoder.eval()
        alone = bare(bench.device, [Pass(encoder, x, learns=False)])
        taken, ratio = bench.by_turns(ours.in_memory, lambda: [alone() for _ in range(_BATCHES)])  # noqa: B023
        work = f"embedding, {named(net)}, whole clips of {seconds:g} s, {batch} at once"
        flops = flops_of(alone) * _BATCHES / taken
        yield Row(work, len(heard) / taken, flops, ratio, schedule, total * taken / len(heard) / 3600)


def tests(bench: Bench) -> Iterator[Row]:
    """The tests that need a GPU, in processes of their own."""
    if bench.small:
        return
    several = ["-n", "4"] if find_spec("xdist") else []
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--tb=line", *several, "tests/registry/test_gpu.py"]
    began = time.monotonic()
    left = bench.left() - 5
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=left)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"not done in {left:.0f} s; until then: {str(late.stdout)[-250:]}") from None
    if done.returncode:
        print(done.stdout, flush=True)
        told = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        raise AssertionError(f"pytest ended with {done.returncode}: {'; '.join(told) or done.stdout[-300:]}")
    yield Row("the GPU's tests", 0.0, note=f"none failed, in {time.monotonic() - began:.0f} s")


PARTS = (
    Part("matrix", matrix, 5, 15),
    Part("tests", tests, 60, 150),
    Part("moco", moco, 30, 75),
    Part("simclr", simclr, 15, 30),
    Part("multiformat", multiformat, 40, 90),
    Part("chunked", chunked, 40, 90),
    Part("finetune", finetune, 20, 45),
    Part("embedding", embedding, 20, 45),
    Part("feeding", feeding, 15, 30),
    Part("real-moco", real_moco, 40, 300, 0.55),
    Part("real-npid", real_npid, 30, 300),
)
