"""Archives from strangers, made in memory: each by its name, with the files of a miniature ESC-50 beside the evil."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Sequence

from tests.benchmark.conftest import esc50_files, tarred, zipped

ROOT = "ESC-50-master"
GOOD = esc50_files()
Archive = tuple[str, bytes]  # its file's name, and its content

# What leads outside, and what no system writes.
NAMES = {
    "climbs": "../evil",
    "climbs from below": f"{ROOT}/../../evil",
    "absolute": "/evil",
    "absolute twice": "//evil",
    "backslashes": "..\\evil",
    "a drive": "C:\\evil",
    "from a drive's root": "\\evil",
    "a share": "\\\\host\\share\\evil",
    "a device of Windows": f"{ROOT}/..\\..\\evil",
    "too long a name": f"{ROOT}/{'x' * 300}",
    "too long a path": "/".join(["x" * 200] * 30),
    "300 folders deep": "/".join(["d"] * 300),
    "1,900 folders deep": "/".join(["d"] * 1900),
    "no name": "",
    "a point": ".",
    "a folder's place": f"{ROOT}/audio",
    "below a file": f"{ROOT}/meta/esc50.csv/evil",
}


def by_name(pack: Callable[[dict[str, bytes]], bytes], kind: str) -> dict[str, Archive]:
    files = {f"{ROOT}/meta/esc50.csv": b"", f"{ROOT}/audio/x.wav": b""}
    return {f"{kind}, {what}": (f"a.{kind}", pack({**files, name: b"evil"})) for what, name in NAMES.items()}


def tar_of(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:  # type: ignore[call-overload]
        for member, body in members:
            archive.addfile(member, io.BytesIO(body))
    return content.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


def good_members() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [(member(name, size=len(body)), body) for name, body in GOOD.items()]


def members_alone() -> bytes:
    """A tar of the good files, without its end."""
    return b"".join(m.tobuf() + body + bytes(-len(body) % tarfile.BLOCKSIZE) for m, body in good_members())


def links_and_devices() -> dict[str, Archive]:
    inside = f"{ROOT}/audio/x.wav"
    evil = {
        "a link out": [member("out", tarfile.SYMTYPE, "/etc"), member("out/evil")],
        "a link up": [member("up", tarfile.SYMTYPE, ".."), member("up/evil")],
        "a hard link out": [member(inside, tarfile.LNKTYPE, "/etc/passwd")],
        "a hard link up": [member(inside, tarfile.LNKTYPE, "../../evil")],
        "a hard link inside": [member(inside, tarfile.LNKTYPE, f"{ROOT}/meta/esc50.csv")],
        "a link to itself": [member(inside, tarfile.SYMTYPE, "x.wav")],
        "links in a loop": [member("a", tarfile.SYMTYPE, "b"), member("b", tarfile.SYMTYPE, "a"), member("a/evil")],
        "a pipe": [member(inside, tarfile.FIFOTYPE)],
        "a device": [member(inside, tarfile.CHRTYPE)],
        "a disk": [member(inside, tarfile.BLKTYPE)],
        "an unknown kind": [member(inside, b"Z")],
        "the same name twice": [member(f"{ROOT}/meta/esc50.csv")],
    }
    return {f"tar, {what}": ("a.tar", tar_of(*good_members(), *((m, b"") for m in of))) for what, of in evil.items()}


def whole_but() -> dict[str, Archive]:
    """Archives that hold the whole data set, so that nothing else would refuse them, and one thing more."""
    again, deep = f"{ROOT}/audio/1-0-A-0.wav", "/".join([ROOT, *["d"] * 300])
    return {
        "tar, a recording twice": ("a.tar", tar_of(*good_members(), (member(again, size=4), b"evil"))),
        "zip, a recording twice": (
            "a.zip",
            zip_of(*((zipfile.ZipInfo(n), b) for n, b in (*GOOD.items(), (again, b"x")))),
        ),
        "zip, deep beside the rest": ("a.zip", zipped({**GOOD, deep: b"x"})),
        "tar, without an end": ("a.tar", members_alone()),
        "tar, a pipe beside the rest": ("a.tar", tar_of(*good_members(), (member("x", tarfile.FIFOTYPE), b""))),
        "zip, an encrypted recording": encrypted(),
        "zip, another method": another_method(),
    }


def good_by(method: int) -> list[tuple[zipfile.ZipInfo, bytes]]:
    infos = [zipfile.ZipInfo(name) for name in GOOD]
    for info in infos:
        info.compress_type = method
    return list(zip(infos, GOOD.values(), strict=True))


def another_method() -> Archive:
    """Of WavPack, which zips may hold."""
    content = bytearray(zipped(GOOD))
    struct.pack_into("<H", content, content.rindex(b"PK\1\2") + 10, 97)
    return "a.zip", bytes(content)


def encrypted() -> Archive:
    content = bytearray(zipped(GOOD))
    content[content.rindex(b"PK\1\2") + 8] = 1
    return "a.zip", bytes(content)


def sizes_that_lie() -> dict[str, Archive]:
    long = member(f"{ROOT}/long", size=2**40).tobuf(tarfile.GNU_FORMAT)
    less = bytearray(zipped(GOOD))
    at = less.rindex(b"PK\1\2")
    struct.pack_into("<L", less, at + 24, 7)
    more = bytearray(zipped(GOOD))
    struct.pack_into("<L", more, at + 24, 0x7FFFFFFF)
    pax = member("pax", tarfile.XHDTYPE, size=2**33 - 1).tobuf(tarfile.USTAR_FORMAT)
    name = member("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=2**33).tobuf(tarfile.GNU_FORMAT)
    return {
        "tar, a size of a terabyte": ("a.tar", members_alone() + long + bytes(4096)),
        "tar, a header of 8 GB": ("a.tar", pax + bytes(10240)),
        "tar, a name of 8 GB": ("a.tar", name + bytes(10240)),
        "tar, a number of a million digits": ("a.tar", pax_of(b"1" * 900_000)),
        "tar, many long numbers": ("a.tar.gz", gzip.compress(pax_of(b"1" * 50_000) * 200)),
        "tar, a size below zero": ("a.tar", members_alone() + negative() + bytes(4096)),
        "tar, a sparse file of 8 EB": ("a.tar", sparse(2**62)),
        "tar, a sparse map of 2**63": ("a.tar", sparse(2**63 - 1, at=2**63 - 1)),
        "zip, a size too small": ("a.zip", bytes(less)),
        "zip, a size too large": ("a.zip", bytes(more)),
    }


def pax_of(content: bytes) -> bytes:
    head = member("pax", tarfile.XHDTYPE, size=len(content)).tobuf(tarfile.USTAR_FORMAT)
    return head + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def negative() -> bytes:
    head = bytearray(member(f"{ROOT}/x", size=0).tobuf(tarfile.GNU_FORMAT))
    head[124:136] = b"\xff" * 8 + (2**32 - 512).to_bytes(4)
    head[148:156] = b" " * 8
    head[148:155] = f"{sum(head[:512]):06o}".encode() + b"\0"
    return bytes(head)


def sparse(size: int, at: int = 0) -> bytes:
    """A file that is a hole, in the form of GNU tar 1.0."""
    chart = f"1\n{at}\n5\n".encode().ljust(512, b"\0")
    hole = tarfile.TarInfo(f"{ROOT}/hole")
    hole.size = 517
    hole.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": f"{ROOT}/hole"}
    hole.pax_headers["GNU.sparse.realsize"] = str(size)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(hole, io.BytesIO(chart + b"hello"))
    return content.getvalue()


def zips_that_lie() -> dict[str, Archive]:
    whole = zipped(GOOD)
    directory = whole.index(b"PK\1\2")

    def patched(place: int, form: str, *values: object) -> Archive:
        content = bytearray(whole)
        struct.pack_into(form, content, place, *values)
        return "a.zip", bytes(content)

    last = whole.rindex(b"PK\1\2")
    end = whole.rindex(b"PK\5\6")
    link = zipfile.ZipInfo("out")
    link.external_attr = 0o120777 << 16
    pipe = zipfile.ZipInfo(f"{ROOT}/audio/x.wav")
    pipe.external_attr = 0o010777 << 16
    return {
        "zip, encrypted": patched(directory + 8, "<H", 1),
        "zip, strongly encrypted": patched(directory + 8, "<H", 0x41),
        "zip, compressed patch data": patched(directory + 8, "<H", 0x20),
        "zip, an unknown compression": patched(directory + 10, "<H", 99),
        "zip, Deflate64": patched(directory + 10, "<H", 9),
        "zip, a wrong checksum": patched(last + 16, "<L", 1),
        "zip, a version to come": patched(directory + 6, "<H", 9999),
        "zip, an offset beyond": patched(directory + 42, "<L", 0x7FFFFFFF),
        "zip, entries that overlap": patched(last + 42, "<L", 0),
        "zip, a directory elsewhere": patched(end + 16, "<L", 0x7FFFFFFF),
        "zip, a directory too large": patched(end + 12, "<L", 0x7FFFFFFF),
        "zip, more entries than are there": patched(end + 8, "<2H", 60000, 60000),
        "zip, a piece that is not there": patched(end + 4, "<2H", 7, 7),
        "zip, names that are no UTF-8": patched_name(whole, b"\xff\xfe\xfd", flag=0x800),
        "zip, a name with a zero byte": patched_name(whole, b"a\0b"),
        "zip, a name with a line break": patched_name(whole, b"a\nb"),
        "zip, a link": ("a.zip", zip_of((link, b"/etc"), (zipfile.ZipInfo("out/evil"), b"evil"))),
        "zip, a pipe": ("a.zip", zip_of(*((zipfile.ZipInfo(n), b) for n, b in GOOD.items()), (pipe, b"x"))),
        "zip, the same name twice": ("a.zip", zip_of((zipfile.ZipInfo("x"), b"1"), (zipfile.ZipInfo("x"), b"2"))),
        "zip, no entries": ("a.zip", zip_of()),
        "zip, an extra field cut short": patched(directory + 30, "<H", 3),
        "zip, bytes before it": ("a.zip", b"#!/bin/sh\n" * 9 + whole),
        "zip, an end record alone": ("a.zip", whole[end:]),
        "zip, in a zip": ("a.zip", zipped({"b.zip": whole})),
    }


def zip_of(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for info, body in entries:
            archive.writestr(info, body)
    return content.getvalue()


def patched_name(whole: bytes, begin: bytes, flag: int = 0) -> Archive:
    """A zip whose last entry has a name that begins so, in both its heads."""
    content = bytearray(whole)
    entry = content.rindex(b"PK\1\2")
    (local,) = struct.unpack_from("<L", content, entry + 42)
    for place, flags in ((entry + 46, entry + 8), (local + 30, local + 6)):
        content[place : place + len(begin)] = begin
        struct.pack_into("<H", content, flags, flag)
    return "a.zip", bytes(content)


def damaged(cuts: Sequence[float], holes: Sequence[float]) -> dict[str, Archive]:
    """Every kind of archive, cut after shares of its length, and with nine zeros there."""
    cases = {}
    for kind in ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz"):
        whole = zipped(GOOD) if kind == "zip" else tarred(GOOD, mode=f"w:{kind[4:]}")
        for share in cuts:
            cases[f"{kind}, cut at {share}"] = (f"a.{kind}", whole[: int(share * len(whole))])
        for share in holes if kind != "tar" else holes[:1]:  # a plain tar has checksums of its heads alone
            at = int(share * len(whole))
            cases[f"{kind}, zeros at {share}"] = (f"a.{kind}", whole[:at] + bytes(9) + whole[at + 9 :])
        cases[f"{kind}, a head alone"] = (f"a.{kind}", whole[:6] + b"\xff" * 5000)
    return cases


def misnamed() -> dict[str, Archive]:
    return {
        "a zip called a tar": ("a.tar", zipped(GOOD)),
        "a tar called a zip": ("a.zip", tarred(GOOD)),
        "text called a zip": ("a.zip", b"<html>not found</html>"),
        "text called a tar": ("a.tar.gz", b"<html>not found</html>"),
        "zstandard": ("a.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(100)),
        "7z": ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100)),
        "a gzip of text": ("a.tar.gz", gzip.compress(b"hello")),
        "zeros": ("a.tar", bytes(10240)),
        "a zip of zeros": ("a.zip", bytes(10240)),
    }


def bombs(size: int) -> dict[str, Archive]:
    """Archives that unpack to so many bytes of nothing, from a thousandth of them or less."""
    one = member(f"{ROOT}/audio/x.wav", size=size)
    nothing = one.tobuf() + bytes(size) + bytes(10240)
    return {
        "zip, a bomb": ("a.zip", zipped({**GOOD, f"{ROOT}/audio/x.wav": bytes(size)})),
        "zip, a bomb in entries that overlap": ("a.zip", overlapping(size // 20, 20)),
        "tar.gz, a bomb": ("a.tar.gz", gzip.compress(nothing)),
        "tar.bz2, a bomb": ("a.tar.bz2", bz2.compress(nothing)),
        "tar.xz, a bomb": ("a.tar.xz", lzma.compress(nothing, preset=0)),
        "tar.gz, a bomb of a header": (
            "a.tar.gz",
            gzip.compress(member("pax", tarfile.XHDTYPE, size=size).tobuf(tarfile.USTAR_FORMAT) + bytes(size)),
        ),
        "tar.gz, a bomb behind the end": ("a.tar.gz", gzip.compress(tarred(GOOD, mode="w") + bytes(size))),
    }


def overlapping(size: int, count: int) -> bytes:
    """A zip of many entries that all are the same bytes."""
    whole = zipped({"x": bytes(size)})
    at, end = whole.index(b"PK\1\2"), whole.index(b"PK\5\6")
    entries = b"".join(
        whole[at : at + 46].replace(struct.pack("<H", 1), struct.pack("<H", 3), 0)[:28]
        + struct.pack("<H", 3)
        + whole[at + 30 : at + 46]
        + f"{i:03}".encode()
        for i in range(count)
    )
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(entries), at, 0)
    assert end > at
    return whole[:at] + entries + tail


def many(count: int) -> dict[str, Archive]:
    """Archives of many empty files."""
    names = [f"{ROOT}/audio/{i}" for i in range(count)]
    return {
        "zip, many members": ("a.zip", zipped(dict.fromkeys(names, b""))),
        "tar.gz, many members": ("a.tar.gz", tarred(dict.fromkeys(names, b""))),
    }
