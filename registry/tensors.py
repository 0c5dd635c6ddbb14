"""Files of tensors that carry a digest of their content. No torch is loaded before it is needed."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import Damaged

if TYPE_CHECKING:
    from torch import Tensor

_METADATA = "audiobench"  # facts and digest, as JSON


def write_tensors(path: Path, tensors: "Mapping[str, Tensor]", facts: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file that carries a digest of its content.

    Raises:
        OSError: with its number, where safetensors hides it in words: a full disk must be told from a defect.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    known = {"facts": dict(facts or {}), "sha256": _digest(plain, facts or {})}
    try:  # one entry, since several would be in another order every time
        save_file(plain, path, {_METADATA: json.dumps(known, sort_keys=True)})
    except SafetensorError as error:
        hidden = re.search(r"os error (\d+)", str(error))
        if hidden is None:
            raise
        raise OSError(int(hidden[1]), os.strerror(int(hidden[1])), str(path)) from error


def read_tensors(path: Path) -> "tuple[dict[str, Tensor], dict[str, str]]":
    """The tensors of a safetensors file and the facts in its metadata.

    The bytes are read, not mapped: torch now and then fails to slice a mapped file ("could not determine the shape of
    object type 'torch.storage.UntypedStorage'").

    Raises:
        Damaged: if they differ from the digest beside the facts; earlier versions, and others, wrote none.
        SafetensorError: if it is no such file.
    """
    from safetensors import safe_open
    from safetensors.torch import load

    with safe_open(path, framework="np") as file:
        metadata: dict[str, str] = file.metadata() or {}
    tensors = load(path.read_bytes())
    if _METADATA not in metadata:
        return tensors, metadata
    try:
        known = json.loads(metadata[_METADATA])
        facts, whole = known["facts"], known["sha256"] == _digest(tensors, known["facts"])
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        raise Damaged(f"{path.name} is not what was written: it differs from its own digest", path)
    return tensors, facts


def carries_digest(path: Path) -> bool:
    """Whether a safetensors file carries a digest of its content, which then ``read_tensors`` compares."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return _METADATA in (file.metadata() or {})


def _digest(tensors: "Mapping[str, Tensor]", facts: Mapping[str, str]) -> str:
    """SHA-256 of names, types, shapes and bytes of tensors, and of facts."""
    from torch import uint8

    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(uint8).numpy().data)
    return digest.hexdigest()
