"""Files that are whole or not there."""

import errno
import os
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmark.store import files
from benchmark.store.files import is_settled, refusal, replace_file, signature, write_text
from registry.tensors import write_tensors


def test_a_file_that_could_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, lambda aside: aside.write_text("old"))

    def broken(aside: Path) -> None:
        aside.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        replace_file(path, broken)
    assert caught.value.filename == str(path)
    assert "free some space" in str(refusal(caught.value))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_tensors_come_back_and_a_failure_to_write_has_its_number(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4).T, "b": torch.arange(5)}
    write_tensors(tmp_path / "t.safetensors", tensors)
    again = load_file(tmp_path / "t.safetensors")
    assert all(torch.equal(tensors[name], again[name]) for name in tensors)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what matters
        write_tensors(tmp_path / "no such folder" / "t.safetensors", tensors)
    assert caught.value.errno == errno.ENOENT


def test_a_text_is_utf_8_with_plain_ends_of_lines(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "text", "größer\n\ud800")
    assert (tmp_path / "new" / "text").read_bytes() == "größer\n\\ud800".encode()
    for folder in (tmp_path / "new", Path()):
        with pytest.raises((IsADirectoryError, PermissionError)):  # the second on Windows
            write_text(folder, "")


@pytest.mark.parametrize(("windows", "refusals", "moves"), [(True, 2, True), (True, 3, False), (False, 1, False)])
def test_what_a_virus_scanner_has_open_is_moved_once_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: bool, refusals: int, moves: bool
) -> None:
    left, plain = [True] * refusals, os.replace

    def replace(source: Path, target: Path) -> None:
        if left:
            left.pop()
            raise PermissionError(errno.EACCES, "Access is denied")
        plain(source, target)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(files, "WINDOWS", windows)
    monkeypatch.setattr(files, "_PAUSES_S", (0.0, 0.0))
    (tmp_path / "a").mkdir()
    if moves:
        files.move(tmp_path / "a", tmp_path / "b")
    else:
        with pytest.raises(PermissionError):
            files.move(tmp_path / "a", tmp_path / "b")
    assert not left
    assert (tmp_path / "b").exists() == moves


def test_on_windows_a_file_changes_when_it_is_written_and_not_when_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time that others give of the last change is there that of a file's making, and stays."""
    path = tmp_path / "file"
    path.touch()
    written = time.time_ns() + 10**18
    os.utime(path, ns=(written, written))
    monkeypatch.setattr(files, "WINDOWS", True)
    assert files.changed_ns(path.stat()) == written
    assert not is_settled(signature(path.stat()))
