"""A phase vocoder for a batch of waveforms, each at its own speed. Hann windows that overlap by two thirds."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

WINDOW = 768  # samples: 48 ms at 16 kHz
HOP = 256
_FINER = 2  # times the sample rate: the grid for linear interpolation


def frames(samples: int) -> int:
    """How many frames a waveform has; the first one is centred on its first sample."""
    return 1 + samples // HOP


def stretch(wave_BT: Tensor, position_BM: Tensor, samples: int) -> Tensor:
    """Waveforms ``[B, samples]`` whose frame m sounds like the input at frame ``position_BM[:, m]``."""
    window_W = torch.hann_window(WINDOW, device=wave_BT.device)
    spectrum_BFN = torch.stft(wave_BT, WINDOW, HOP, window=window_W, pad_mode="constant", return_complex=True)
    return synthesis(phase_vocoder(spectrum_BFN, position_BM), window_W)[:, :samples]


def synthesis(spectrum_BFM: Tensor, window_W: Tensor) -> Tensor:
    """The waveforms of a spectrum, as ``torch.istft`` gives them. That function would wait for the device."""
    frames_BMW = torch.fft.irfft(spectrum_BFM.transpose(1, 2), WINDOW) * window_W
    weight_1MW = window_W.square().expand(1, frames_BMW.shape[1], -1)
    return (_overlapped(frames_BMW) / _overlapped(weight_1MW))[:, WINDOW // 2 :]


def _overlapped(frames_BMW: Tensor) -> Tensor:
    """The sum of overlapping frames, which begin one hop apart."""
    total_BMH = F.pad(frames_BMW[..., :HOP], (0, 0, 0, WINDOW // HOP - 1))
    for i, segment_BMH in enumerate(frames_BMW.split(HOP, dim=2)[1:], start=1):
        total_BMH[:, i : i + frames_BMW.shape[1]] += segment_BMH
    return total_BMH.flatten(1)


def phase_vocoder(spectrum_BFN: Tensor, position_BM: Tensor) -> Tensor:
    """Frames at fractional positions: magnitudes are interpolated, and phases advance as they do in the input there.

    The loudest frame of every row keeps the phases of the input; the phases of other frames are summed from it on.
    torchaudio sums from the first frame: a sound that begins later then has bins that cancel, and is 10 dB too low.
    Noise, whose bins are independent, comes out about 3 dB too low in both cases.

    Args:
        spectrum_BFN: complex, of a short-time Fourier transform.
        position_BM: float, rising along rows, in frames of the input; beyond its ends there is silence.

    Returns:
        Complex ``[B, F, M]``.
    """
    # Real and imaginary values are computed apart: abs, angle and polar take several times as long on a CPU.
    real_BNF, imag_BNF = (F.pad(x.transpose(1, 2), (0, 0, 1, 2)) for x in (spectrum_BFN.real, spectrum_BFN.imag))
    magnitude_BNF, phase_BNF = torch.hypot(real_BNF, imag_BNF), torch.atan2(imag_BNF, real_BNF)
    position_BM = position_BM.clamp(-1, spectrum_BFN.shape[2]) + 1  # one silent frame lies before, two lie after
    row_B1 = torch.arange(len(position_BM), device=position_BM.device)[:, None]
    below_BM = position_BM.long()
    low_BMF, high_BMF = magnitude_BNF[row_B1, below_BM], magnitude_BNF[row_B1, below_BM + 1]
    magnitude_BMF = torch.lerp(low_BMF, high_BMF, (position_BM - below_BM)[..., None])
    loudest_B1 = magnitude_BMF.square().sum(2).argmax(1, keepdim=True)
    advance_BMF = phase_BNF.diff(dim=1)[row_B1, below_BM]
    phase_BMF = advance_BMF.cumsum(1) - advance_BMF
    phase_BMF += phase_BNF[row_B1, below_BM[row_B1, loudest_B1]] - phase_BMF[row_B1, loudest_B1]
    return torch.complex(magnitude_BMF * phase_BMF.cos(), magnitude_BMF * phase_BMF.sin()).transpose(1, 2)


def sped_up(wave_BT: Tensor, factor_B1: Tensor, samples: int) -> Tensor:
    """Waveforms ``[B, samples]`` at ``factor`` times their speed and pitch, then silence.

    Frequencies that would alias at the new speed are removed.
    """
    length = wave_BT.shape[1]
    bin_F = torch.arange(length // 2 + 1, device=wave_BT.device)
    spectrum_BF = torch.fft.rfft(wave_BT) * (bin_F * factor_B1 <= length / 2)
    if length % 2 == 0:
        spectrum_BF[:, -1] /= 2  # one bin at the old Nyquist frequency is two bins (+ and -) below the new one
    fine_BT = F.pad(torch.fft.irfft(spectrum_BF, _FINER * length) * _FINER, (0, 2))
    position_BM = (torch.arange(samples, device=wave_BT.device) * (_FINER * factor_B1)).clamp_max(_FINER * length)
    below_BM = position_BM.long()
    return torch.lerp(fine_BT.gather(1, below_BM), fine_BT.gather(1, below_BM + 1), position_BM - below_BM)
