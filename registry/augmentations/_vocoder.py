"""A phase vocoder for a batch of waveforms, each at a speed of its own. Hann windows, two thirds overlapping."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

WINDOW = 768  # samples: 48 ms at 16 kHz
HOP = 256
_FINER = 2  # times the sample rate, between whose samples lines are drawn


def frames(samples: int) -> int:
    """Frames of a waveform, the first centred on its first sample."""
    return 1 + samples // HOP


def stretch(wave_BT: Tensor, position_BM: Tensor, samples: int) -> Tensor:
    """``[B, samples]``: the waveforms with frame m sounding as they do at ``position_BM[:, m]``, in frames."""
    window_W = torch.hann_window(WINDOW, device=wave_BT.device)
    spectrum_BFN = torch.stft(wave_BT, WINDOW, HOP, window=window_W, pad_mode="constant", return_complex=True)
    return synthesis(phase_vocoder(spectrum_BFN, position_BM), window_W)[:, :samples]


def synthesis(spectrum_BFM: Tensor, window_W: Tensor) -> Tensor:
    """The waveforms of a spectrum. What ``torch.istft`` gives, which reads back from the device."""
    frames_BMW = torch.fft.irfft(spectrum_BFM.transpose(1, 2), WINDOW) * window_W
    weight_1MW = window_W.square().expand(1, frames_BMW.shape[1], -1)
    return (_overlapped(frames_BMW) / _overlapped(weight_1MW))[:, WINDOW // 2 :]


def _overlapped(frames_BMW: Tensor) -> Tensor:
    """The sum of frames a hop apart."""
    total_BMH = F.pad(frames_BMW[..., :HOP], (0, 0, 0, WINDOW // HOP - 1))
    for i, part_BMH in enumerate(frames_BMW.split(HOP, dim=2)[1:], start=1):
        total_BMH[:, i : i + frames_BMW.shape[1]] += part_BMH
    return total_BMH.flatten(1)


def phase_vocoder(spectrum_BFN: Tensor, position_BM: Tensor) -> Tensor:
    """Frames at fractional positions: magnitudes are interpolated, and phases advance as they do in the input there.

    Every row's loudest frame has the phases of the input, and those of the others are summed from it on. Summed from
    the first, where torchaudio starts, a sound that sets in later comes out with bins that cancel: 10 dB too low.
    Noise, whose bins have nothing in common, comes out about 3 dB too low from either.

    Args:
        spectrum_BFN: complex, of a short-time Fourier transform.
        position_BM: float, rising along rows, in frames of the input; silence before its first and after its last.

    Returns:
        Complex ``[B, F, M]``.
    """
    # Real and imaginary parts each for themselves: abs, angle and polar take several times as long on a CPU.
    real_BNF, imag_BNF = (F.pad(x.transpose(1, 2), (0, 0, 1, 2)) for x in (spectrum_BFN.real, spectrum_BFN.imag))
    magnitude_BNF, phase_BNF = torch.hypot(real_BNF, imag_BNF), torch.atan2(imag_BNF, real_BNF)
    position_BM = position_BM.clamp(-1, spectrum_BFN.shape[2]) + 1  # the silence around it is one frame, then two
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
    """``[B, samples]``: the waveforms at ``factor`` times their speed, pitch rising with it, then silence.

    What would fold at the new speed is left out.
    """
    length = wave_BT.shape[1]
    bin_F = torch.arange(length // 2 + 1, device=wave_BT.device)
    spectrum_BF = torch.fft.rfft(wave_BT) * (bin_F * factor_B1 <= length / 2)
    if length % 2 == 0:
        spectrum_BF[:, -1] /= 2  # alone at the old Nyquist frequency, one of two below the new one
    fine_BT = F.pad(torch.fft.irfft(spectrum_BF, _FINER * length) * _FINER, (0, 2))
    position_BM = (torch.arange(samples, device=wave_BT.device) * (_FINER * factor_B1)).clamp_max(_FINER * length)
    below_BM = position_BM.long()
    return torch.lerp(fine_BT.gather(1, below_BM), fine_BT.gather(1, below_BM + 1), position_BM - below_BM)
