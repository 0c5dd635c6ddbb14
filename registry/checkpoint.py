"""Files of weights: told from what is none, opened from what they are wrapped in, and judged before they are used."""

import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend
from registry.net import net_state
from registry.tensors import read_tensors

_CONTAINERS = ("state_dict", "model_state_dict", "model")  # torch's habit, many tutorials', PANNs'; Lightning's first
_PREFIXES = ("module.", "_orig_mod.", "encoder.", "model.")  # DataParallel, torch.compile, and nets inside others
_COUNTS = "num_batches_tracked"  # of batch norms: kept since torch 0.4.1, and used by none of ours
_FIX = "name an encoder.safetensors, or a .pth that holds tensors and plain values alone"
# numpy's arrays, which training code keeps beside the weights: data, though a pickle spells them as calls.
_ARRAY, _NUMBER = np.ndarray(0).__reduce__()[0], np.float64(0).__reduce__()[0]  # the calls, wherever numpy keeps them
_PLAIN: list[Any] = [
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefdSU"},
    (_ARRAY, "numpy.core.multiarray._reconstruct"),
    (_ARRAY, "numpy._core.multiarray._reconstruct"),
    (_NUMBER, "numpy.core.multiarray.scalar"),
    (_NUMBER, "numpy._core.multiarray.scalar"),
]
# How files begin that are taken for weights by mistake.
_BEGINNINGS = {
    b"version https://git-lfs": "a pointer of Git LFS: the file itself was not fetched (git lfs pull)",
    b"<": "an HTML page, or another text in angle brackets",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x89HDF": "an HDF5 file, as Keras writes them",
    b"\x93NUMPY": "an array of numpy",
    b"RIFF": "a recording",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Opened:
    """Tensors that fit an encoder and its front end, by their own names, and what was done to find them, in words."""

    tensors: dict[str, Tensor]
    said: tuple[str, ...]


def open_checkpoint(path: Path, encoder: Encoder, frontend: Frontend) -> Opened:
    """The tensors of a file for this encoder: its own, or the source's published ones under its names.

    One container is opened, prefixes are taken off, and what lies beside the prefix (a head) is left out.

    Args:
        path: an ``encoder.safetensors``, a checkpoint in torch's format, or the source's own ``.pth``.
        encoder: of the architecture; it may be on the device ``meta``.
        frontend: what it is fed with; one that learns must find its own tensors there.

    Raises:
        Mistake: if the file holds no weights, those of another architecture (with the names that do not fit), or
            values that no training leaves.
    """
    tensors, said = _named_tensors(path)
    own = net_state(encoder, frontend)
    prefix = max(_prefixes(tensors), key=lambda p: (sum(p + name in tensors for name in own), -len(p)))
    state = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if prefix:
        said.append(f"{prefix!r} before every name")
    if _misfits(own, state) and (_reads_published(encoder) or not set(own) & set(state)):
        state = encoder.translate(state, frontend)
    counts = [name for name in own if name.endswith(_COUNTS) and name not in state]
    state |= {name: torch.zeros((), dtype=torch.long) for name in counts}
    wrong = _misfits(own, state)
    if wrong:
        more = f"; and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise Mistake(
            f"the checkpoint is of another architecture than {type(encoder).__name__}: {'; '.join(wrong[:4])}{more}",
            where=str(path),
            fix="give the entry the encoder settings that the checkpoint was trained with",
        )
    if prefix and (beside := len(tensors) - sum(name.startswith(prefix) for name in tensors)):
        said.append(f"{beside} tensors beside them left out")
    if counts:
        said.append("counts of batches, which it lacks, set to 0")
    judge_values(state, path, {name: tensor.dtype for name, tensor in own.items()})
    return Opened(state, tuple(said))


def judge_file(path: Path) -> None:
    """Raises a Mistake if a file holds no weights, or values that no training leaves."""

    def tensors(content: Any) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, value in content.items() if isinstance(content, Mapping) else ():
            found |= {str(name): value} if isinstance(value, Tensor) else tensors(value)
        return found

    judge_values(tensors(read_weights(path)), path)


def judge_values(state: Mapping[str, Tensor], path: Path, own: Mapping[str, torch.dtype] | None = None) -> None:
    """Raises a Mistake for values that no training leaves: NaN, infinities, variances below zero.

    Args:
        state: by name.
        path: the file that they are of.
        own: the types that they are brought to: what overflows there is infinite.
    """
    for name, tensor in state.items():
        kind = (own or {}).get(name, tensor.dtype)
        problem = ""
        if kind.is_floating_point and not tensor.dtype.is_floating_point:
            problem = f"{name} is of whole numbers ({tensor.dtype})".replace("torch.", "")
        elif tensor.dtype.is_floating_point:
            value = tensor.to(kind) if kind.is_floating_point else tensor
            if value.isnan().any():
                problem = f"{name} holds NaN"
            elif value.isinf().any():
                problem = f"{name} holds infinite values"
            elif name.endswith("running_var") and (value < 0).any():
                problem = f"{name} is below zero, and no variance is"
        if problem:
            raise Mistake(f"no training leaves such weights: {problem}", where=str(path), fix="use another checkpoint")


