"""A model with the API of HEAR 2021."""

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from registry.encoders._brought import Brought
from registry.errors import Mistake
from registry.own_code import code_digest, imported, require_named
from registry.settings import Outside, Settings

_API = ("load_model", "get_scene_embeddings", "get_timestamp_embeddings")


class Hear(Brought["Hear.Config"]):
    """A model with the API of HEAR 2021.

    Its module has ``load_model``, ``get_scene_embeddings`` and ``get_timestamp_embeddings``; the model has the
    attributes ``sample_rate``, ``scene_embedding_size`` and ``timestamp_embedding_size``. The embedding of a clip is
    the scene embedding; the frames are the timestamp embeddings.
    """

    source: ClassVar[str] = "HEAR 2021, hearbenchmark.com (common API)"
    version = 2  # in version 1 jobs of one process shared a model: what a fold had trained, the next one began with

    class Config(Settings):
        module: str = Field(
            ...,
            min_length=1,
            description="an importable module, such as hearbaseline.wav2vec2, or the path of its file, NAME.py",
        )
        weights: Outside[str] = Field("", description="file for load_model, which else gets an empty path")

    @classmethod
    def file_of(cls, config: Config) -> str:
        return config.weights

    @classmethod
    def digest_of(cls, config: Config) -> str:
        return code_digest(config.module)

    @classmethod
    def own_rate(cls, config: Config, path: Path | None) -> int:
        return _rate(config.module, path)

    def open(self, path: Path | None) -> None:
        self.api, self.model = _loaded(self.config.module, path)

    def load_own(self, path: Path | None) -> None:
        super().load_own(path)
        stated = int(self.model.scene_embedding_size)
        if self.embedding_dim != stated:
            raise Mistake(f"{self.config.module} gives {self.embedding_dim} values, and says {stated}")

    def frames(self, wave_BT: Tensor) -> Tensor:
        embedding_BD: Tensor = self.api.get_scene_embeddings(wave_BT, self.model)
        return embedding_BD.float()

    def forward(self, x_B1T: Tensor) -> Tensor:
        frames_BND: Tensor = self.api.get_timestamp_embeddings(x_B1T[:, 0], self.model)[0]
        return frames_BND.float()

    def embed(self, x_B1T: Tensor) -> Tensor:
        """The scene embedding ``[B, D]``."""
        return self.frames(x_B1T[:, 0])


@cache
def _rate(name: str, path: Path | None) -> int:
    """The sample rate of a model in Hz. The model itself is not kept: jobs train their own."""
    return int(_loaded(name, path)[1].sample_rate)


def _loaded(name: str, path: Path | None) -> tuple[Any, Any]:
    """The module and a model of it, as it is before any training.

    Raises:
        Mistake: if the user has not named the module, or it does not import, lacks a function of the API, or loads no
            model.
    """
    require_named(name)
    module: Any = imported(name)
    lacking = [function for function in _API if not callable(getattr(module, function, None))]
    if lacking:
        raise Mistake(
            f"{name} has no {', '.join(lacking)}: it is no module of HEAR 2021",
            where=str(module.__file__),
            fix="name a module with HEAR's API; encoder: module takes any class",
        )
    try:
        model = module.load_model(str(path) if path else "")
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise Mistake(f"{name} loads no model: {told}", where=str(path or ""), fix="give weights: FILE") from error
    for attribute in ("sample_rate", "scene_embedding_size", "timestamp_embedding_size"):
        if not isinstance(getattr(model, attribute, None), int):
            raise Mistake(f"the model of {name} does not say its {attribute}", fix="see HEAR's common API")
    return module, model.eval() if hasattr(model, "eval") else model
