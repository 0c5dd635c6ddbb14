"""Tasks of which each fails the one check that it is called after."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from registry.tasks import Clip, Task

_RATE = 16000


class _Tones(Task):
    """Tones of two pitches, two clips of each source."""

    source: ClassVar[str] = "ours"
    licence: ClassVar[str] = "none needed"
    classes: tuple[str, ...] = ("low", "high")
    folds: tuple[int, ...] = (1, 2, 3)
    counts: Mapping[int, tuple[int, ...]] = MappingProxyType(dict.fromkeys((1, 2, 3), (4, 4)))

    def clips(self, data: Path | None) -> list[Clip]:
        return [
            Clip(f"{fold}-{name}-{i}", label, fold, f"{fold}-{name}-{i // 2}", None, 0)
            for fold in (1, 2, 3)
            for label, name in enumerate(("low", "high"))
            for i in range(4)
        ]

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        draw, _, number = clip_id.rpartition("-")
        return f"{draw}-{int(number) // 2}"

    def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
        hz = 440 if clip.label == 1 else 220
        return np.sin(2 * np.pi * hz * np.arange(_RATE) / _RATE, dtype=np.float32), _RATE


class Whole(_Tones):
    """Keeps its contract."""

    name = "whole"


class Unlicensed(_Tones):
    """Says nothing of a licence."""

    name = "says_its_licence"
    licence = "not stated"


class Alike(_Tones):
    """Calls two classes the same."""

    name = "names_its_classes"
    classes = ("low", "high", "low")
    counts: Mapping[int, tuple[int, ...]] = MappingProxyType(dict.fromkeys((1, 2, 3), (8,)))


class Shuffled(_Tones):
    """Lists its clips in another order every time."""

    name = "lists_the_same_twice"

    def clips(self, data: Path | None) -> list[Clip]:
        return SystemRandom().sample(listed := super().clips(data), len(listed))


class Repeated(_Tones):
    """Calls two clips of a class the same."""

    name = "names_each_clip_once"

    def clips(self, data: Path | None) -> list[Clip]:
        first, second, *others = super().clips(data)
        return [first, replace(second, id=first.id), *others]


class OutOfRange(_Tones):
    """Has a label beyond its classes, which its counts leave out."""

    name = "labels_are_its_targets"
    counts: Mapping[int, tuple[int, ...]] = MappingProxyType({})

    def clips(self, data: Path | None) -> list[Clip]:
        first, *others = super().clips(data)
        return [replace(first, label=2), *others]


class Empty(_Tones):
    """Names a fold that has no clip."""

    name = "every_fold_is_tested"
    folds = (1, 2, 3, 4)
    counts: Mapping[int, tuple[int, ...]] = MappingProxyType({})


class Parting(_Tones):
    """Parts the clips of a source."""

    name = "sources_stay_within_folds"
    counts: Mapping[int, tuple[int, ...]] = MappingProxyType({})

    def clips(self, data: Path | None) -> list[Clip]:
        first, *others = super().clips(data)
        return [replace(first, fold=2), *others]


class Guessing(_Tones):
    """Tells another source by the name."""

    name = "tells_sources_by_name"

    @classmethod
    def source_of(cls, clip_id: str) -> str | None:
        return clip_id


class Miscounted(_Tones):
    """Says that there are more clips."""

    name = "counts_are_official"
    counts: Mapping[int, tuple[int, ...]] = MappingProxyType(dict.fromkeys((1, 2, 3), (5, 5)))


class Doubled(_Tones):
    """Reads samples in double precision."""

    name = "reads_its_clips"

    def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
        wave_T, rate = super().read(clip)
        return wave_T.astype(np.float64), rate


class Noisy(_Tones):
    """Reads other samples every time."""

    name = "reads_its_clips-2"

    def read(self, clip: Clip) -> tuple[NDArray[np.float32], int]:
        wave_T, rate = super().read(clip)
        return wave_T * np.float32(SystemRandom().random()), rate
