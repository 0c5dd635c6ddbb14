"""A model that torch exported."""

import warnings
import zipfile
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders._brought import FileModel, FileSettings, in_pieces
from registry.errors import Mistake


class Exported(FileModel["Exported.Config"]):
    """A model that ``torch.export.save`` or ``torch.jit.save`` wrote, which takes waveforms.

    Its output is an embedding ``[B, D]``, or frames ``[B, N, D]`` whose mean is the embedding. It can be fine-tuned if
    the exported program gives gradients; batch norm and dropout stay in the mode in which they were exported. A
    TorchScript file contains a program, which is run: use only files of people whom you trust. If the input of an
    exported program has a fixed length, windows are cut into pieces of this length.
    """

    source: ClassVar[str] = "torch.export; TorchScript"
    is_program = True

    class Config(FileSettings):
        input: Literal["BT", "B1T"] = Field("BT", description="shape of the model's input: [B, T], or [B, 1, T]")

    def read(self, path: Path) -> None:
        try:
            self.net, self.samples = _open(path)
        except Exception as error:  # torch may raise any error for bytes that are no program
            told = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise Mistake(
                f"no readable exported model: {told[:200]}", where=str(path), fix="write it with torch.export.save"
            ) from error

    def frames(self, wave_BT: Tensor) -> Tensor:
        if self.samples is None:
            return self._run(wave_BT)
        return in_pieces(wave_BT, self.samples, self._run)

    def _run(self, wave_BT: Tensor) -> Tensor:
        given = wave_BT if self.config.input == "BT" else wave_BT.unsqueeze(1)
        try:
            output = self.net(given)
        except Exception as error:
            told = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise Mistake(
                f"the exported model does not take waveforms of shape {list(given.shape)}: {told[:200]}",
                fix="export it with free sizes of batch and samples, or set input: B1T or BT",
            ) from error
        if not isinstance(output, Tensor):
            raise Mistake(f"the exported model gives a {type(output).__name__}, and not a tensor")
        return output.float()


def _open(path: Path) -> tuple[nn.Module, int | None]:
    """The program of a file, and the samples that it takes if it takes no other number."""
    with zipfile.ZipFile(path) as archive:
        inside = {name.partition("/")[2] for name in archive.namelist()}
    if "constants.pkl" in inside:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # that torch.export is what to use now
            script: nn.Module = torch.jit.load(str(path), map_location="cpu")
        return script, None
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # about the bytes that hold the weights
        exported = torch.export.load(str(path))
    (name, *_) = exported.graph_signature.user_inputs
    (given,) = [node.meta["val"] for node in exported.graph.nodes if node.name == name]
    samples = given.shape[-1]
    return _AsExported(exported.module()), samples if isinstance(samples, int) else None


class _AsExported(nn.Module):
    """A program in the mode in which it was exported; it has no other mode. It computes where its tensors are."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def train(self, mode: bool = True) -> Self:
        self.training = mode
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Moves the tensors, and all that the program itself places on a device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        placed = next(chain(self.parameters(), self.buffers()), torch.empty(0))
        for module in self.modules():
            if isinstance(module, torch.fx.GraphModule):
                for node in module.graph.nodes:
                    if "device" in node.kwargs:
                        node.kwargs = {**node.kwargs, "device": placed.device}
                module.recompile()
        return self

    def forward(self, wave: Tensor) -> Tensor:
        output: Tensor = self.program(wave)
        return output
