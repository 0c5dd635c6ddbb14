"""Weights from a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from registry.settings import Settings
from registry.weights import Weights

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.lookup import Choice


class Checkpoint(Weights["Checkpoint.Config"]):
    """Weights from a file: ``encoder.safetensors``, a checkpoint in torch's format, or the source's published file."""

    source: ClassVar[str] = "audiobench"
    value = "path"

    class Config(Settings):
        path: str = Field(min_length=1, description="of the file, as such, beside the suite, or in the data folder")

    def file(self, encoder: "Choice[Encoder]") -> str:
        return self.config.path

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        from registry.checkpoint import open_checkpoint
        from registry.net import load_net

        assert path is not None
        opened = open_checkpoint(path, encoder, frontend)
        if not next(encoder.parameters()).is_meta:
            load_net(encoder, frontend, opened.tensors)
        return list(opened.notes)
