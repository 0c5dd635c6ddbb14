"""Folders that may hold anything: what is no file is passed over, and every walk comes to an end."""

import os
from pathlib import Path

import pytest

from registry.errors import Mistake
from registry.files import files_below, size_at


def test_files_are_found_through_links_and_once_in_a_loop(tmp_path: Path) -> None:
    inside = tmp_path / "set" / "a" / "b"
    inside.mkdir(parents=True)
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "z.wav").write_bytes(b"zz")
    (inside / "y.wav").write_bytes(b"y")
    (inside / "up").symlink_to(tmp_path / "set")
    (inside / "far").symlink_to(tmp_path / "far")
    (inside / "itself").symlink_to("itself")
    (inside / "nowhere").symlink_to("gone")
    (inside / "device").symlink_to("/dev/zero")
    os.mkfifo(inside / "pipe.wav")
    assert sorted(files_below(tmp_path / "set")) == ["a/b/far/z.wav", "a/b/y.wav"]
    sizes = {path.name: size_at(path) for path in inside.iterdir()}
    assert {name for name, size in sizes.items() if size >= 0} == {"y.wav"}
    assert size_at(inside / ("x" * 300)) == size_at(inside / "y.wav" / "x") == -1


def test_folders_without_end_are_refused(tmp_path: Path) -> None:
    for i in range(40):  # 2 ** 40 ways
        (tmp_path / "many" / str(i)).mkdir(parents=True)
        for name in ("a", "b"):
            (tmp_path / "many" / str(i) / name).symlink_to(tmp_path / "many" / str(i + 1))
    with pytest.raises(Mistake, match="links lead to this folder again and again"):
        list(files_below(tmp_path / "many" / "0"))
    deep = tmp_path / "deep"
    (deep / "/".join(["d"] * 300)).mkdir(parents=True)
    with pytest.raises(Mistake, match="more than 200 folders lie inside one another"):
        list(files_below(deep))
