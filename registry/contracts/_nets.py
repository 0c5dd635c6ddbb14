"""Sounds, front ends and comparisons for the checks of several kinds."""

from pathlib import Path

import torch
from torch import Tensor

from registry.contracts import Beside, Broken
from registry.encoders import Encoder
from registry.encoders._brought import Brought
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.lookup import Choice

_EQUAL = 1e-4  # of the largest value: how much equal values may differ by rounding
_FRONTENDS = {"spectrogram": "logmel", "waveform": "waveform"}


def noise(*shape: int) -> Tensor:
    """Noise of a tenth of full scale, the same every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)) / 10


def model_path(model: type[Brought], encoder: Choice[Encoder]) -> Path | None:
    """The file or folder of a model made elsewhere, which may lie in a hub's cache; None of a model that has none.

    Raises:
        Mistake: if it is nowhere.
    """
    name = model.file_of(encoder.settings)
    path = Path(name) if name else None
    if path is None or path.exists():
        return path
    found = model.hub_folder(encoder.settings)
    if found is None:
        raise Mistake(f"{name}, the model of {encoder.name}, does not exist", fix="give the path of a model")
    return found


def frontend_before(encoder: type[Encoder], beside: Beside) -> Frontend:
    """The front end that ``beside`` names, or a plain one whose output the encoder takes."""
    return with_statistics(make_frontend(beside.frontend or _FRONTENDS[encoder.takes])).eval()


def with_statistics(frontend: Frontend) -> Frontend:
    """A front end with invented statistics, if it needs measured ones."""
    for normalisation in frontend.measured().values():
        normalisation.set(0.0, 1.0)
    return frontend


def require_equal(x: Tensor, expected: Tensor, fix: str) -> str:
    """How much values differ that should be equal, in words.

    Raises:
        Broken: if they differ by more than rounding.
    """
    apart = float((x - expected).detach().abs().max() / expected.detach().abs().max().clamp_min(1e-12))
    if not apart <= _EQUAL:
        raise Broken(f"equal values, within {_EQUAL} of the largest", f"{apart:.1e} of it apart", fix)
    return f"{apart:.0e} of the largest value apart"
