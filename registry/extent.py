"""Counts how much sound a file contains. Its header may state less, and libsndfile reads only what the header states.

Nothing is decoded here. A file passes unless something shows that it is wrong.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO

_SLACK = 1024  # bytes: some writers count headers, forget padding, or add small tags at the end
_UNKNOWN = 0x7FFF_0000  # a 32-bit length of at least this means a stream: read to the end of the file
_SOUND = (b"data", b"SSND")
_FILES = (b"RIFF", b"RF64", b"FORM", b"caff", b"riff")
# For the first bytes of a file: where its chunks begin, the layout of a chunk's head (name and length), the multiple
# that lengths are padded to, and how many bytes of the head the length includes.
_LAYOUTS = {
    b"RIFF": (12, "<4sI", 2, 0),
    b"RF64": (12, "<4sI", 2, 0),
    b"FORM": (12, ">4sI", 2, 0),
    b"caff": (8, ">4sq", 1, 0),
    b"riff": (40, "<4s12xq", 8, 24),  # Sony's W64
}
_MP3_KBPS = {  # by version (1 or 2) and layer; then by four bits of a frame's head
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_KBPS[2, 3] = _MP3_KBPS[2, 2]
_FLAC_HEAD = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22", re.DOTALL)
_FLAC_FRAME = re.compile(rb"\xff[\xf8\xf9]", re.DOTALL)
_FLAC_TAIL = 1 << 18  # bytes; the last frames lie within them


@dataclass(frozen=True)
class Lack:
    """Sound that is missing from what libsndfile read.

    Args:
        why: the reason, for people.
        samples: about how many samples the file has; 0 where another decoder could not read more either.
    """

    why: str
    samples: int = 0


def lack_of(file: BinaryIO, kind: str, samples: int) -> Lack | None:
    """What is missing if a file contains another amount of sound than was read; None where nothing shows that.

    Args:
        file: at its beginning.
        kind: libsndfile's name of its format: WAV, AIFF, FLAC, OGG, MP3, ...
        samples: how many were read, per channel.
    """
    if kind == "OGG":
        return _ogg(file.read())
    if kind == "FLAC":
        return _flac(file.read(), samples)
    if kind == "MP3":
        return _mp3(file.read(), samples)
    return _chunks(file, samples) if kind in ("WAV", "WAVEX", "AIFF", "AU", "RF64", "CAF", "W64") else None


# Chunks: WAV, AIFF, RF64, W64, CAF; and AU, which has only one.


def _chunks(file: BinaryIO, samples: int) -> Lack | None:
    size, sound, place = file.seek(0, SEEK_END), None, 0
    for name, begin, length in _chunks_of(file, size):
        place = begin
        if sound is not None and name in (*_SOUND, *_FILES):
            return _more(sound, size - begin)
        if name in _SOUND:
            if length >= _UNKNOWN or (length == 0 and samples):  # libsndfile read to the end
                return None
            if begin + length > size + _SLACK:
                return Lack(f"is cut short: its header says {length:,} bytes of sound, and {size - begin:,} are there")
            sound = length
        place = begin + length
    return _more(sound, size - place) if sound is not None and size - place > _SLACK else None


def _more(sound: int, beyond: int) -> Lack:
    return Lack(
        f"holds more than its header says: {beyond:,} bytes follow the {sound:,} that are sound by it", not sound
    )


def _chunks_of(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and length in bytes of each chunk, up to the first that is no chunk, or the end of the file."""
    file.seek(0)
    head = file.read(80)
    if head[:4] in (b".snd", b"dns."):
        yield b"data", *struct.unpack(">II" if head[:1] == b"." else "<II", head[4:12])
        return
    at, layout, pad, counted = _LAYOUTS.get(head[:4], _LAYOUTS[b"RIFF"])
    long = struct.unpack("<Q", head[20:28])[0] if head[:4] == b"RF64" and head[12:16] == b"ds64" else 0
    head_size = struct.calcsize(layout)
    while at <= size - head_size:
        file.seek(at)
        name, length = struct.unpack(layout, file.read(head_size))
        if not (name.isascii() and name.decode().isprintable()):
            return
        length = long if long and name == b"data" else _UNKNOWN if length < 0 else length - counted
        yield name, at + head_size, length
        at += head_size + max(length, 0) + -max(length, 0) % pad


# Ogg


def _ogg(content: bytes) -> Lack | None:
    """Finds streams one after another. (Parallel streams all begin before one of them continues.)"""
    begins = [match.start() for match in re.finditer(rb"OggS\x00[\x02\x06]", content)]
    first = re.search(rb"OggS\x00[\x00\x01\x04\x05]", content)
    later = [begin for begin in begins if first and begin > first.start()]
    if later:
        return Lack(f"holds {len(later) + 1} streams, one after the other, of which the first arrives", 1)
    last = content.rfind(b"OggS")
    lengths = content[last + 27 : last + 27 + content[last + 26]] if last + 26 < len(content) else b""
    if not lengths or last + 27 + len(lengths) + sum(lengths) > len(content):
        return Lack("is cut short: its last page is not whole")
    return None


