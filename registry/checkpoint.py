"""Files of weights: recognised, unwrapped, and checked before they are used."""

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
from registry.net import FRONTEND_OF_NET, OF_FRONTEND, net_state
from registry.tensors import read_tensors

_CONTAINERS = ("state_dict", "model_state_dict", "model")  # used by torch and Lightning; many tutorials; PANNs
_PREFIXES = ("module.", "_orig_mod.", "encoder.", "model.")  # of DataParallel, torch.compile, and nets inside others
_COUNTS = "num_batches_tracked"  # of batch norms: stored since torch 0.4.1; none of our nets uses it
_DEEPEST = 50  # containers, one in the other
_MOST = 1_000_000  # values, those that are there several times counted as often
_REPEATED = 2**26  # bytes of a tensor that repeats its values, beyond those that it holds
_FIX = "name an encoder.safetensors, or a .pth that holds tensors and plain values alone"
# Training code stores numpy's arrays beside the weights. They are data, although a pickle writes them as calls.
_ARRAY, _NUMBER = np.ndarray(0).__reduce__()[0], np.float64(0).__reduce__()[0]  # the called functions
_PLAIN: list[Any] = [
    np.ndarray,
    np.dtype,
    *{type(np.dtype(code)) for code in "?bBhHiIlLqQefdSU"},
    (_ARRAY, "numpy.core.multiarray._reconstruct"),
    (_ARRAY, "numpy._core.multiarray._reconstruct"),
    (_NUMBER, "numpy.core.multiarray.scalar"),
    (_NUMBER, "numpy._core.multiarray.scalar"),
]
# First bytes of files that users take for weights by mistake.
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
    """Tensors that fit an encoder and its front end, by their names, and notes on how they were found."""

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


def open_checkpoint(path: Path, encoder: Encoder, frontend: Frontend) -> Opened:
    """Reads the tensors of a file for this encoder. Published tensors of the source get the encoder's names.

    A container is opened, and a prefix is removed from the names; tensors without this prefix (a head) are left out.

    Args:
        path: an ``encoder.safetensors``, a checkpoint in torch's format, or the source's own ``.pth``.
        encoder: of the architecture; it may be on the device ``meta``.
        frontend: feeds the encoder; if it learns, the file must contain its tensors, too.

    Raises:
        Mistake: if the file contains no weights, weights of another architecture (with the names that do not fit), or
            values that no training produces.
    """
    tensors, notes = _named_tensors(path)
    expected = net_state(encoder, frontend)
    prefix = max(_prefixes(tensors), key=lambda p: (sum(p + name in tensors for name in expected), -len(p)))
    state = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    if frontend.learns() and prefix.endswith("encoder."):  # as a whole ``Net`` names its tensors
        inside = prefix.removesuffix("encoder.") + FRONTEND_OF_NET
        learnt = {name: tensor for name, tensor in tensors.items() if name.startswith(inside)}
        state |= {OF_FRONTEND + name.removeprefix(inside): tensor for name, tensor in learnt.items()}
    beside = len(tensors) - len(state)
    if prefix:
        notes.append(f"{prefix!r} before every name")
    if _misfits(expected, state) and (_reads_published(encoder) or not set(expected) & set(state)):
        state = encoder.translate(state, frontend)
    counts = [name for name in expected if name.endswith(_COUNTS) and name not in state]
    state |= {name: torch.zeros((), dtype=torch.long) for name in counts}
    wrong = _misfits(expected, state)
    if wrong:
        more = f"; and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise Mistake(
            f"the checkpoint is of another architecture than {type(encoder).__name__}: {'; '.join(wrong[:4])}{more}",
            where=str(path),
            fix="give the entry the encoder settings that the checkpoint was trained with",
        )
    if prefix and beside:
        notes.append(f"{beside} tensors beside them left out")
    if counts:
        notes.append("counts of batches, which it lacks, set to 0")
    require_learned(state, path, {name: tensor.dtype for name, tensor in expected.items()})
    return Opened(state, tuple(notes))


