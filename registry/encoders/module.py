"""A class of the user's own."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from registry.encoders._brought import Brought
from registry.errors import Mistake
from registry.own_code import code_digest, imported, require_named
from registry.settings import Outside, Settings


class Module(Brought["Module.Config"]):
    """A ``torch.nn.Module`` from an importable package, which takes waveforms ``[B, T]``.

    It gives an embedding ``[B, D]``, or frames ``[B, N, D]`` whose mean is the embedding. The classes of X-ARES work
    unchanged: they have a ``sampling_rate``. ``weights`` names a file of its tensors.
    """

    source: ClassVar[str] = "the user's; X-ARES (sampling_rate, output_dim, hop_size_in_ms)"

    class Config(Settings):
        of: str = Field(
            ..., alias="class", pattern=r"^[^:].*:\w+$", description="package.module:Class, or path/of/file.py:Class"
        )
        arguments: dict[str, Any] = Field({}, description="of the class, by name")
        weights: Outside[str] = Field("", description="file of its tensors: safetensors, or a .pth of tensors alone")
        sample_rate: int | None = Field(None, gt=0, description="Hz; by default the class's own")

    @classmethod
    def file_of(cls, config: Config) -> str:
        return config.weights

    @classmethod
    def digest_of(cls, config: Config) -> str:
        return code_digest(config.of.rpartition(":")[0])

    @classmethod
    def own_rate(cls, config: Config, path: Path | None) -> int:
        if config.sample_rate:
            return config.sample_rate
        return _rate(config.of, json.dumps(config.arguments, sort_keys=True))

    def open(self, path: Path | None) -> None:
        self.net = make(self.config.of, self.config.arguments)
        if path is not None:
            from registry.checkpoint import read_weights

            try:
                self.net.load_state_dict(read_weights(path))
            except RuntimeError as error:
                told = " ".join(str(error).split())
                raise Mistake(f"the weights do not fit {self.config.of}: {told[:200]}", where=str(path)) from error

    def frames(self, wave_BT: Tensor) -> Tensor:
        output = self.net(wave_BT)
        if not isinstance(output, Tensor):
            raise Mistake(f"{self.config.of} gives a {type(output).__name__}, and not a tensor")
        return output.float()


def make(of: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Makes an object of the class ``package.module:Class``.

    Raises:
        Mistake: if the user has not named the class, or it cannot be imported or called, or is no ``nn.Module``.
    """
    module, _, name = of.rpartition(":")
    require_named(module)
    made_by = imported(module)
    try:
        made = getattr(made_by, name)(**arguments)
    except Exception as error:
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Mistake(f"{of} cannot be made: {type(error).__name__}: {told}", fix="mend class or arguments") from error
    if not isinstance(made, nn.Module):
        raise Mistake(f"{of} is no torch.nn.Module", fix="name a class of modules")
    return made.eval()


@cache
def _rate(of: str, arguments: str) -> int:
    """The sample rate of a class in Hz, which an object of it says; the object is not kept."""
    with torch.random.fork_rng():
        made = make(of, json.loads(arguments))
    for name in ("sampling_rate", "sample_rate"):
        if isinstance(rate := getattr(made, name, None), int):
            return rate
    raise Mistake(f"{of} does not say its sample rate", fix="add sample_rate: HZ")
