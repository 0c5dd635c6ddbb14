"""Front ends against librosa, SciPy, torchaudio's Kaldi, PyWavelets and slow float64 forms."""

from typing import Any

import librosa
import numpy as np
import pytest
import pywt
import scipy
import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor
from torchaudio.compliance import kaldi
from torchaudio.functional import create_dct

from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.lookup import FRONTENDS

Settings = dict[str, Any]

MEL: Settings = {"sr": 16000, "n_fft": 512, "hop_length": 160, "n_mels": 64, "fmin": 50, "fmax": 8000}
PANNS = MEL | {"sr": 32000, "n_fft": 1024, "hop_length": 320, "fmax": 14000}
S2 = MEL | {"win_length": 320, "n_mels": 80}
ALL = FRONTENDS.names()
HZ_T = np.linspace(50, 5000, 8000)
CHIRP_T = torch.from_numpy(np.sin(2 * np.pi / 16000 * np.cumsum(HZ_T))).float()


def build(reference: str | Settings) -> Frontend:
    """As a suite names it; statistics, where it needs some, are these."""
    frontend = make_frontend(FRONTENDS.choose(reference))
    for normalisation in frontend.measured().values():
        normalisation.set(-5.0, 4.0)
    return frontend


def run(reference: str | Settings, wave_BT: Tensor) -> Any:
    return build(reference)(wave_BT).double().numpy()


def noise(batch: int, length: int) -> Tensor:
    return 0.3 * torch.randn(batch, length, generator=torch.Generator().manual_seed(0))


def mel_of(wave_BT: Tensor, power: int = 2, mel: str = "slaney", **settings: Any) -> Any:
    """librosa's mel spectrogram in float64."""
    settings |= {"power": power, "htk": mel == "htk", "norm": None if mel == "htk" else "slaney"}
    return librosa.feature.melspectrogram(y=wave_BT.double().numpy(), pad_mode="reflect", dtype=np.float64, **settings)


@pytest.mark.parametrize("mel", ["slaney", "htk"])
@pytest.mark.parametrize(("log", "power"), [("db", 2), ("db", 1), ("ln", 2), ("ln", 1)])
@pytest.mark.parametrize(("name", "theirs"), [("logmel", MEL), ("panns", PANNS), ("panns-16k", MEL), ("s2", S2)])
def test_log_mels_equal_librosas(name: str, theirs: Settings, log: str, power: int, mel: str) -> None:
    wave_BT = noise(2, 8001)
    wave_BT[1, 4000:] = 0  # down to the floor
    expected = np.maximum(mel_of(wave_BT, power, mel, **theirs), 1e-10)
    expected = np.log(expected) if log == "ln" else 20 / power * np.log10(expected)
    ours = run({"name": name, "normalise": "none", "log": log, "power": power, "mel": mel}, wave_BT)[:, 0]
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-3)


def test_mfcc_equals_the_transforms_of_librosa_and_torchaudio() -> None:
    wave_BT = noise(2, 8001)
    level_BFN = 10 * np.log10(np.maximum(mel_of(wave_BT, **MEL | {"n_mels": 80}), 1e-10))
    ours = run({"name": "mfcc", "normalise": "none"}, wave_BT)[:, 0]
    librosas = librosa.feature.mfcc(S=level_BFN, n_mfcc=13, dct_type=2, norm="ortho")
    for theirs in (librosas, create_dct(13, 80, "ortho").numpy().T @ level_BFN):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


