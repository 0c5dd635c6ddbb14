"""What tests of tasks share: made recordings and tables, and the counts of a listing."""

from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

from registry.tasks import Clip


def sound(path: Path, seconds: float = 0.01, channels: int = 1, rate: int = 16000, hz: float = 440) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave_T = 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, np.stack([wave_T] * channels, 1), rate)


def copies(one: Path, paths: list[Path]) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.read_bytes())


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def counted(clips: list[Clip], classes: int) -> dict[int, tuple[int, ...]]:
    found = Counter((clip.fold, clip.label) for clip in clips)
    return {fold: tuple(found[fold, label] for label in range(classes)) for fold in sorted({f for f, _ in found})}
