"""ImageNet weights."""

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


class ImageNet(Weights["ImageNet.Config"]):
    """ImageNet weights that timm publishes for the encoder's net: from timm's hub, or from a local timm checkpoint."""

    source: ClassVar[str] = "timm (pytorch-image-models)"
    value = "path"

    class Config(Settings):
        path: str = Field("", description="of a local timm checkpoint; without it timm downloads from its hub")

    def file(self, encoder: "Choice[Encoder]") -> str:
        return self.config.path

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        # No digest of the hub's file: the key would change with the first download. The record states it.
        name = "" if self.config.path else encoder.component.imagenet(encoder.settings)
        return {"model": name} if name else {}

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        import torch

        from registry.checkpoint import require_learned_file

        if path is not None:
            require_learned_file(path)
        with torch.device(next(encoder.parameters()).device):  # it may be meta; the net is made anew
            encoder.load_imagenet(path)
        return []

    @classmethod
    def fetched(cls, stated: Mapping[str, Any]) -> Path | None:
        from registry.encoders.timm import hub_file

        return hub_file(stated["model"]) if "model" in stated else None
