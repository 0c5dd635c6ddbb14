"""Files that are whole or not there."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmark.store.files import refusal, replace_file, write_text
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
    with pytest.raises(IsADirectoryError):
        write_text(tmp_path / "new", "")
    with pytest.raises(IsADirectoryError):
        write_text(Path(), "")