def require_learned_file(path: Path) -> None:
    """Refuses a file that contains no weights, or values that no training produces.

    Raises:
        Mistake: with the first wrong tensor.
    """

    def tensors(content: Any) -> dict[str, Tensor]:
        by_name: dict[str, Tensor] = {}
        for name, value in content.items() if isinstance(content, Mapping) else ():
            by_name |= {str(name): value} if isinstance(value, Tensor) else tensors(value)
        return by_name

    require_learned(tensors(read_weights(path)), path)


def require_learned(state: Mapping[str, Tensor], path: Path, dtypes: Mapping[str, torch.dtype] | None = None) -> None:
    """Refuses values that no training produces: NaN, infinities, variances below zero.

    Args:
        state: tensors by name.
        path: of their file.
        dtypes: the types that the tensors will be converted to: a value that overflows there counts as infinite.

    Raises:
        Mistake: with the first wrong tensor.
    """
    for name, tensor in state.items():
        dtype = (dtypes or {}).get(name, tensor.dtype)
        problem = ""
        if dtype.is_floating_point and not tensor.dtype.is_floating_point:
            problem = f"{name} is of whole numbers ({tensor.dtype})".replace("torch.", "")
        elif tensor.dtype.is_floating_point:
            value = tensor.to(dtype) if dtype.is_floating_point else tensor
            if value.element_size() == 1:  # torch has no isinf for these
                value = value.float()
            if value.isnan().any():
                problem = f"{name} holds NaN"
            elif value.isinf().any():
                problem = f"{name} holds infinite values"
            elif name.endswith("running_var") and (value < 0).any():
                problem = f"{name} is below zero, and no variance is"
        if problem:
            what = f"no training produces such weights: {problem}"
            raise Mistake(what, where=str(path), fix="use another checkpoint")


def read_weights(path: Path) -> Any:
    """Reads a file of weights: tensors by name, or a structure that contains them. No code in the file is run.

    Raises:
        Mistake: if it is no file of weights; the message says what its first bytes look like.
    """
    try:
        if foreign := _foreign(path):
            raise Mistake(f"no readable weights: this is {foreign}", where=str(path), fix=_FIX)
        if _is_safetensors(path):
            return read_tensors(path)[0]
        with torch.serialization.safe_globals(_PLAIN), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
        _require_plain(content, path)
        return content
    except Mistake:
        raise
    except UnpicklingError as error:
        raise Mistake(f"no readable weights: {_of_pickle(str(error))}", where=str(path), fix=_FIX) from error
    except SafetensorError as error:
        raise Mistake(f"no readable weights: damaged safetensors ({error})", where=str(path), fix=_FIX) from error
    except OSError as error:
        raise Mistake(f"no readable weights: {error.strerror or error}", where=str(path), fix=_FIX) from error
    except Exception as error:  # torch's unpickler raises any error for bytes that are no pickle, or a cut one
        raise Mistake(
            "no readable weights: this is damaged, or of no known format", where=str(path), fix=_FIX
        ) from error


def _require_plain(content: Any, path: Path) -> None:
    """Refuses what a pickle can claim without holding it: containers in themselves, and tensors that are no values.

    Raises:
        Mistake: with what it found.
    """
    found, looked_at = [(content, 0)], 0
    while found:
        value, depth = found.pop()
        looked_at += 1
        if depth > _DEEPEST or looked_at > _MOST:
            what = f"more than {_DEEPEST} containers in each other, one in itself, or more than {_MOST:,} values"
            raise Mistake(f"no file of weights has {what}", where=str(path), fix=_FIX)
        if isinstance(value, Mapping):
            found += [(inside, depth + 1) for inside in value.values()]
        elif isinstance(value, list | tuple):
            found += [(inside, depth + 1) for inside in value]
        elif isinstance(value, Tensor):
            plain = value.layout == torch.strided and not value.is_quantized and not value.is_meta
            claimed = value.numel() * value.element_size()
            if not plain or claimed > value.untyped_storage().nbytes() + _REPEATED:
                what = f"{claimed:,} bytes that the file does not hold" if plain else "no plain values"
                raise Mistake(f"a tensor of shape {list(value.shape)} has {what}", where=str(path), fix=_FIX)


