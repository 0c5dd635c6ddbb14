"""Finds operations that make a step wait for the device, because they hand values to the host; works on any device."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_READING = {"_local_scalar_dense", "bincount", "equal", "masked_select", "nonzero", "unique2", "unique_dim"}


class Readings(TorchDispatchMode):
    """Notes in ``found`` every operation that reads values back, and every look-up by a mask: its size is unknown."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).split(".")[1]
        masked = name.startswith("index") and any(
            isinstance(index, Tensor) and index.dtype == torch.bool
            for indices in args[1:2]
            if isinstance(indices, list | tuple)
            for index in indices
        )
        if name in _READING or masked:
            self.found.add(str(func))
        return func(*args, **(kwargs or {}))