def magnitude(wave_BT: Tensor, n_fft: int, hop: int, win: int, window: str) -> Any:
    """SciPy's short-time Fourier transform, whose scaling by the window's sum is undone."""
    left = (n_fft - win) // 2
    taps: Any = np.pad(scipy.signal.get_window(window, win, fftbins=True), (left, n_fft - win - left))
    framing: Settings = {"nperseg": n_fft, "noverlap": n_fft - hop, "boundary": "even", "padded": False}
    return np.abs(scipy.signal.stft(wave_BT.double().numpy(), window=taps, **framing)[2]) * taps.sum()


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("win", [512, 400])
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "blackman-harris", "boxcar"])
def test_spectrograms_equal_scipys(window: str, win: int, normalised: bool) -> None:
    wave_BT = noise(2, 8001)
    expected = magnitude(wave_BT, 512, 160, win, window.replace("-", "")) / (np.sqrt(512) if normalised else 1)
    settings: Settings = {"name": "spectrogram", "window": window, "win_length": win, "normalised": normalised}
    linear = run(settings | {"power": 1, "log": "none"}, wave_BT)[:, 0]
    np.testing.assert_allclose(linear, expected, rtol=0, atol=1e-6 * expected.max())
    level = run(settings, wave_BT)[:, 0]
    # Float32's errors are relative to the loudest bin, and noise leaves some 70 dB below it.
    np.testing.assert_allclose(level, 20 * np.log10(expected), rtol=0, atol=0.05)
    np.testing.assert_allclose(run(settings | {"power": 1}, wave_BT)[:, 0], level, rtol=0, atol=1e-4)


def test_esresnet_has_three_bands_of_16_bit_power_lowest_first() -> None:
    wave_BT = noise(1, 5 * 44100)
    ours = run("esresnet", wave_BT)
    assert ours.shape == (1, 3, 341, 394)
    expected = magnitude(wave_BT * 32768, 2048, 561, 1654, "blackmanharris")[0] / np.sqrt(2048)
    np.testing.assert_allclose(ours[0].reshape(1023, 394), 20 * np.log10(expected[:1023]), rtol=0, atol=0.05)
    np.testing.assert_allclose(run("esresnet", torch.zeros(1, 44100)), -180, rtol=1e-6)


def test_ast_equals_kaldis_filter_bank() -> None:
    wave_BT = noise(2, 16001)
    wave_BT[1] = 0.2 + 0.01 * torch.sin(0.3 * torch.arange(16001)) + 0.003 * wave_BT[1]
    settings: Settings = {"htk_compat": True, "sample_frequency": 16000, "use_energy": False, "window_type": "hanning"}
    settings |= {"num_mel_bins": 128, "dither": 0.0, "frame_shift": 10}
    banks = torch.stack([kaldi.fbank((wave_T - wave_T.mean()).unsqueeze(0), **settings).T for wave_T in wave_BT])
    np.testing.assert_allclose(run("ast", wave_BT)[:, 0], (banks + 4.2677393) / (2 * 4.5689974), rtol=0, atol=1e-5)


def slow_cola(wave_T: Any) -> Any:
    """As TensorFlow has it: ``tf.signal.stft`` and ``tf.signal.linear_to_mel_weight_matrix``."""
    wave_T = wave_T / np.sqrt(np.sum(wave_T**2))
    hann_T = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames_NT = np.stack([wave_T[i : i + 400] * hann_T for i in range(0, len(wave_T) - 399, 160)])
    edges = np.linspace(np.log1p(60 / 700), np.log1p(7800 / 700), 66)  # in mel / 1127
    bins = np.log1p(np.linspace(0, 8000, 513)[1:, None] / 700)
    rise, fall = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    filters_KF = np.pad(np.maximum(0, np.minimum(rise, fall)), ((1, 0), (0, 0)))  # nothing of the constant part
    return np.log(np.maximum(np.abs(np.fft.rfft(frames_NT, 1024)) @ filters_KF, 1e-5)).T


def test_cola_equals_tensorflows_definition_in_float64() -> None:
    wave_BT = noise(2, 16000)
    wave_BT[1] = 0.5 + 0.1 * torch.sin(0.1 * torch.arange(16000))  # a constant part, and bands at the floor
    expected = np.stack([slow_cola(wave_T) for wave_T in wave_BT.double().numpy()])
    ours = run("cola", wave_BT)[:, 0]
    np.testing.assert_allclose(ours[0], expected[0], rtol=0, atol=1e-4)
    # The sine's quiet bands, 100 dB below its loud ones, feel float32's rounding.
    np.testing.assert_allclose(ours[1], expected[1], rtol=0, atol=0.02)