def _named_tensors(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors by name, and a note on each container that was opened."""
    content, notes = read_weights(path), list[str]()
    while isinstance(content, Mapping) and not _by_name(content) and (inside := _container(content, path)):
        content = content[inside]
        notes.append(f"the container {inside!r}")
    if not isinstance(content, Mapping) or not content:
        what = "nothing" if isinstance(content, Mapping) else f"one {type(content).__name__}"
        raise Mistake(f"the file holds no tensors by name, but {what}", where=str(path), fix=_FIX)
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            what = f"{name[:60]!r} is {type(value).__name__}" if isinstance(name, str) else f"one is called {name!r}"
            fix = f"save the encoder's alone, or as {', '.join(_CONTAINERS)}"
            raise Mistake(f"the file holds no tensors by name: {what}", where=str(path), fix=fix)
    return dict(content), notes


def _container(content: Mapping[Any, Any], path: Path) -> str | None:
    """The key of a checkpoint that contains its weights: one of the usual names, else the only key with tensors."""
    usual = [name for name in _CONTAINERS if isinstance(content.get(name), Mapping)]
    filled = [name for name in usual if _by_name(content[name])] or usual
    others = [name for name, value in content.items() if isinstance(name, str) and _by_name(value)]
    containers = filled or others
    if len(containers) > 1:
        what = f"the file has tensors in several places: {', '.join(containers[:5])}"
        raise Mistake(what, where=str(path), fix="save the encoder's alone")
    return containers[0] if containers else None


def _by_name(value: object) -> bool:
    """Whether a value is a mapping of names to tensors, with at least one tensor."""
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())


def _prefixes(names: Mapping[str, Tensor]) -> set[str]:
    """Every chain of known prefixes that a name begins with, such as ``module.encoder.``, and the empty one."""
    chains = {""}
    for name in names:
        chain = ""
        while prefix := next((p for p in _PREFIXES if name.startswith(chain + p)), ""):
            chain += prefix
            chains.add(chain)
    return chains


def _reads_published(encoder: Encoder) -> bool:
    return type(encoder).translate is not Encoder.translate


def _misfits(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """The tensors that are missing, surplus, or of another shape."""
    wrong = [f"missing {name}" for name in expected if name not in state]
    wrong += [f"surplus {name}" for name in state if name not in expected]
    for name, tensor in expected.items():
        if name in state and state[name].shape != tensor.shape:
            wrong.append(f"{name} is {list(state[name].shape)}, not {list(tensor.shape)}")
    return wrong


def _foreign(path: Path) -> str:
    """What a file is if its first bytes show that it contains no weights; empty where it may contain some."""
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
    if _is_safetensors(path) or head[0] == 0x80:  # a pickle begins with this byte
        return ""
    return "a text" if all(byte >= 32 or byte in b"\t\n\f\r" for byte in head) else "of no known format"


def _foreign_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
    except zipfile.BadZipFile:
        return "a part of a zip archive: the end is missing"
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside:
        return "a program of TorchScript"
    if "data.pkl" in inside:  # torch writes it without compression: a small file holds few values
        return "a compressed zip archive" if compressed else ""
    return "a file of numpy arrays (.npz)" if names and all(n.endswith(".npy") for n in names) else "a zip archive"


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins like a safetensors file: with the length of a JSON header, and the header's bracket."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and struct.unpack("<Q", head[:8])[0] < 2**31


def _of_pickle(message: str) -> str:
    """Why a pickle cannot be read. torch's own message is not shown: it advises to switch off the safety."""
    name = next((line.split("GLOBAL ", 1)[1].split()[0] for line in message.splitlines() if "GLOBAL " in line), "")
    if name:
        return f"this is a pickle with code in it ({name.strip(chr(39))}), which is not run"
    return "this is a damaged pickle, or one with code in it, which is not run"
