"""Pipelines: named lists of augmentations, as the sources use them. An item of a suite's ``augment`` may name one.

A value that the source does not state is ours, and a comment says so. Lengths in samples are for windows of one second
at 16 kHz.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

Reference = str | Mapping[str, Any]


class Pipeline(NamedTuple):
    """Augmentations in their order, and where the list comes from."""

    source: str
    steps: list[Reference]


def _specaugment(kind: str, warp: int, frequency: int, time: int, count: int) -> Pipeline:
    """A policy of SpecAugment. SM and SS also limit a time mask to a fifth of the frames; this limit is left out."""
    return Pipeline(
        f"Park et al. 2019, SpecAugment {kind}; mask sizes of fairseq, warp from memory",
        [
            {"name": "time-warp", "frames": warp},  # from memory
            {"name": "frequency-mask", "width": frequency, "count": count},
            {"name": "time-mask", "width": time, "count": count},
        ],
    )


PIPELINES: dict[str, Pipeline] = {
    "s1": Pipeline(
        "Lin 2022: flip, pad, crop, pitch shift, then one mask along either axis; no figures stated",
        [
            {"name": "time-reversal", "p": 0.5},  # what the flip did is not recoverable
            {"name": "pad", "samples": 1600},  # not stated
            {"name": "crop", "samples": 16000},  # not stated
            {"name": "pitch-shift", "semitones": 15},  # not stated
            {"name": "frequency-mask", "width": 16, "count": 1},  # width not stated
            {"name": "time-mask", "width": 40, "count": 1},  # width not stated
        ],
    ),
    "s2": Pipeline(
        "Wang 2021: mixing and frequency shift of half the 80 mel bins; masks did not help there",
        [{"name": "mix", "alpha": 5.0, "beta": 2.0}, {"name": "frequency-shift", "bins": 40}],
    ),
    "cola": Pipeline("Saeed et al. 2021, COLA: random windows alone; the method adds the noise of its positives", []),
    "clar": Pipeline(
        "Al-Tahan & Mohsenzadeh 2021, CLAR (code): all that it offers, in its order; fade and mask are its best pair",
        [
            {"name": "fade", "share": 0.5, "p": 0.5},
            {"name": "waveform-mask", "share": 0.125, "deviation": 0.01, "p": 0.25},  # half the time, twice over
            {"name": "time-stretch", "min_rate": 0.5, "max_rate": 1.5, "p": 0.5},
            {"name": "pitch-shift", "semitones": 15, "p": 0.5},
            {"name": "time-shift", "samples": 8000, "p": 0.5},
            {"name": "noise", "color": "white", "min_snr": 0.0, "max_snr": 20.0, "p": 0.5},
            # Mixed noise: one of brown, pink, white, a fan's recording (left out) and none; here each for itself.
            {"name": "noise", "color": "brown", "min_snr": 0.0, "max_snr": 20.0, "p": 0.1},  # ratios not stated
            {"name": "noise", "color": "pink", "min_snr": 0.0, "max_snr": 20.0, "p": 0.1},  # ratios not stated
            {"name": "noise", "color": "white", "min_snr": 0.0, "max_snr": 20.0, "p": 0.1},
        ],
    ),
    "byol-a": Pipeline(
        "Niizumi et al. 2021, BYOL-A; nttcslab/byol-a",
        [
            {"name": "log-mixup", "ratio": 0.4},
            {"name": "resized-crop", "min_scale": 0.6, "max_scale": 1.5, "canvas": 1.5},
        ],
    ),
    "panns": Pipeline(
        "Kong et al. 2020, PANNs (torchlibrosa): widths below 8 bins and 64 frames; no mixup, which mixes labels too",
        [{"name": "frequency-mask", "width": 7, "count": 2}, {"name": "time-mask", "width": 63, "count": 2}],
    ),
    "specaugment-lb": _specaugment("LB", 80, 27, 100, 1),
    "specaugment-ld": _specaugment("LD", 80, 27, 100, 2),
    "specaugment-sm": _specaugment("SM", 40, 15, 70, 2),
    "specaugment-ss": _specaugment("SS", 40, 27, 70, 2),
}


def expand(reference: Any) -> list[Any]:
    """The steps of the pipeline that a reference names, or the reference itself."""
    return list(PIPELINES[reference].steps) if isinstance(reference, str) and reference in PIPELINES else [reference]