def test_byol_a_adds_its_epsilon_and_normalises_by_measured_statistics() -> None:
    wave_BT = noise(2, 16000)
    wave_BT[1] *= 1e-3  # near the epsilon
    mel_BFN = mel_of(wave_BT, **MEL | {"n_fft": 1024, "fmin": 60, "fmax": 7800})
    expected = np.log(mel_BFN + np.finfo(np.float32).eps)
    assert abs(expected - np.log(mel_BFN)).max() > 0.1  # the epsilon is heard
    frontend = make_frontend(FRONTENDS.choose("byol-a"))
    with pytest.raises(Mistake, match="needs statistics"):
        frontend(wave_BT)
    frontend.normalisation.set(-7.5, 2.5)
    np.testing.assert_allclose(frontend(wave_BT)[:, 0].numpy(), (expected + 7.5) / 2.5, rtol=0, atol=1e-4)


def test_clar_equals_a_slow_transform_and_librosas_log_mel() -> None:
    wave_BT, frame, hz_F = noise(1, 8001), 30, 40 * 200 ** (np.arange(128) / 128)
    ours = run("clar", wave_BT)[0]
    piece_T = wave_BT[0].double().numpy()[frame * 128 - 1024 : frame * 128 + 1024]
    turns_FT = hz_F[:, None] * np.arange(2048) / 16000
    slow_F = np.exp(-2j * np.pi * turns_FT) @ (piece_T * scipy.signal.get_window("hann", 2048))
    magnitude_F = np.sqrt(slow_F.real**2 + slow_F.imag**2 + 1e-8)
    np.testing.assert_allclose(ours[0, :, frame], 20 * np.log10(magnitude_F) - 20, rtol=0, atol=1e-3)
    loud_F = np.abs(slow_F) > 0.03 * np.abs(slow_F).max()
    assert loud_F.sum() > 100
    np.testing.assert_allclose(np.exp(1j * ours[1, loud_F, frame]), (slow_F / np.abs(slow_F))[loud_F], atol=1e-4)
    mel_FN = mel_of(wave_BT, sr=16000, n_fft=2048, hop_length=128, n_mels=128, fmin=40, fmax=8000)[0]
    np.testing.assert_allclose(ours[2], 10 * np.log10(np.maximum(mel_FN, 1e-5)) - 10, rtol=0, atol=1e-3)
    quiet = run("clar", wave_BT * 1e-5)[0, 0, :, frame]  # where what is added is felt
    magnitude_F = np.sqrt(1e-10 * (slow_F.real**2 + slow_F.imag**2) + 1e-8)
    assert magnitude_F.min() < 1.01e-4
    assert magnitude_F.max() > 1.1e-4
    np.testing.assert_allclose(quiet, 20 * np.log10(magnitude_F) - 20, rtol=0, atol=1e-3)
    np.testing.assert_allclose(run("clar", 0 * wave_BT)[0, 0], -100, rtol=1e-6)
    for k in (1, 30, 77, 127):
        tone_BT = torch.sin(2 * torch.pi * hz_F[k] / 16000 * torch.arange(8000)).unsqueeze(0)
        assert (run("clar", tone_BT)[0, 0, :, 10:50].argmax(0) == k).all()