def read_weights(path: Path) -> Any:
    """What a file of weights holds: tensors by name, or what a program saved them in. No code in it is run.

    Raises:
        Mistake: if it is no such file; the message says what it is, as far as its beginning tells.
    """
    try:
        if foreign := _foreign(path):
            raise Mistake(f"no readable weights: this is {foreign}", where=str(path), fix=_FIX)
        if _is_safetensors(path):
            return read_tensors(path)[0]
        with torch.serialization.safe_globals(_PLAIN), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Mistake:
        raise
    except UnpicklingError as error:
        raise Mistake(f"no readable weights: {_of_pickle(str(error))}", where=str(path), fix=_FIX) from error
    except SafetensorError as error:
        raise Mistake(f"no readable weights: damaged safetensors ({error})", where=str(path), fix=_FIX) from error
    except OSError as error:
        raise Mistake(f"no readable weights: {error.strerror or error}", where=str(path), fix=_FIX) from error
    except Exception as error:  # whatever the unpickler of torch makes of bytes that are no pickle, or of a part of one
        raise Mistake(
            "no readable weights: this is damaged, or of no known format", where=str(path), fix=_FIX
        ) from error


def _named_tensors(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors by name, and the containers that they lay in."""
    content, said = read_weights(path), list[str]()
    while isinstance(content, Mapping) and not _by_name(content) and (inside := _container(content, path)):
        content = content[inside]
        said.append(f"the container {inside!r}")
    if not isinstance(content, Mapping) or not content:
        what = "nothing" if isinstance(content, Mapping) else f"one {type(content).__name__}"
        raise Mistake(f"the file holds no tensors by name, but {what}", where=str(path), fix=_FIX)
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            what = f"{name[:60]!r} is {type(value).__name__}" if isinstance(name, str) else f"one is called {name!r}"
            fix = f"save the encoder's alone, or as {', '.join(_CONTAINERS)}"
            raise Mistake(f"the file holds no tensors by name: {what}", where=str(path), fix=fix)
    return dict(content), said


def _container(content: Mapping[Any, Any], path: Path) -> str | None:
    """The part of a checkpoint that holds its weights: one of the usual names, or else the only one with tensors."""
    usual = [name for name in _CONTAINERS if isinstance(content.get(name), Mapping)]
    filled = [name for name in usual if _by_name(content[name])] or usual
    others = [name for name, value in content.items() if isinstance(name, str) and _by_name(value)]
    found = filled or others
    if len(found) > 1:
        what = f"the file has tensors in several places: {', '.join(found[:5])}"
        raise Mistake(what, where=str(path), fix="save the encoder's alone")
    return found[0] if found else None


def _by_name(value: object) -> bool:
    """Whether something is tensors by name, and no less than one."""
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())


def _prefixes(names: Mapping[str, Tensor]) -> set[str]:
    """Every row of known prefixes that some name begins with, the empty one included."""
    found = {""}
    for name in names:
        prefix = ""
        while part := next((p for p in _PREFIXES if name.startswith(prefix + p)), ""):
            prefix += part
            found.add(prefix)
    return found


def _reads_published(encoder: Encoder) -> bool:
    return type(encoder).translate is not Encoder.translate


def _misfits(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """What is missing, too much, or of another shape."""
    wrong = [f"missing {name}" for name in own if name not in state]
    wrong += [f"surplus {name}" for name in state if name not in own]
    for name, tensor in own.items():
        if name in state and state[name].shape != tensor.shape:
            wrong.append(f"{name} is {list(state[name].shape)}, not {list(tensor.shape)}")
    return wrong


def _foreign(path: Path) -> str:
    """What a file is that holds no weights, from its first bytes; empty where it may hold some."""
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        return "an empty file"
    if head[:4] == b"PK\x03\x04":
        return _foreign_zip(path)
    for beginning, name in _BEGINNINGS.items():
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(beginning):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive"
    if _is_safetensors(path) or head[0] == 0x80:  # as a pickle begins
        return ""
    return "a text" if all(byte >= 32 or byte in b"\t\n\f\r" for byte in head) else "of no known format"


def _foreign_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return "a part of a zip archive: the end is missing"
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside:
        return "a program of TorchScript"
    if "data.pkl" in inside:
        return ""
    return "a file of numpy arrays (.npz)" if names and all(n.endswith(".npy") for n in names) else "a zip archive"


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of a JSON header, and the header's bracket."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and struct.unpack("<Q", head[:8])[0] < 2**31


def _of_pickle(message: str) -> str:
    """What keeps a pickle from being read, in our words: torch advises to switch its safety off."""
    name = next((line.split("GLOBAL ", 1)[1].split()[0] for line in message.splitlines() if "GLOBAL " in line), "")
    if name:
        return f"this is a pickle with code in it ({name.strip(chr(39))}), which is not run"
    return "this is a damaged pickle, or one with code in it, which is not run"
