"""Packing: beside decoding by soundfile and resampling by soxr; and how it grows with the number of clips."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from benchmark.jobs.packing import make_pack
from benchmark.progress import Progress
from registry.settings import Settings
from registry.tasks import Clip, Task
from tests.speed import Row, exponent, ratio

_RATE = 44100
_CLIPS, _SECONDS = 100, 5
_SIZES = (1000, 8000, 64000)


class _Files(Task):
    classes = ("sound",)
    folds = (1,)


def rows() -> Iterator[Row]:
    """Clips of the length of ESC-50's, as Ogg, at their own rate and resampled; and many short ones."""
    with TemporaryDirectory() as name:
        folder, numbers = Path(name), count()
        clips = [_ogg(folder / f"{number}.ogg", number) for number in range(_CLIPS)]
        for rate in (_RATE, 16000):
            yield ratio(
                f"pack {_CLIPS} Ogg files of {_SECONDS} s at {rate} Hz",
                partial(_pack_anew, clips, rate, folder, numbers),
                "soundfile.read, soxr.resample, int16, in as many threads as processors",
                partial(_bare, clips, rate, folder / "bare"),
                1.15,
            )
        short = _clip(folder / "short.wav", np.zeros(160, np.float32))
        _pack_anew([short], _RATE, folder, numbers)  # imports what it needs
        seconds = {}
        for size in _SIZES:
            began = time.process_time()
            _pack_anew([short] * size, _RATE, folder, numbers)
            seconds[size] = time.process_time() - began
        yield exponent("pack clips of 160 samples", seconds)


def _ogg(path: Path, number: int) -> Clip:
    """Noise that is low-passed, so that it takes about as long to decode as a recording of ESC-50."""
    noise_T = np.random.default_rng(number).standard_normal(_SECONDS * _RATE)
    return _clip(path, 0.1 * np.convolve(noise_T, np.hanning(64) / 6, "same"))


def _clip(path: Path, wave_T: NDArray[np.floating]) -> Clip:
    soundfile.write(path, wave_T, _RATE)
    return Clip(id=path.name, path=path, label=0, fold=1, source=path.name, size=path.stat().st_size)


def _pack_anew(clips: Sequence[Clip], rate: int, within: Path, numbers: Iterator[int]) -> None:
    folder = within / str(next(numbers))
    folder.mkdir()
    make_pack(_Files(Settings()), clips, rate, folder, Progress())


def _bare(clips: Sequence[Clip], rate: int, path: Path) -> None:
    def read(clip: Clip) -> NDArray[np.int16]:
        wave_TC, own_rate = soundfile.read(clip.path, dtype="float32", always_2d=True)
        wave_T = wave_TC.mean(1) if wave_TC.shape[1] > 1 else wave_TC[:, 0]
        if own_rate != rate:
            wave_T = soxr.resample(wave_T, own_rate, rate, "HQ")
        samples_T: NDArray[np.int16] = np.rint(wave_T.clip(-1, 1) * 32767).astype(np.int16)
        return samples_T

    with ThreadPoolExecutor(os.cpu_count()) as pool, path.open("wb") as file:
        for first in range(0, len(clips), 64):
            for samples_T in pool.map(read, clips[first : first + 64]):
                file.write(samples_T.data)
        os.fsync(file.fileno())