def slow_scalogram(wave_T: Any, fmin: float, fmax: float, scales: int, hop: int) -> Any:
    """The definition in float64: a wavelet of at least +-8 deviations slid along the wave, zeros all around."""
    frames, rows = len(wave_T) // hop + 1, []
    for s in 6 * 16000 / (2 * np.pi * np.geomspace(fmin, fmax, scales)):
        t = np.arange(-2500, 2501) / s
        psi = np.pi**-0.25 * np.exp(6j * t - t**2 / 2)
        around = np.correlate(np.pad(wave_T, (2500 + hop // 2, 2500 + hop)), psi, "valid") / np.sqrt(s)
        rows.append(np.mean(np.abs(around[: frames * hop].reshape(frames, hop)) ** 2, 1))
    return np.stack(rows)


def scalogram(wave_T: Tensor, fmin: float, fmax: float, scales: int, hop: int = 160) -> Any:
    settings = {"fmin": fmin, "fmax": fmax, "n_scales": scales, "hop_length": hop, "log": "none", "normalise": "none"}
    return run({"name": "scalogram", **settings}, wave_T.unsqueeze(0))[0, 0]


@pytest.mark.parametrize(
    ("hop", "fmin"),
    [(160, 50), (77, 50), (512, 1000)],  # half of 512 samples is more than the longest wavelet's reach
)
def test_the_scalogram_equals_its_definition(hop: int, fmin: float) -> None:
    # Above 4 kHz the sampled wavelet of the definition aliases, and ours, which ends at Nyquist, does not.
    wave_T = noise(1, 5120)[0]
    expected = slow_scalogram(wave_T.double().numpy(), fmin, 4000, 5, hop)
    np.testing.assert_allclose(scalogram(wave_T, fmin, 4000, 5, hop), expected, rtol=1e-3)


def test_the_scalogram_of_a_chirp_equals_pywavelets() -> None:
    hz_F, centre = np.geomspace(100, 4000, 8), 6 / (2 * np.pi)
    full_FT, _ = pywt.cwt(CHIRP_T.double().numpy(), centre * 16000 / hz_F, f"cmor2.0-{centre!r}", precision=12)
    # With B = 2 and C = w0 / 2 pi theirs is (2 pi)^-1/2 exp(-t^2 / 2) exp(i w0 t) where ours begins with pi^-1/4:
    # ours is pi^1/4 sqrt(2) times theirs, and the power 2 sqrt(pi) times. Theirs holds the wave between samples,
    # which damps what it holds at the frequency f by sinc(f / rate).
    power_FT = 2 * np.sqrt(np.pi) * np.abs(full_FT) ** 2 / np.sinc(HZ_T / 16000) ** 2
    expected = np.pad(power_FT, ((0, 0), (80, 80))).reshape(8, 51, 160).mean(2)
    away_FN = np.abs(scalogram(CHIRP_T, 100, 4000, 8) - expected)
    assert (away_FN[:, 1:-1] / expected.max(1, keepdims=True)).max() < 0.02


def test_a_tone_and_a_chirp_stand_where_their_frequencies_are() -> None:
    hz_F = np.geomspace(50, 7000, 64)
    for hz in (220, 1000, 3000):
        tone_BT = torch.sin(2 * torch.pi * hz / 16000 * torch.arange(8000)).unsqueeze(0)
        assert run("scalogram", tone_BT)[0, 0].mean(1).argmax() == np.abs(np.log(hz_F / hz)).argmin()
    ridge_N = run("scalogram", CHIRP_T.unsqueeze(0))[0, 0].argmax(0)[2:-2]
    assert (np.diff(ridge_N) >= 0).all()
    assert ridge_N[-1] - ridge_N[0] > 30


def resized(x_FN: Any) -> Any:
    """On 64 bins and 51 frames, as Pillow resizes images: bilinear, averaging where it shrinks."""
    return np.array(Image.fromarray(x_FN.astype(np.float32)).resize((51, 64), Image.Resampling.BILINEAR))


def test_a_stack_is_its_front_ends_on_the_grid_of_the_first() -> None:
    wave_BT = noise(2, 8001)
    np.testing.assert_array_equal(run("stack", wave_BT), run("logmel", wave_BT).repeat(3, 1))
    parts: list[str | Settings] = ["logmel", {"name": "spectrogram", "hop_length": 320}, {"name": "scalogram"}, "clar"]
    mixed = run({"name": "stack", "frontends": parts}, wave_BT)
    apart = np.concatenate([np.stack([[resized(x) for x in C] for C in run(part, wave_BT)]) for part in parts], 1)
    np.testing.assert_allclose(mixed, apart, rtol=0, atol=1e-3)
    for name, complaint in (("panns", "sample rates differ: 16000 and 32000"), ("waveform", "gives no spectrogram")):
        with pytest.raises(ValidationError, match=complaint):
            FRONTENDS.choose({"name": "stack", "frontends": ["logmel", name]})


def test_a_front_end_that_is_named_twice_is_computed_once() -> None:
    stack, calls = build({"name": "stack", "frontends": ["logmel", "mfcc", "logmel", {"name": "logmel"}]}), []
    for module in set(stack.modules()) - {stack}:
        if isinstance(module, Frontend):
            module.register_forward_hook(lambda module, *_: calls.append(type(module).__name__))
    out_BCFN = stack(noise(1, 4000))
    assert calls == ["LogMel", "Mfcc"]
    assert torch.equal(out_BCFN[:, 0], out_BCFN[:, 3])


def test_normalise_shifts_and_scales() -> None:
    wave_BT = noise(2, 8001)
    plain = run({"name": "logmel", "normalise": "none"}, wave_BT)
    fixed = run({"name": "logmel", "normalise": "fixed", "mean": -30.0, "std": 7.0}, wave_BT)
    np.testing.assert_allclose(fixed, (plain + 30) / 7, rtol=0, atol=1e-5)
    clip = [(x - x.mean()) / x.std(ddof=1) for x in plain]
    np.testing.assert_allclose(run({"name": "logmel", "normalise": "clip"}, wave_BT), clip, rtol=0, atol=1e-5)
    for statistic in ({"mean": 1.0}, {"normalise": "none", "std": 2.0}):
        with pytest.raises(ValidationError, match="go with normalise: fixed"):
            FRONTENDS.choose({"name": "logmel", **statistic})


def test_presets_keep_to_the_settings_they_are_given() -> None:
    wave_BT = noise(1, 8001)
    assert FRONTENDS.choose({"name": "ast", "normalise": "clip"}).settings.mean == 0
    other: tuple[Settings, ...] = ({"name": "byol-a", "log": "db"}, {"name": "cola", "mel": "slaney"})
    for reference in other:
        assert not np.allclose(run(reference, wave_BT), run(reference["name"], wave_BT))
    assert run({"name": "cola", "win_length": 401}, noise(1, 401)).shape == (1, 1, 64, 1)
    for wrong in (
        {"name": "ast", "fmin": 9000.0},
        {"name": "spectrogram", "bands": 600},
        {"name": "mfcc", "n_mfcc": 81},
    ):
        with pytest.raises(ValidationError):
            FRONTENDS.choose(wrong)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("length", [16001, 17777])
def test_shapes_are_those_promised_on_the_device_meta_too(name: str, length: int) -> None:
    frontend = build(name)
    reach = length - 400 if name in ("ast", "cola") else length
    frames = reach // FRONTENDS.choose(name).config.get("hop_length", 160) + 1
    expected = (2, 1, length) if name == "waveform" else (2, frontend.channels, frontend.bins, frames)
    assert frontend.gives == ("waveform" if frontend.bins == 0 else "spectrogram")
    assert frontend(noise(2, length)).shape == expected
    with torch.device("meta"):
        on_meta = build(name)(torch.empty(2, length))
    assert (on_meta.device.type, on_meta.shape) == ("meta", expected)


@pytest.mark.parametrize("name", ALL)
def test_neither_autocast_nor_the_rest_of_its_batch_changes_an_example(name: str) -> None:
    frontend, wave_BT = build(name), noise(2, 4001) * torch.tensor([[1.0], [0.01]])
    together = frontend(wave_BT)
    with torch.autocast("cpu", torch.bfloat16):
        inside = frontend(wave_BT)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, together)
    away = (together - torch.cat([frontend(wave_BT[:1]), frontend(wave_BT[1:])])).abs()
    if name == "clar":  # a phase of pi is one of -pi
        away[:, 1] = torch.minimum(away[:, 1], (away[:, 1] - 2 * torch.pi).abs())
    assert away.max() < 1e-3


@pytest.mark.parametrize("level", [1.0, pytest.param(0.0, id="silence")])
@pytest.mark.parametrize("name", ALL)
def test_outputs_and_gradients_are_finite(name: str, level: float) -> None:
    wave_BT = (noise(2, 4001) * level).requires_grad_()
    out = build(name)(wave_BT)
    (gradient_BT,) = torch.autograd.grad((out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum(), wave_BT)
    assert out.isfinite().all()
    assert gradient_BT.isfinite().all()
    assert level == 0 or (gradient_BT.abs().amax(1) > 0).all()  # it reaches every waveform


@pytest.mark.parametrize("name", ALL)
def test_the_shortest_wave_works_and_one_sample_less_is_a_mistake(name: str) -> None:
    frontend = build(name)
    shortest = max(int(getattr(module, "shortest", 1)) for module in frontend.modules())
    assert frontend(noise(1, shortest)).isfinite().all()
    if shortest > 1:
        with pytest.raises(Mistake, match=f"at least {shortest} samples, got {shortest - 1}"):
            frontend(noise(1, shortest - 1))
