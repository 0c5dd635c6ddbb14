"""Files of tensors that contain a digest of their content. torch is loaded only where it is needed."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    _save(path, plain, stated(metadata or {}, _digest(plain, metadata or {})))


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
    return tensors, checked(path, header, lambda metadata: _digest(tensors, metadata))


def carries_digest(path: Path) -> bool:
    """Whether a safetensors file contains a digest of its content; ``read_tensors`` compares the two."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return _ENTRY in (file.metadata() or {})


def stated(metadata: Mapping[str, str], digest: str) -> dict[str, str]:
    """The metadata and the digest as a header states them: in one entry, because several would change their order."""
    return {_ENTRY: json.dumps({"facts": dict(metadata), "sha256": digest}, sort_keys=True)}


def checked(path: Path, header: dict[str, str], digest: Callable[[Mapping[str, str]], str]) -> dict[str, str]:
    """The metadata that a header states, once its digest is compared with that of the content.

    Args:
        path: of the file.
        header: of the file; that of an earlier version or of others states no digest.
        digest: of the content, together with the metadata.

    Raises:
        Damaged: if they differ.
    """
    if _ENTRY not in header:
        return header
    try:
        entry = json.loads(header[_ENTRY])
        metadata: dict[str, str] = entry["facts"]
        whole = entry["sha256"] == digest(metadata)
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        raise Damaged(f"{path.name} is not what was written: it differs from its own digest", path)
    return metadata


def digest_of(metadata: Mapping[str, str], contents: Iterable[tuple[str, str, Sequence[int], Iterable[Any]]]) -> str:
    """SHA-256 of the metadata, and of each tensor's name, type (``torch.float32``), shape and bytes, sorted by name."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, type_, shape, pieces in sorted(contents, key=lambda content: content[0]):
        digest.update(json.dumps([name, type_, list(shape)]).encode())
        for piece in pieces:
            digest.update(piece)
    return digest.hexdigest()


def _digest(tensors: "Mapping[str, Tensor]", metadata: Mapping[str, str]) -> str:
    from torch import uint8

    contents = (
        (name, str(tensor.dtype), tensor.shape, [tensor.reshape(-1).view(uint8).numpy().data])
        for name, tensor in tensors.items()
    )
    return digest_of(metadata, contents)
