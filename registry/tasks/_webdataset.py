"""Recordings in tars of the format webdataset: members of one key that follow one another are one sample.

Sources: webdataset's documentation of its format; the tars of X-ARES (github.com/jimbozhang/xares). Only headers are
read to list them, and nothing is extracted. What is no plain file (links, devices), or leads upwards, is not read.
"""

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from registry.decode import endings
from registry.errors import Mistake
from registry.tasks import Inside
from registry.tasks._recording import Recording, recording_of, row_of, told_by_names

_NAME = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)", re.DOTALL)  # the key, and the suffix from the first point on
_LARGEST = 10_000_000  # bytes of a member that is read to list a sample


@dataclass(frozen=True)
class Member(Inside):
    """A member of a tar: where its bytes begin, and how many they are."""

    begin: int
    length: int

    @property
    def name(self) -> str:
        return f"{self.begin}+{self.length}"

    def read(self) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.begin)
            content = file.read(self.length)
        if len(content) < self.length:
            raise ValueError(f"{self.path.name} ends within it")
        return content


def in_tars(folder: Path, files: Sequence[Path], label: str) -> tuple[list[Recording], dict[str, int]]:
    """The recordings in some tars, and how many members were of no use, by tar and suffix.

    A sample is a sound and what has its key: ``.json`` with fields, or ``.cls`` or ``.txt`` with the label alone.

    Args:
        folder: of the data set.
        files: tars below it.
        label: the JSON's field of the label.

    Raises:
        Mistake: if a tar cannot be read to its end, or a sample has no label or two sounds.
    """
    of_file, unused, found = told_by_names(files), Counter[str](), []
    for tar in files:
        name = tar.relative_to(folder).as_posix()
        for key, members in groupby(_members(tar), key=lambda member: member[0]):
            sample: dict[str, Member] = {}
            for _, suffix, member in members:
                if suffix in sample:
                    raise Mistake(f"the sample {key} has {suffix} twice", where=str(tar), fix="give keys to one each")
                if member:
                    sample[suffix] = member
                else:
                    unused[f"{name}/*.{suffix}"] += 1
            sounds = [suffix for suffix in sample if f".{suffix}" in endings()]
            if len(sounds) > 1:
                both = " and ".join(sounds)
                raise Mistake(f"the sample {key} has several sounds, {both}", where=str(tar), fix="keep one")
            if not sounds:
                unused.update(f"{name}/*.{suffix}" for suffix in sample)
                continue
            where = f"{tar}: {key}"
            row = row_of(_fields(sample, label, where), of_file[tar], label, where)
            sound = sample[sounds[0]]
            found.append(recording_of(row, f"{name}/{key}.{sounds[0]}", label, sound, sound.length))
    return found, dict(unused)


def _members(path: Path) -> Iterator[tuple[str, str, Member | None]]:
    """Key, suffix in lower case, and place of each member of a tar; no place if it is not to be read."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            while header := tar.next():
                tar.members = []  # type: ignore[attr-defined]  # it would remember them all
                name = _NAME.fullmatch(header.name)
                if not name or _is_about_the_tar(header.name):
                    continue
                plain = header.isreg() and not header.issparse() and ".." not in header.name.split("/")
                yield name[1], name[2].lower(), Member(path, header.offset_data, header.size) if plain else None
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise tarfile.ReadError(f"there is no header at byte {tar.offset:,}")
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise Mistake(
            f"the tar cannot be read to its end: {error}",
            where=str(path),
            fix="fetch it again; if it is compressed, decompress it, so that it can be read in parts",
        ) from error


def _is_about_the_tar(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _fields(sample: Mapping[str, Member], label: str, where: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "json" in sample:
        try:
            fields = json.loads(_small(sample["json"], where))
        except (ValueError, RecursionError) as error:
            raise Mistake(f"the JSON of the sample cannot be read: {error}", where=where) from error
        if not isinstance(fields, dict):
            raise Mistake("the JSON of the sample is no object with fields", where=where)
    for suffix in ("cls", "txt"):
        if suffix in sample and label not in fields and "value" not in fields:
            try:
                fields[label] = _small(sample[suffix], where).decode()
            except UnicodeDecodeError as error:
                raise Mistake(f"the .{suffix} of the sample is not UTF-8", where=where) from error
    return fields


def _small(member: Member, where: str) -> bytes:
    if member.length > _LARGEST:
        raise Mistake(f"what describes the sample has {member.length:,} bytes", where=where, fix="make it shorter")
    return member.read()
