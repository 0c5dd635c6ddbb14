"""Files of tensors that contain a digest of their content. torch is loaded only where it is needed."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import Damaged

if TYPE_CHECKING:
    from torch import Tensor

_ENTRY = "audiobench"  # of the header: metadata and digest, as JSON


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file with metadata and a digest of its content.

    Raises:
        OSError: with its number, which safetensors hides in the message: a full disk must be told from a defect.
    """
    plain = _plain(tensors)
    entry = {"facts": dict(metadata or {}), "sha256": _digest(plain, metadata or {})}
    # In one entry, because several entries would be in another order every time.
    _save(path, plain, {_ENTRY: json.dumps(entry, sort_keys=True)})


def write_for_others(path: Path, tensors: "Mapping[str, Tensor]") -> None:
    """Writes a safetensors file with the header that transformers and its relatives ask for, and without a digest.

    Raises:
        OSError: as ``write_tensors`` does.
    """
    _save(path, _plain(tensors), {"format": "pt"})


def _plain(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def _save(path: Path, plain: "dict[str, Tensor]", header: dict[str, str]) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(plain, path, header)
    except SafetensorError as error:
        hidden = re.search(r"([^:]*) \(os error (\d+)\)", str(error))
        if hidden is None:
            raise
        why, number = hidden[1].strip(), int(hidden[2])
        raise OSError(number, why, str(path), number) from error  # given last, Windows takes the number for its own


def read_tensors(path: Path) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """The tensors of a safetensors file, and its metadata.

    The bytes are read, not mapped: torch now and then fails to slice a mapped file ("could not determine the shape of
    object type 'torch.storage.UntypedStorage'").

    Raises:
        Damaged: if the content differs from its digest. Files of earlier versions and of others have no digest.
        SafetensorError: if it is no safetensors file.
    """
    from safetensors import safe_open
    from safetensors.torch import load

    with safe_open(path, framework="np") as file:
        header: dict[str, str] = file.metadata() or {}
    tensors = load(path.read_bytes())
    if _ENTRY not in header:
        return tensors, header
    try:
        entry = json.loads(header[_ENTRY])
        metadata, whole = entry["facts"], entry["sha256"] == _digest(tensors, entry["facts"])
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        raise Damaged(f"{path.name} is not what was written: it differs from its own digest", path)
    return tensors, metadata


def carries_digest(path: Path) -> bool:
    """Whether a safetensors file contains a digest of its content; ``read_tensors`` compares the two."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return _ENTRY in (file.metadata() or {})


def _digest(tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str]) -> str:
    """SHA-256 of the metadata, and of the tensors' names, types, shapes and bytes."""
    from torch import uint8

    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(uint8).numpy().data)
    return digest.hexdigest()
