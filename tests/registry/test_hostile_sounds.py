"""Sound files from strangers: samples, or a reason in words; soon, in little memory, and of that file alone."""

import io
import os
import struct
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmark.data.audit import audit
from benchmark.jobs.vectors import find_files
from benchmark.progress import Progress
from registry.decode import Unusable, decode, usable
from tests.registry._recordings import sound
from tests.registry.test_tasks import task

KINDS = ("WAV", "AIFF", "AU", "W64", "RF64", "CAF", "FLAC", "OGG", "MP3")


def written(kind: str) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, np.random.default_rng(0).uniform(-0.5, 0.5, 4000), 16000, format=kind)
    return content.getvalue()


def wav(
    channels: int = 1, rate: int = 16000, bits: int = 16, size: int = 3200, tag: int = 1, data: bytes = bytes(3200)
) -> bytes:
    align = channels * bits // 8 & 0xFFFF
    head = struct.pack("<IHHIIHH", 16, tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", size) + data


def floats(value: float) -> bytes:
    return np.full(800, value, np.float32).tobytes()


HEADS = {
    "no channels": wav(channels=0),
    "65,535 channels": wav(channels=65535),
    "a rate of 1e9": wav(rate=10**9),
    "no rate": wav(rate=0),
    "a rate of 2**32 - 1": wav(rate=2**32 - 1),
    "no bits": wav(bits=0),
    "255 bits": wav(bits=255),
    "not a number": wav(bits=32, tag=3, data=floats(np.nan)),
    "infinite": wav(bits=32, tag=3, data=floats(np.inf)),
    "beyond all scales": wav(bits=32, tag=3, data=floats(1e38)),
    "an unknown coding": wav(tag=0x7777),
    "one byte": b"R",
    "nothing": b"",
    "text": b"hello" * 100,
    "a zip": b"PK\3\4" + bytes(1000),
    "chunks without end": b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\0\0\0\0" * 100_000,
    "a playlist": b"#EXTM3U\n#EXTINF:1.0,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "a list with an address": b"ffconcat version 1.0\nfile http://127.0.0.1:9/x.wav\n",
    "a list with a neighbour": b"ffconcat version 1.0\nfile neighbour.wav\n",
    "a cue sheet": b'FILE "/etc/passwd" WAVE\n',
    "tags without end": b"ID3\3\0\0\0\0\0\0" * 100_000,
    "zeros": bytes(100_000),
}


@pytest.mark.parametrize("what", HEADS)
def test_what_is_no_sound_is_refused_with_a_reason(what: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "neighbour.wav", np.zeros(1600), 16000)
    (tmp_path / "x.wav").write_bytes(HEADS[what])
    reason = usable(partial(decode, tmp_path / "x.wav"))
    assert isinstance(reason, str)
    assert reason


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**32 - 1])
def test_a_stated_length_takes_no_memory(size: int, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(size=size))
    assert len(decode(tmp_path / "x.wav")[0]) == 1600


def mutants(kind: str) -> Iterator[bytes]:
    content, rng = written(kind), np.random.default_rng(1)
    yield from (content[:length] for length in (0, 1, 4, 11, 12, 20, 44, 45, len(content) // 2, len(content) - 1))
    for wide in (1, 4):
        for _ in range(25):
            mutant = bytearray(content)
            for at in rng.integers(0, 150, rng.integers(1, 6)).tolist():
                mutant[at : at + wide] = rng.bytes(1) if wide == 1 else b"\xff\xff\xff\x7f"
            yield bytes(mutant)


@pytest.mark.parametrize("kind", KINDS)
def test_mutants_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    for mutant in mutants(kind):
        (tmp_path / "x").write_bytes(mutant)
        made = usable(partial(decode, tmp_path / "x"))
        assert isinstance(made, str) or np.isfinite(made[0]).all()


@pytest.mark.parametrize(
    ("kind", "noise"),
    [("MP3", b"\xff\0"), ("MP3", b"\xff\xff"), ("FLAC", b"\xff\xf8"), ("WAV", b"LIST\0\0\0\0")],
)
def test_noise_behind_a_sound_takes_no_square_of_its_length(kind: str, noise: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(written(kind) + noise * (2**21 // len(noise)))
    begun = time.process_time()
    usable(partial(decode, tmp_path / "x"))
    assert time.process_time() - begun < 5


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    for name in ("a", "b"):
        for i in range(2):
            sound(folder / name / f"{i}.wav")
    os.mkfifo(folder / "a" / "pipe.wav")
    (folder / "a" / "device.wav").symlink_to("/dev/zero")
    (folder / "a" / "loop.wav").symlink_to("loop.wav")
    (folder / "b" / "up").symlink_to(folder)
    for name in ("pipe.wav", "device.wav"):
        with pytest.raises(Unusable, match="is no file, but a folder, a pipe or a device"):
            decode(folder / "a" / name)
    assert [path.name for path in find_files([folder])] == ["0.wav", "1.wav"] * 2
    rows = [f"{name}/{i}.wav,{name},{i + 1}" for name in ("a", "b") for i in range(2)]
    (folder / "t.csv").write_text("\n".join(["path,label,fold", *rows]))
    own = task({"name": "folder", "path": "own", "table": "t.csv", "folds": 2})
    made = audit({"own": own}, tmp_path, Progress(), content=True)
    assert (made.data_sets[0].clips, made.data_sets[0].unread) == (4, [])
