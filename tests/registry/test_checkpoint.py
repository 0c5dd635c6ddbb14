"""Published checkpoints of PANNs, as files of the same names and shapes: what loads, and what is refused and why."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmark.jobs.model import build_encoder, build_views
from registry.checkpoint import Opened, open_checkpoint
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend
from registry.lookup import ENCODERS, FRONTENDS
from registry.weights.checkpoint import Checkpoint
from registry.weights.imagenet import ImageNet

State = dict[str, Tensor]
CLASSES = 527


def norm(name: str, size: int) -> State:
    shapes = {"weight": (size,), "bias": (size,), "running_mean": (size,), "running_var": (size,)}
    return {f"{name}.{key}": torch.rand(shape) for key, shape in shapes.items()} | {
        f"{name}.num_batches_tracked": torch.tensor(7)
    }


def block(name: str, size_in: int, size: int, kernel: int = 3, ndim: int = 2) -> State:
    kernels = (kernel,) * ndim
    state = {f"{name}.conv1.weight": torch.rand(size, size_in, *kernels)} | norm(f"{name}.bn1", size)
    if kernel == 3:
        state |= {f"{name}.conv2.weight": torch.rand(size, size, *kernels)} | norm(f"{name}.bn2", size)
    return state


def front_and_head(dim: int, has_logmel: bool) -> State:
    fft = 1024
    mel = librosa.filters.mel(sr=32000, n_fft=fft, n_mels=64, fmin=50, fmax=14000)
    front = {
        "spectrogram_extractor.stft.conv_real.weight": torch.rand(fft // 2 + 1, 1, fft),
        "spectrogram_extractor.stft.conv_imag.weight": torch.rand(fft // 2 + 1, 1, fft),
        "logmel_extractor.melW": torch.from_numpy(mel.T.copy()),
    }
    return (front if has_logmel else {}) | {
        "fc1.weight": torch.rand(dim, dim),
        "fc1.bias": torch.rand(dim),
        "fc_audioset.weight": torch.rand(CLASSES, dim),
        "fc_audioset.bias": torch.rand(CLASSES),
    }


def cnn(sizes: list[int], kernel: int = 3) -> State:
    state = norm("bn0", 64)
    for i, (size_in, size) in enumerate(zip([1, *sizes], sizes, strict=False), 1):
        state |= block(f"conv_block{i}", size_in, size, kernel)
    return state


def resnet22(w: int) -> State:
    state = norm("bn0", 64) | block("conv_block1", 1, w) | block("conv_block_after1", 8 * w, 32 * w)
    size_in = w
    for layer, size in enumerate([w, 2 * w, 4 * w, 8 * w], 1):
        state |= block(f"resnet.layer{layer}.0", size_in, size) | block(f"resnet.layer{layer}.1", size, size)
        if layer > 1:  # a pooling stands first in the shortcut
            state |= {f"resnet.layer{layer}.0.downsample.1.weight": torch.rand(size, size_in, 1, 1)}
            state |= norm(f"resnet.layer{layer}.0.downsample.2", size)
        size_in = size
    return state


def res1dnet31(w: int) -> State:
    state = {"conv0.weight": torch.rand(w, 1, 11)} | norm("bn0", w)
    size_in = w
    for layer, size in enumerate([w, 2 * w, 4 * w, 8 * w, 16 * w, 16 * w, 32 * w], 1):
        blocks = [block(f"resnet.layer{layer}.{i}", size if i else size_in, size, ndim=1) for i in range(2)]
        state |= blocks[0] | blocks[1]
        if layer > 1:
            state |= {f"resnet.layer{layer}.0.downsample.1.weight": torch.rand(size, size_in, 1)}
            state |= norm(f"resnet.layer{layer}.0.downsample.2", size)
        size_in = size
    return state


def wavegram(w: int, second: int) -> State:
    state = {"pre_conv0.weight": torch.rand(w, 1, 11)} | norm("pre_bn0", w)
    for i, (size_in, size) in enumerate([(w, w), (w, 2 * w), (2 * w, 128)], 1):
        state |= block(f"pre_block{i}", size_in, size, ndim=1)
    state |= block("pre_block4", 4, w) | cnn([w, 2 * w, 4 * w, 8 * w, 16 * w, 32 * w])
    return state | {"conv_block2.conv1.weight": torch.rand(2 * w, second, 3, 3)}


PUBLISHED: dict[str, Callable[[int], State]] = {
    "cnn6": lambda w: cnn([w, 2 * w, 4 * w, 8 * w], kernel=5),
    "cnn10": lambda w: cnn([w, 2 * w, 4 * w, 8 * w]),
    "cnn14": lambda w: cnn([w, 2 * w, 4 * w, 8 * w, 16 * w, 32 * w]),
    "resnet22": resnet22,
    "res1dnet31": res1dnet31,
    "wavegram-cnn14": lambda w: wavegram(w, w),
    "wavegram-logmel-cnn14": lambda w: wavegram(w, 2 * w),
}


def make(name: str, frontend: str = "panns", **settings: object) -> tuple[Encoder, Frontend]:
    choice = ENCODERS.choose({"name": name, "width": 2, **settings})
    waveform = name.startswith(("res1d", "wavegram"))
    fed = {"name": "waveform", "sample_rate": 32000} if waveform else {"name": frontend}
    views = build_views(FRONTENDS.choose(fed))
    return build_encoder(choice, views.frontend), views.frontend


def write(name: str, path: Path, change: Callable[[State], object] = lambda state: None) -> Path:
    has_logmel = name not in ("res1dnet31", "wavegram-cnn14")
    state = PUBLISHED[name](2) | front_and_head(16 if name in ("cnn6", "cnn10") else 64, has_logmel)
    change(state)
    torch.save({"iteration": 600000, "model": state}, path)
    return path


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_checkpoint_fills_every_weight(name: str, hidden: bool, tmp_path: Path) -> None:
    path = write(name, tmp_path / "published.pth")
    encoder, frontend = make(name, fc1=hidden)
    Checkpoint.load(encoder, frontend, {}, path)
    published = torch.load(path, weights_only=True)["model"]
    for key, tensor in encoder.state_dict().items():
        if not key.startswith("logmel."):  # of the front end inside
            assert torch.equal(tensor, published[key]), key
    assert ("fc1.weight" in encoder.state_dict()) == hidden


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (lambda state: state.pop("conv_block3.bn1.weight"), "missing conv_block3.bn1.weight"),
        (lambda state: state.update({"conv_block9.bn1.weight": torch.rand(3)}), "surplus conv_block9.bn1.weight"),
        (lambda state: state.update({"bn0.weight": torch.rand(80)}), r"bn0.weight is \[80\], not \[64\]"),
        (lambda state: state["logmel_extractor.melW"].mul_(2), "mel matrix is another"),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[State], object], answer: str, tmp_path: Path) -> None:
    encoder, frontend = make("cnn10")
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    with pytest.raises(Mistake, match=answer):
        Checkpoint.load(encoder, frontend, {}, write("cnn10", tmp_path / "published.pth", change))
    assert all(torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items())


def test_another_front_end_than_the_checkpoints_is_refused(tmp_path: Path) -> None:
    for reference, answer in (
        ("panns-16k", r"mel matrix is another: \[513, 64\] against \[257, 64\]"),
        ({"name": "panns", "fmax": 16000.0}, "mel matrix is another"),
        ({"name": "panns", "normalise": "clip"}, "without normalisation"),
        ({"name": "spectrogram", "n_fft": 512, "bands": 4}, "the front end is none"),
    ):
        encoder, _ = make("cnn10")
        frontend = build_views(FRONTENDS.choose(reference)).frontend
        with pytest.raises(Mistake, match=answer) as caught:
            Checkpoint.load(encoder, frontend, {}, write("cnn10", tmp_path / "published.pth"))
        assert "panns-16k" in caught.value.fix


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("a pickle ran",))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    encoder, frontend = make("cnn10")
    with pytest.raises(Mistake, match="no readable weights"):
        Checkpoint.load(encoder, frontend, {}, tmp_path / "evil.pth")
    assert "a pickle ran" not in capsys.readouterr().out


def test_an_encoder_without_published_weights_says_so(tmp_path: Path) -> None:
    frontend = build_views(FRONTENDS.choose("waveform")).frontend
    conv = build_encoder(ENCODERS.choose({"name": "conv160", "width": 2}), frontend)
    with pytest.raises(Mistake, match="reads no checkpoints but its own"):
        Checkpoint.load(conv, frontend, {}, write("cnn10", tmp_path / "published.pth"))


def opened(path: Path, content: object) -> Opened:
    torch.save(content, path)
    return open_checkpoint(path, *make("cnn6"))


def own_state() -> State:
    return make("cnn6")[0].state_dict()


def under(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("wrap", "notes"),
    [
        (lambda s: s, ()),
        (lambda s: {"model": under("module.", s)}, ("the container 'model'", "'module.' before every name")),
        (lambda s: {"model": under("_orig_mod.", s)}, ("the container 'model'", "'_orig_mod.' before every name")),
        (lambda s: under("module._orig_mod.encoder.", s), ("'module._orig_mod.encoder.' before every name",)),
        (lambda s: {"model_state_dict": s, "epoch": 3}, ("the container 'model_state_dict'",)),
        (lambda s: {"state_dict": {"model": s}}, ("the container 'state_dict'", "the container 'model'")),
        (lambda s: {"net": s, "epoch": 3, "optimizer": {"state": {0: {}}}}, ("the container 'net'",)),
        (
            lambda s: {
                "state_dict": under("model.", s) | {"head.weight": s["bn0.bias"]},
                "pytorch-lightning_version": "2",
            },
            ("the container 'state_dict'", "'model.' before every name", "1 tensors beside them left out"),
        ),
        (
            lambda s: {name: tensor for name, tensor in s.items() if "num_batches" not in name},
            ("counts of batches, which it lacks, set to 0",),
        ),
        (
            lambda s: {"iteration": 1, "model": s, "sampler": {"indexes": np.arange(3), "rate": np.float64(2)}},
            ("the container 'model'",),
        ),
    ],
    ids=range(10),
)
def test_containers_and_prefixes_are_opened_and_noted(
    wrap: Callable[[State], object], notes: tuple[str, ...], tmp_path: Path
) -> None:
    state = own_state()
    checkpoint = opened(tmp_path / "net.pth", wrap(state))
    assert checkpoint.notes == notes
    assert checkpoint.tensors.keys() == state.keys()
    for name, tensor in state.items():
        assert name.endswith("num_batches_tracked") or torch.equal(checkpoint.tensors[name], tensor)


def test_published_weights_are_found_in_a_container_and_behind_a_prefix(tmp_path: Path) -> None:
    published = PUBLISHED["cnn10"](2) | front_and_head(16, True)
    torch.save({"state_dict": under("module.", published)}, tmp_path / "net.pth")
    checkpoint = open_checkpoint(tmp_path / "net.pth", *make("cnn10"))
    assert torch.equal(checkpoint.tensors["bn0.weight"], published["bn0.weight"])


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (lambda s: {1: torch.zeros(1)}, "one is called 1"),
        (lambda s: [torch.zeros(1)], "but one list"),
        (lambda s: {}, "but nothing"),
        (lambda s: {"model": s, "state_dict": s}, "in several places: state_dict, model"),
        (lambda s: {"student": s, "teacher": s}, "in several places: student, teacher"),
        (lambda s: under("module.", s | {"conv_block5.conv1.weight": torch.zeros(2)}), "surplus conv_block5"),
        (lambda s: {"model": Evil()}, r"a pickle with code in it \((builtins.)?print\), which is not run"),
        (lambda s: torch.nn.Linear(2, 2), r"a pickle with code in it \(torch.nn.modules.linear.Linear\)"),
    ],
    ids=range(8),
)
def test_what_holds_no_weights_of_this_net_is_refused(
    content: Callable[[State], object], answer: str, tmp_path: Path
) -> None:
    with pytest.raises(Mistake, match=answer) as caught:
        opened(tmp_path / "net.pth", content(own_state()))
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"", "an empty file"),
        (b"hello\n", "a text"),
        ("zürich".encode() * 100, "a text"),
        (b'{"a": 1}', "a text"),
        (b"\n<!DOCTYPE html><html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n", "a pointer of Git LFS"),
        (b"RIFF\x10\0\0\0WAVE", "a recording"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (b"PK\x03\x04\0\0", "the end is missing"),
        (b"\0" * 100, "of no known format"),
        (b"\x80\x02}q\0.", "damaged, or of no known format"),
        (b"\x10\0\0\0\0\0\0\0{}", "damaged safetensors"),
    ],
    ids=range(12),
)
@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_what_is_no_weight_file_is_called_what_it_is(content: bytes, answer: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Mistake, match=f"no readable weights: .*{answer}") as caught:
        open_checkpoint(tmp_path / name, *make("cnn6"))
    assert caught.value.where == str(tmp_path / name)


def test_archives_are_told_apart(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pth", "w") as archive:
        archive.writestr("readme.txt", "weights")
    np.savez(tmp_path / "net.npz", weight=np.zeros(3))
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "net.pt")
    for name, answer in (("net.pth", "a zip archive"), ("net.npz", "numpy arrays"), ("net.pt", "TorchScript")):
        with pytest.raises(Mistake, match=answer):
            open_checkpoint(tmp_path / name, *make("cnn6"))


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (lambda s: s["conv_block1.conv1.weight"].view(-1)[0].fill_(float("nan")), "conv_block1.conv1.weight holds NaN"),
        (lambda s: s["bn0.weight"].fill_(float("inf")), "bn0.weight holds infinite values"),
        (lambda s: s["bn0.running_var"].fill_(-1), "bn0.running_var is below zero"),
        (lambda s: s["bn0.running_mean"][0].fill_(float("nan")), "bn0.running_mean holds NaN"),
        (lambda s: s.update({"bn0.weight": s["bn0.weight"].double() * 1e300}), "bn0.weight holds infinite values"),
        (lambda s: s.update({"bn0.weight": s["bn0.weight"].char()}), r"bn0.weight is of whole numbers \(int8\)"),
    ],
    ids=range(6),
)
def test_values_that_no_training_leaves_are_named(
    change: Callable[[State], object], answer: str, tmp_path: Path
) -> None:
    state = own_state()
    change(state)
    with pytest.raises(Mistake, match=answer):
        opened(tmp_path / "net.pth", state)
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(Mistake, match=answer):
        open_checkpoint(tmp_path / "net.safetensors", *make("cnn6"))


def test_imagenet_files_are_judged_too(tmp_path: Path) -> None:
    frontend = build_views(FRONTENDS.choose("panns")).frontend
    net = {"name": "timm", "model": "test_resnet", "in_channels": 1}
    encoder = build_encoder(ENCODERS.choose(net), frontend)
    state = {name.removeprefix("net."): tensor for name, tensor in encoder.state_dict().items()}
    variance = next(name for name in state if name.endswith("running_var"))
    state[variance].fill_(-1)
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(Mistake, match=f"{variance} is below zero"):
        ImageNet.load(encoder, frontend, {}, tmp_path / "net.safetensors")
    (tmp_path / "net.safetensors").write_text("<html>")
    with pytest.raises(Mistake, match="an HTML page"):
        ImageNet.load(encoder, frontend, {}, tmp_path / "net.safetensors")
