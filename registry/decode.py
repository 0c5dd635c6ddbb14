"""Decodes a whole file, or says why it cannot.

libsndfile reads the file. PyAV, where it is installed (``pip install 'audiobench[av]'``), reads formats that libsndfile
does not know, and files that libsndfile would cut short (``registry.extent``); without PyAV these are refused.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from io import BytesIO
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
_NO_FULL_SCALE = 100  # a peak above this, 40 dB over full scale, means integers
_CANCELLED = 1e-6  # of the channels' power: -60 dB
_ENOUGH = 0.98  # of the samples in a file: decoders differ by a few frames at either end


class Unusable(RuntimeError):
    """Why a recording cannot be used. The message continues a sentence that begins with its name: ``is empty``."""


def endings() -> frozenset[str]:
    """The file endings that can be read here, in lower case."""
    return SOUND | OTHER_SOUND if find_spec("av") else SOUND


def decode(sound: Path | bytes) -> tuple[NDArray[np.float32], int]:
    """A sound's samples ``[T]`` (channels averaged), float32, and their rate in Hz.

    Args:
        sound: a file, or what a file would hold.

    Raises:
        Unusable: if the file does not decode to its end, is absurdly long, or has a rate that no sound has.
        OSError: if it cannot be opened.
    """
    import soundfile

    try:
        with soundfile.SoundFile(sound if isinstance(sound, Path) else BytesIO(sound)) as file:
            stated, kind, rate = file.frames, file.format, file.samplerate
            if kind == "FLAC" and stated > _LONGEST:
                return _by_av(sound, "its header does not say how long it is")
            file.seek(0)  # as soundfile.read does: without it the last digits of an MP3's samples differ
            wave_T = _collect(_blocks(file), rate)
    except soundfile.LibsndfileError as error:
        if error.code == _UNRECOGNISED and (sound if isinstance(sound, bytes) else sound.stat().st_size):
            return _by_av(sound, "its format is none that libsndfile knows")
        raise Unusable(f"does not decode ({error.error_string})") from error
    with sound.open("rb") if isinstance(sound, Path) else BytesIO(sound) as content:
        lack = lack_of(content, kind, len(wave_T))
    if lack and lack.samples:
        return _by_av(sound, f"it {lack.why}", lack.samples)
    if lack:
        raise Unusable(lack.why)
    if len(wave_T) < stated and kind != "MP3":  # libsndfile guesses the length of an MP3
        raise Unusable(f"is cut short: its header says {stated:,} samples, and {len(wave_T):,} are there")
    return wave_T, rate


def usable(read: Callable[[], tuple[NDArray[np.float32], int]]) -> tuple[NDArray[np.float32], int] | str:
    """The samples ``[T]`` of a recording and their rate in Hz, or why it cannot be used.

    Args:
        read: reads it, as ``decode`` does.
    """
    try:
        wave_T, rate = read()
    except Unusable as reason:
        return str(reason)
    except MemoryError:
        return "needs more memory than there is"
    except (RuntimeError, OSError, ValueError) as error:
        return f"does not decode ({error})"
    if len(wave_T) == 0:
        return "is empty"
    peak = max(wave_T.max(), -wave_T.min())
    if not np.isfinite(peak):
        return "has samples that are not finite"
    if peak > _NO_FULL_SCALE:
        return f"reaches {peak:,.0f}, and full scale is 1: it seems to hold integers as floats; divide them by theirs"
    return wave_T, rate


def _blocks(file: Any) -> Iterator[NDArray[np.float32]]:
    """Blocks ``[C, T]`` that libsndfile reads, until one is not full: one more call would cost a seek."""
    size = max(_AT_ONCE // file.channels, 1)
    while True:
        block_TC = file.read(size, "float32", always_2d=True)
        yield block_TC.T
        if len(block_TC) < size:
            return


def _collect(blocks: Iterable[NDArray[np.float32]], rate: int) -> NDArray[np.float32]:
    """Blocks ``[C, T]`` end to end, with their channels averaged."""
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
        # This takes a tenth of the time of a mean, with equal bytes: 0 is added because the mean of -0.0 is 0.0.
        only_T: NDArray[np.float32] = block_CT[0] + np.float32(0)
        return only_T
    mean_T: NDArray[np.float32] = block_CT.mean(0)
    whole, left = (np.square(wave).mean(dtype=np.float64) for wave in (block_CT, mean_T))
    if left < _CANCELLED * whole:
        raise Unusable("is silent once its channels are averaged: they cancel out; keep one of them")
    return mean_T


def _by_av(sound: Path | bytes, why: str, at_least: int = 0) -> tuple[NDArray[np.float32], int]:
    """Reads a sound with PyAV: its samples ``[T]``, and their rate in Hz.

    Args:
        sound: a file, or what a file would hold.
        why: the reason that libsndfile does not read it.
        at_least: about how many samples there are.
    """
    if not find_spec("av"):
        raise Unusable(f"does not decode ({why}; pip install 'audiobench[av]' to read it, or convert it)")
    import av

    try:
        with av.open(str(sound) if isinstance(sound, Path) else BytesIO(sound), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise Unusable("holds no sound")
            stream = container.streams.audio[0]
            rate = stream.rate
            wave_T = _collect(_frames(container, stream, rate, lenient=at_least > 1), rate)
            counted = container.format.name not in ("mp3", "aac")  # for these the length is a guess
            stated = (stream.duration or 0) * (stream.time_base or 0) * rate if counted else 0
    except av.FFmpegError as error:
        raise Unusable(f"does not decode ({why}; and by av: {error.strerror or error})") from error
    if len(wave_T) < _ENOUGH * max(stated, at_least):
        raise Unusable(f"is cut short: {len(wave_T):,} of about {int(max(stated, at_least)):,} samples can be read")
    return wave_T, rate


def _frames(container: Any, stream: Any, rate: int, lenient: bool) -> Iterator[NDArray[np.float32]]:
    """The blocks ``[C, T]`` of a stream, as floats of full scale 1.

    Args:
        container: contains the stream.
        stream: of sound.
        rate: Hz, the same in the whole stream.
        lenient: skip packets that are no sound, such as tags between two MP3s. The amount of sound is known then.
    """
    import av

    resamplers: dict[tuple[str, str], Any] = {}
    for frame in _decoded(container, stream, lenient):
        if frame.sample_rate != rate:
            raise Unusable(f"changes its rate from {rate:,} to {frame.sample_rate:,} Hz: cut it there")
        layout = (frame.format.name, frame.layout.name)
        resamplers.setdefault(layout, av.AudioResampler(format="fltp"))
        yield from (whole.to_ndarray() for whole in resamplers[layout].resample(frame) if whole.samples)


def _decoded(container: Any, stream: Any, lenient: bool) -> Iterator[Any]:
    import av

    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            if not lenient:
                raise