# FLAC


def _flac(content: bytes, samples: int) -> Lack | None:
    heads = [match.end() for match in _FLAC_HEAD.finditer(content)]
    stated = [int.from_bytes(content[at + 13 : at + 18]) & (2**36 - 1) for at in heads if len(content) >= at + 34]
    if len(stated) > 1:
        return Lack(f"holds {len(stated)} streams, one after the other, of which the first arrives", sum(stated))
    last = _flac_end(content, heads[0]) if heads else 0
    if last > samples:
        return Lack(f"holds more than its header says: {samples:,} of {last:,} samples arrive", last)
    return None


def _flac_end(content: bytes, head: int) -> int:
    """Where the last frame ends, in samples. A frame counts if it is the first, or follows one that was found.

    Returns:
        0 where no frame counts.
    """
    block = int.from_bytes(content[head : head + 2])
    start = max(len(content) - _FLAC_TAIL, 0)
    ends, last = set(), 0
    for match in _FLAC_FRAME.finditer(content, start):
        frame = _flac_frame(content[match.start() : match.start() + 16], block)
        if frame:
            first, length = frame
            last = first + length if first == 0 or first in ends else last
            ends.add(first + length)
    return last


def _flac_frame(head: bytes, block: int) -> tuple[int, int] | None:
    """A frame's first sample, and how many samples it has; None where there is no frame.

    Source: RFC 9639, section 9.1.
    """
    if len(head) < 16:
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()
    number, at = head[4] & (0x7F >> ones), 5
    for byte in head[5 : 4 + max(ones, 1)]:
        number, at = number << 6 | byte & 0x3F, at + 1
    code, rate = head[2] >> 4, head[2] & 15
    wide = {6: 1, 7: 2}.get(code, 0)
    length = int.from_bytes(head[at : at + wide]) + 1 if wide else 0
    at += wide + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    length = length or (
        192 if code == 1 else 576 << (code - 2) if 2 <= code <= 5 else 256 << (code - 8) if code > 7 else 0
    )
    if not length or rate == 15 or _crc8(head[:at]) != head[at]:
        return None
    return (number if head[1] & 1 else number * block), length


def _crc8(content: bytes) -> int:
    crc = 0
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x107) if crc & 0x80 else crc << 1
    return crc


# MP3


def _mp3(content: bytes, samples: int) -> Lack | None:
    """Counts every frame, except tag frames, which state a count and the gaps that players leave out at both ends."""
    total = frame_length = gaps = stated = tags = 0
    for at, length, frame_length in _mp3_frames(content):
        tag = max(content.find(name, at, at + min(length, 64)) for name in (b"Xing", b"Info"))
        if tag < 0:
            total += frame_length
            continue
        tags += 1
        if tags == 1 and content[tag + 7] & 1:
            stated = int.from_bytes(content[tag + 8 : tag + 12]) * frame_length
        if content[tag + 120 : tag + 124] in (b"LAME", b"Lavf", b"Lavc") and tags == 1:
            both = int.from_bytes(content[tag + 141 : tag + 144])
            gaps = (both >> 12) + (both & 0xFFF)
    if total - gaps > samples + 2 * frame_length:
        return Lack(f"holds more than its header says: {samples:,} of about {total - gaps:,} samples arrive", total)
    if stated > total + 2 * frame_length:
        return Lack(f"is cut short: its header says {stated:,} samples, and about {total:,} are there")
    return None


def _mp3_frames(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Place and length in bytes of each frame, and how many samples it has."""
    at, like = 0, None
    while 0 <= at <= len(content) - 4:
        if content.startswith(b"ID3", at):
            a, b, c, d = content[at + 6 : at + 10].ljust(4, b"\0")
            at += 10 + (a << 21 | b << 14 | c << 7 | d)
            continue
        frame = _mp3_frame(content, at)
        if frame and like is None and not _mp3_frame(content, at + frame[0]):
            frame = None  # bytes before the first frame may look like a frame
        if frame and like in (None, frame[2]):
            like = frame[2]
            yield at, frame[0], frame[1]
            at += frame[0]
        else:
            at = min(
                (place for place in (content.find(b"\xff", at + 1), content.find(b"ID3", at + 1)) if place > 0),
                default=-1,
            )


def _mp3_frame(content: bytes, at: int) -> tuple[int, int, int] | None:
    """Length in bytes and in samples of the frame at a place, and the bits that all frames of a file share.

    Returns:
        None where there is no frame.
    """
    head = int.from_bytes(content[at : at + 4]) if len(content) >= at + 4 else 0
    version, layer, bits, rate = head >> 19 & 3, 4 - (head >> 17 & 3), head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    first = version == 3
    hz = (44100, 48000, 32000)[rate] // {3: 1, 2: 2, 0: 4}[version]
    samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    bps = 1000 * _MP3_KBPS[1 if first else 2, layer][bits - 1]
    padding = (head >> 9 & 1) * (4 if layer == 1 else 1)
    length = (12 * bps // hz * 4 if layer == 1 else samples // 8 * bps // hz) + padding
    return length, samples, head >> 17 << 2 | rate
