"""Arrays that lie on the disk while a job runs, for what may not fit into the memory."""

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch
from torch import Tensor

from benchmark.store import files


def scratch_in(folder: Path) -> Callable[..., Tensor]:
    """What makes arrays like ``torch.empty``, in files of a folder that have no names and end with their arrays."""
    return partial(_scratch, folder)


def _scratch(folder: Path, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """An array of zeros on the disk.

    Raises:
        OSError: if the disk is full; a map of a file without blocks would end the process when it is written to.
    """
    size = math.prod(shape) * dtype.itemsize
    if not size or files.WINDOWS:  # a map has at least a byte, and Windows neither deletes nor moves a mapped file
        return torch.empty(shape, dtype=dtype)
    with TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return torch.from_numpy(np.memmap(file, np.uint8, "r+", 0, (size,))).view(dtype).view(shape)
