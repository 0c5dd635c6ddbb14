"""Operations of torch that ONNX lacks, or that onnxruntime computes too coarsely, in operations that serve.

Fourier transforms are computed in float64: onnxruntime's in float32 lose digits where the length is no power of two.
ONNX has no complex numbers, and torch's exporter translates only some of the operations on them: the others are done on
real and imaginary parts.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

_aten = torch.ops.aten


def with_onnx_forms(program: ExportedProgram) -> ExportedProgram:
    """A graph of the same values, up to rounding, whose operations all have a form in ONNX."""
    decomposed: ExportedProgram = program.run_decompositions(_FORMS)
    return decomposed


def _stft(
    x: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Any:
    """``stft`` in float64; what is in float64 stays as it is, here and below."""
    if x.dtype == torch.float64 or align_to_window or not return_complex:
        return NotImplemented
    wide = None if window is None else window.double()
    spectrum = torch.stft(
        x.double(), n_fft, hop_length, win_length, wide, False, "reflect", normalized, onesided, return_complex=True
    )
    return _narrow(spectrum)


def _rfft(x: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    if x.dtype == torch.float64:
        return NotImplemented
    return _narrow(torch.fft.rfft(x.double(), n, dim, norm))


def _ifft(x: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
    """``ifft`` along the last dimension, which zeros fill up to n."""
    if dim != -1 or norm is not None:
        return NotImplemented
    missing = (n or x.shape[-1]) - x.shape[-1]
    parts = torch.nn.functional.pad(torch.view_as_real(x).double(), (0, 0, 0, missing))
    by_length = 2  # how _fft_c2c scales
    return _narrow(_aten._fft_c2c(torch.view_as_complex(parts), [x.ndim - 1], by_length, False))


def _narrow(x: Tensor) -> Tensor:
    """A complex tensor in float32."""
    return torch.view_as_complex(torch.view_as_real(x).float())


def _unsqueeze(x: Tensor, dim: int) -> Any:
    if not x.is_complex():
        return NotImplemented
    return torch.view_as_complex(torch.view_as_real(x).unsqueeze(dim if dim >= 0 else dim - 1))


def _mul(x: Tensor, other: Tensor) -> Any:
    """A complex tensor times a real one."""
    if not x.is_complex() or other.is_complex():
        return NotImplemented
    return torch.view_as_complex(torch.view_as_real(x) * other.unsqueeze(-1))


def _adaptive_max_pool2d(x_BCHW: Tensor, size: list[int]) -> tuple[Tensor, Tensor]:
    """The maxima of overlapping stretches, along one axis after the other; the places of the maxima are not given."""
    for axis, count in ((2, size[0]), (3, size[1])):
        length = int(x_BCHW.shape[axis])
        first = torch.arange(count) * length // count
        last = ((torch.arange(count) + 1) * length + count - 1) // count - 1
        longest = -(-length // count) + (length % count > 0)
        place = torch.minimum(first[:, None] + torch.arange(longest), last[:, None])
        x_BCHW = x_BCHW.index_select(axis, place.flatten()).unflatten(axis, (count, longest)).amax(axis + 1)
    return x_BCHW, x_BCHW.long()


_FORMS: dict[Any, Callable[..., Any]] = {
    _aten.stft.default: _stft,
    _aten.fft_rfft.default: _rfft,
    _aten.fft_ifft.default: _ifft,
    _aten.unsqueeze.default: _unsqueeze,
    _aten.mul.Tensor: _mul,
    _aten.adaptive_max_pool2d.default: _adaptive_max_pool2d,
}
