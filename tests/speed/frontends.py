"""Spectral front ends: beside the least that their transform costs when it stays in the processor's cache."""

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from registry.frontends import Frontend, make_frontend
from registry.frontends.logmel import LogMel
from registry.frontends.mfcc import Mfcc
from registry.frontends.scalogram import Scalogram
from tests.speed import Row, ratio

_SECONDS = 5


def rows() -> Iterator[Row]:
    """A row a front end, on 8 clips, as many as are embedded at once; log-mels also on a batch of training."""
    in_cache = "frames of a clip, rfft, power, a product"
    yield _row("log-mel", {"name": "logmel"}, 8, in_cache, _mels, 1.4)
    yield _row("log-mel", {"name": "logmel"}, 64, in_cache, _mels, 1.4)
    yield _row("PANNs' log-mel, 32 kHz", {"name": "panns"}, 8, in_cache, _mels, 1.4)
    yield _row("MFCC", {"name": "mfcc"}, 8, f"{in_cache}, log, another", _cepstra, 1.4)
    yield _row("scalogram", {"name": "scalogram"}, 2, "inverse FFT of each clip and scale, power, means", _scales, 1.4)


def _row(
    work: str, settings: dict[str, str], clips: int, bound: str, bare: Callable[[Frontend, Tensor], object], goal: float
) -> Row:
    frontend = make_frontend(settings)
    wave_BT = 0.1 * torch.randn(clips, _SECONDS * frontend.sample_rate, generator=torch.Generator().manual_seed(0))
    sized = f"{work}, {clips} clips of {_SECONDS} s"
    return ratio(sized, lambda: frontend(wave_BT), bound, lambda: bare(frontend, wave_BT), goal)


def _mels(frontend: Frontend, wave_BT: Tensor) -> Tensor:
    """Power in mel bands ``[B, N, F]``. No logarithm, no normalisation."""
    assert isinstance(frontend, LogMel)
    settings, window_T = frontend.config, frontend.mel.spectrogram.window
    reach = settings.n_fft // 2
    frames_BNT = F.pad(wave_BT[None], (reach, reach), "reflect")[0].unfold(1, settings.n_fft, settings.hop_length)
    mel_BNF = torch.empty(*frames_BNT.shape[:2], settings.n_mels)
    windowed_NT = torch.empty(frames_BNT.shape[1:])
    for clip, frames_NT in enumerate(frames_BNT):
        spectrum_NK = torch.fft.rfft(torch.mul(frames_NT, window_T, out=windowed_NT))
        squares_NK2 = torch.view_as_real(spectrum_NK).square_()
        torch.mm(squares_NK2[..., 0] + squares_NK2[..., 1], frontend.mel.mel_scale.fb, out=mel_BNF[clip])
    return mel_BNF


def _cepstra(frontend: Frontend, wave_BT: Tensor) -> Tensor:
    assert isinstance(frontend, Mfcc)
    return _mels(frontend, wave_BT).clamp_(min=1e-10).log10_().mul_(10) @ frontend.dct_MF


def _scales(frontend: Frontend, wave_BT: Tensor) -> Tensor:
    """Mean power ``[B, F, N]``, with the filters of the front end."""
    assert isinstance(frontend, Scalogram)
    settings, hop = frontend.config, frontend.config.hop_length
    length = wave_BT.shape[1] + hop + frontend.margin
    length += length % 2
    spectrum_BK = torch.fft.rfft(F.pad(wave_BT, (hop // 2, 0)), length)
    scale_F1 = frontend.scale_F[:, None]
    bell_FK = torch.exp(-0.5 * (scale_F1 * torch.linspace(0, math.pi, length // 2 + 1) - settings.w0) ** 2)
    filter_FK = (2 * math.pi * scale_F1).sqrt() * math.pi**-0.25 * bell_FK
    power_BFN = torch.empty(len(wave_BT), settings.n_scales, length // hop)
    for clip, spectrum_K in enumerate(spectrum_BK):
        for scale, filter_K in enumerate(filter_FK):
            analytic_T = torch.fft.ifft(spectrum_K * filter_K, length)[: length // hop * hop]
            squares_NH2 = torch.view_as_real(analytic_T).square_().view(-1, hop * 2)
            torch.mean(squares_NH2, 1, out=power_BFN[clip, scale]).mul_(2)
    return power_BFN
