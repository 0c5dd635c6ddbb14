"""The sound of a file, all of it, or why it cannot be had.

libsndfile reads it. Formats that it does not know, and files of which it reads a part (``registry.extent``), are read
by PyAV where that is installed (``pip install 'audiobench[av]'``), and else refused.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.extent import lack_of

SOUND = frozenset({".aif", ".aiff", ".au", ".flac", ".mp3", ".ogg", ".opus", ".wav"})
OTHER_SOUND = frozenset({".3gp", ".aac", ".amr", ".caf", ".m4a", ".m4b", ".mka", ".mkv", ".mp4", ".webm", ".wma"})

_UNRECOGNISED = 1  # libsndfile's SF_ERR_UNRECOGNISED_FORMAT
_RATES = range(100, 1_000_001)  # Hz; bats are recorded at 500,000
_LONGEST = 1 << 30  # samples: 6 hours at 48 kHz, 4 GiB of float32
_AT_ONCE = 1 << 24  # samples of all channels
_CANCELLED = 1e-6  # of the channels' power, -60 dB
_ENOUGH = 0.98  # of what a file holds: decoders differ in a few frames at either end


class Unusable(RuntimeError):
    """Why a recording cannot be used, as what follows its name: ``is cut short: ...``."""


def endings() -> frozenset[str]:
    """How the names of files end that can be read here, in lower case."""
    return SOUND | OTHER_SOUND if find_spec("av") else SOUND


def decode(path: Path) -> tuple[NDArray[np.float32], int]:
    """A file's samples ``[T]`` (channels averaged), float32, and their rate in Hz.

    Raises:
        Unusable: if the file, or a part of it, does not decode; if it is absurdly long, or its rate is none of sound.
        OSError: if it cannot be opened.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            says, kind, rate = file.frames, file.format, file.samplerate
            if kind == "FLAC" and says > _LONGEST:
                return _by_av(path, "its header does not say how long it is")
            file.seek(0)  # as soundfile.read does: of an MP3 other last digits come without it
            wave_T = _collect(_blocks(file), rate)
    except soundfile.LibsndfileError as error:
        if error.code == _UNRECOGNISED and path.stat().st_size:
            return _by_av(path, "its format is none that libsndfile knows")
        raise Unusable(f"does not decode ({error.error_string})") from error
    lack = lack_of(path, kind, len(wave_T))
    if lack and lack.samples:
        return _by_av(path, f"it {lack.why}", lack.samples)
    if lack:
        raise Unusable(lack.why)
    if len(wave_T) < says and kind != "MP3":  # of which libsndfile guesses the length
        raise Unusable(f"is cut short: its header says {says:,} samples, and {len(wave_T):,} are there")
    return wave_T, rate


def _blocks(file: Any) -> Iterator[NDArray[np.float32]]:
    """What libsndfile reads, as blocks ``[C, T]``, until one is not full: asking once more would cost a seek."""
    size = max(_AT_ONCE // file.channels, 1)
    while True:
        block_TC = file.read(size, "float32", always_2d=True)
        yield block_TC.T
        if len(block_TC) < size:
            return


def _collect(blocks: Iterable[NDArray[np.float32]], rate: int) -> NDArray[np.float32]:
    """Blocks ``[C, T]`` end to end, their channels averaged."""
    if rate not in _RATES:
        raise Unusable(f"has a rate of {rate:,} Hz, which is none of sound")
    mixed: list[NDArray[np.float32]] = [np.empty(0, np.float32)]
    total = 0
    for block_CT in blocks:
        if not block_CT.shape[1]:
            continue
        mixed.append(_mixed(block_CT))
        total += block_CT.shape[1]
        if total > _LONGEST:
            raise Unusable(f"is longer than {_LONGEST / rate / 3600:.1f} hours: cut it into pieces")
    return mixed[-1] if len(mixed) < 3 else np.concatenate(mixed)


def _mixed(block_CT: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels ``[T]``."""
    if len(block_CT) == 1:
        # A tenth of the time of a mean, and its very bytes: 0 is added because a mean of -0.0 is 0.0.
        only_T: NDArray[np.float32] = block_CT[0] + np.float32(0)
        return only_T
    mean_T: NDArray[np.float32] = block_CT.mean(0)
    whole, left = (np.square(wave).mean(dtype=np.float64) for wave in (block_CT, mean_T))
    if left < _CANCELLED * whole:
        raise Unusable("is silent once its channels are averaged: they cancel out; keep one of them")
    return mean_T


def _by_av(path: Path, why: str, at_least: int = 0) -> tuple[NDArray[np.float32], int]:
    """What PyAV reads.

    Args:
        path: of the file.
        why: libsndfile does not read it.
        at_least: how many samples there are, about.
    """
    if not find_spec("av"):
        raise Unusable(f"does not decode ({why}; pip install 'audiobench[av]' to read it, or convert it)")
    import av

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise Unusable("holds no sound")
            stream = container.streams.audio[0]
            rate = stream.rate
            wave_T = _collect(_frames(container, stream, rate, lenient=at_least > 1), rate)
            counted = container.format.name not in ("mp3", "aac")  # whose length is a guess
            says = (stream.duration or 0) * (stream.time_base or 0) * rate if counted else 0
    except av.FFmpegError as error:
        raise Unusable(f"does not decode ({why}; and by av: {error.strerror or error})") from error
    if len(wave_T) < _ENOUGH * max(says, at_least):
        raise Unusable(f"is cut short: {len(wave_T):,} of about {int(max(says, at_least)):,} samples can be read")
    return wave_T, rate


def _frames(container: Any, stream: Any, rate: int, lenient: bool) -> Iterator[NDArray[np.float32]]:
    """The blocks ``[C, T]`` of a stream, as floats of full scale 1.

    Args:
        container: holds it.
        stream: of sound.
        rate: Hz, of all of it.
        lenient: pass over what is no sound, such as the tags between two MP3s: how much sound there is is known.
    """
    import av

    made: dict[tuple[str, str], Any] = {}
    for frame in _decoded(container, stream, lenient):
        if frame.sample_rate != rate:
            raise Unusable(f"changes its rate from {rate:,} to {frame.sample_rate:,} Hz: cut it there")
        own = (frame.format.name, frame.layout.name)
        made.setdefault(own, av.AudioResampler(format="fltp"))
        yield from (whole.to_ndarray() for whole in made[own].resample(frame) if whole.samples)


def _decoded(container: Any, stream: Any, lenient: bool) -> Iterator[Any]:
    import av

    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            if not lenient:
                raise
