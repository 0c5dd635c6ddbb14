"""Files that are either whole or not there."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Writes a file aside, brings it to the disk, and puts it in place of the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(aside)
        sync(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Waits until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]", facts: dict[str, str] | None = None) -> None:
    """Writes a safetensors file.

    Raises:
        OSError: with its number, where safetensors hides it in words: a full disk must be told from a defect.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, path, facts)
    except SafetensorError as error:
        hidden = re.search(r"os error (\d+)", str(error))
        if hidden is None:
            raise
        raise OSError(int(hidden[1]), os.strerror(int(hidden[1])), str(path)) from error


def read_tensors(path: Path) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """The tensors of a safetensors file and the facts in its metadata.

    The bytes are read, not mapped: torch now and then fails to slice a mapped file ("could not determine the shape of
    object type 'torch.storage.UntypedStorage'").
    """
    from safetensors import safe_open
    from safetensors.torch import load

    with safe_open(path, framework="np") as file:
        facts: dict[str, str] = file.metadata() or {}
    return load(path.read_bytes()), facts
