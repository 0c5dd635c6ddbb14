"""All the sound of a file, against soundfile's own writing, or a reason by name; never a part without a word."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from registry import decode as decoding
from registry.decode import Unusable, decode

RATE = 16000
SECONDS = 2
CONTAINERS = ("WAV", "AIFF", "AU", "W64", "RF64", "CAF")


def tone(hz: float = 440, seconds: float = SECONDS) -> NDArray[np.float64]:
    noise = np.random.default_rng(0).normal(0, 0.02, int(seconds * RATE))
    wave_T: NDArray[np.float64] = 0.5 * np.sin(2 * np.pi * hz * np.arange(len(noise)) / RATE) + noise
    return wave_T


def written(path: Path, kind: str, wave: NDArray[np.float64] | None = None, **options: object) -> bytes:
    soundfile.write(path, tone() if wave is None else wave, RATE, format=kind, **options)
    return path.read_bytes()


@pytest.fixture
def without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "find_spec", lambda name: None)


def vbr_without_a_count(path: Path) -> bytes:
    """An MP3 of variable rate whose first frame, which says how many there are, is cut off."""
    loud_end = np.concatenate([0.0001 * tone(), tone(900)])
    content = written(path, "MP3", loud_end, bitrate_mode="VARIABLE", compression_level=0.2)
    place = content.index(b"Xing")
    second = content.index(content[:2], place)
    return content[second:]


def with_length(content: bytes, samples: int) -> bytes:
    """A FLAC whose header says another length."""
    field = int.from_bytes(content[18:26]) >> 36 << 36 | samples
    return content[:18] + field.to_bytes(8) + content[26:]


def wav(riff: int, data: int, content: bytes) -> bytes:
    return content[:4] + struct.pack("<I", riff) + content[8:40] + struct.pack("<I", data) + content[44:]


@pytest.mark.parametrize("kind", [*CONTAINERS, "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_whole_files_arrive_as_soundfile_reads_them(kind: str, channels: int, tmp_path: Path) -> None:
    if kind == "MP3" and channels > 2:
        pytest.skip("MP3 has two channels at most")
    levels = np.linspace(1, 0.3, channels)
    written(tmp_path / "x", kind, tone()[:, None] * levels)
    theirs, rate = soundfile.read(tmp_path / "x", dtype="float32", always_2d=True)
    wave_T, ours = decode(tmp_path / "x")
    assert ours == rate == RATE
    assert np.array_equal(wave_T, theirs.mean(1))


@pytest.mark.parametrize("kind", [*CONTAINERS, "FLAC", "OGG", "MP3"])
def test_files_that_are_joined_do_not_lose_the_second(kind: str, tmp_path: Path, without_av: None) -> None:
    first, second = (written(tmp_path / "x", kind, tone(hz)) for hz in (440, 900))
    (tmp_path / "x").write_bytes(first + second)
    with pytest.raises(Unusable, match=r"holds more than its header says|one after the other|does not decode"):
        decode(tmp_path / "x")


@pytest.mark.parametrize("kind", [*CONTAINERS, "FLAC", "OGG", "MP3"])
def test_files_that_are_cut_short_are_refused(kind: str, tmp_path: Path, without_av: None) -> None:
    content = written(tmp_path / "x", kind)
    (tmp_path / "x").write_bytes(content[: len(content) // 2])
    with pytest.raises(Unusable, match=r"is cut short: its|does not decode"):
        decode(tmp_path / "x")


@pytest.mark.parametrize(
    "made",
    [
        vbr_without_a_count,
        lambda path: with_length(written(path, "FLAC"), 8000),
        lambda path: with_length(written(path, "FLAC"), 0),
        lambda path: wav(0, 0, written(path, "WAV")),
        lambda path: wav(36 + 2000, 2000, written(path, "WAV")),
    ],
    ids=["mp3", "flac", "flac 0", "wav 0", "wav"],
)
def test_headers_that_say_less_than_there_is_are_not_believed(
    made: Callable[[Path], bytes], tmp_path: Path, without_av: None
) -> None:
    (tmp_path / "x").write_bytes(made(tmp_path / "y"))
    with pytest.raises(Unusable, match=r"its header (says|does not say)"):
        decode(tmp_path / "x")


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFF0, 0x80000000])
def test_streams_whose_header_says_no_length_are_read_to_the_end(size: int, tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(size, size, written(tmp_path / "y", "WAV")))
    assert len(decode(tmp_path / "x.wav")[0]) == SECONDS * RATE


def test_what_stands_beside_the_sound_is_no_sound(tmp_path: Path) -> None:
    content = written(tmp_path / "y", "WAV")
    notes = b"LIST" + struct.pack("<I", 9000) + bytes(range(250)) * 36
    id3 = b"ID3\x03\0\0\0\0\x46\x28" + b"x" * (0x46 * 128 + 0x28)
    ape = b"APETAGEX" + b"x" * 5000
    for name, whole in (
        ("x.wav", content + notes),
        ("y.wav", wav(36 + len(content) + 30, len(content) - 44 + 40, content)),  # a header counted in
        ("z.wav", content + b"TAG" + bytes(125)),
        ("x.mp3", id3 + written(tmp_path / "y", "MP3") + ape + b"TAG" + bytes(125)),
    ):
        (tmp_path / name).write_bytes(whole)
        assert len(decode(tmp_path / name)[0]) == SECONDS * RATE, name


@pytest.mark.parametrize(
    ("at", "field", "says"),
    [
        (24, struct.pack("<I", 1), "a rate of 1 Hz, which is none of sound"),
        (24, struct.pack("<I", 2_000_000_000), "a rate of 2,000,000,000 Hz"),
        (24, struct.pack("<I", 0), "does not decode"),
        (24, struct.pack("<I", 4_000_000_000), "does not decode"),
        (22, struct.pack("<H", 0), "does not decode"),
        (22, struct.pack("<H", 65535), "does not decode"),
    ],
)
def test_absurd_rates_and_channels_are_named(at: int, field: bytes, says: str, tmp_path: Path) -> None:
    content = written(tmp_path / "y", "WAV")
    (tmp_path / "x.wav").write_bytes(content[:at] + field + content[at + len(field) :])
    with pytest.raises(Unusable, match=says):
        decode(tmp_path / "x.wav")


def test_an_absurd_length_takes_no_memory(tmp_path: Path, without_av: None) -> None:
    (tmp_path / "x.flac").write_bytes(with_length(written(tmp_path / "y", "FLAC"), 2**36 - 1))
    with pytest.raises(Unusable, match="does not say how long it is"):
        decode(tmp_path / "x.flac")


def test_a_recording_that_goes_on_for_ever_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_LONGEST", 10_000)
    monkeypatch.setattr(decoding, "_AT_ONCE", 4_000)
    written(tmp_path / "x.wav", "WAV")
    with pytest.raises(Unusable, match=r"is longer than 0\.0 hours: cut it"):
        decode(tmp_path / "x.wav")


def test_channels_that_cancel_out_are_named(tmp_path: Path) -> None:
    wave_T = tone()
    written(tmp_path / "x.wav", "WAV", np.stack([wave_T, -wave_T], 1), subtype="FLOAT")
    with pytest.raises(Unusable, match="is silent once its channels are averaged"):
        decode(tmp_path / "x.wav")
    written(tmp_path / "x.wav", "WAV", np.stack([wave_T, -0.9 * wave_T], 1))
    written(tmp_path / "y.wav", "WAV", np.zeros((100, 2)))
    assert len(decode(tmp_path / "x.wav")[0]) == SECONDS * RATE
    assert len(decode(tmp_path / "y.wav")[0]) == 100


def test_a_format_that_is_not_known_is_offered_a_decoder(tmp_path: Path, without_av: None) -> None:
    (tmp_path / "x.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(999))
    with pytest.raises(Unusable, match=r"none that libsndfile knows; pip install 'audiobench\[av\]'"):
        decode(tmp_path / "x.m4a")


# With the second decoder.


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        (vbr_without_a_count, 2 * SECONDS),
        (lambda path: 2 * written(path, "OGG"), 2 * SECONDS),
        (lambda path: written(path, "MP3") + written(path, "MP3", tone(900)), 2 * SECONDS),
        (lambda path: 2 * written(path, "FLAC"), 2 * SECONDS),
        (lambda path: with_length(written(path, "FLAC"), 0), SECONDS),
        (lambda path: with_length(written(path, "FLAC"), 8000), SECONDS),
        (lambda path: wav(0, 0, written(path, "WAV")), SECONDS),
    ],
    ids=["vbr", "ogg", "mp3", "flac", "flac 0", "flac less", "wav 0"],
)
def test_av_reads_to_the_end_what_libsndfile_does_not(
    made: Callable[[Path], bytes], seconds: float, tmp_path: Path
) -> None:
    pytest.importorskip("av")
    (tmp_path / "x").write_bytes(made(tmp_path / "y"))
    wave_T, rate = decode(tmp_path / "x")
    assert len(wave_T) / rate == pytest.approx(seconds, abs=0.2)
    assert np.sqrt(np.mean(wave_T[-RATE:-2000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)  # a tone to the end


def test_av_reads_m4a_and_names_what_is_broken(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    wave_T = tone().astype(np.float32)
    with av.open(str(tmp_path / "x.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        for piece in np.split(wave_T, range(1024, len(wave_T), 1024)):
            frame = av.AudioFrame.from_ndarray(np.stack([piece, np.zeros_like(piece)]), "fltp", "stereo")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    read_T, rate = decode(tmp_path / "x.m4a")
    assert rate == RATE
    assert len(read_T) == pytest.approx(len(wave_T), abs=2048)
    assert np.abs(read_T).max() == pytest.approx(0.25, abs=0.05)  # the mean of a tone and silence
    content = (tmp_path / "x.m4a").read_bytes()
    (tmp_path / "x.m4a").write_bytes(content[: len(content) // 2])
    with pytest.raises(Unusable, match=r"does not decode|is cut short"):
        decode(tmp_path / "x.m4a")
    (tmp_path / "x.m4a").write_bytes(b"x" * 99)
    with pytest.raises(Unusable, match=r"does not decode .*and by av"):
        decode(tmp_path / "x.m4a")
