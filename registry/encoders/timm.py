"""Any timm image model, by its name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.lookup import nearest
from registry.settings import Settings

if TYPE_CHECKING:
    from torch import nn


class Timm(Encoder):
    """A timm image model over a spectrogram as its image: height is frequency, width is time.

    Input ``[B, 1, F, N]``; frames ``[B, N', D]`` are the mean over frequency of the last feature map, the embedding is
    the model's own pooled feature before its classifier. With three channels the spectrogram is repeated; with one,
    timm sums the first layer's pretrained weights over its input channels.
    """

    source: ClassVar[str] = "timm (pytorch-image-models)"

    class Config(Settings):
        model: str = Field("resnet50", description="timm's model name, with a pretrained tag or without")
        in_channels: Literal[1, 3] = Field(3, description="channels the net takes")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        if channels != 1:
            raise Mistake(f"timm takes a front end of one channel, and this one gives {channels}", fix="use logmel")
        self.model, self.in_channels = config.model, config.in_channels
        self.net = timm_net(self.model, self.in_channels)
        self.embedding_dim = int(self.net.num_features)  # type: ignore[arg-type]

    def forward(self, x_BCFN: Tensor) -> Tensor:
        features = self._features(x_BCFN)
        if features.ndim != 4 or features.shape[1] != self.embedding_dim:
            raise Mistake(
                f"{self.model} gives no [B, D, H, W] feature map, so it has no frames", fix="use its embeddings"
            )
        return features.mean(2).transpose(1, 2)

    def embed(self, x_BCFN: Tensor) -> Tensor:
        """The model's own pooled feature ``[B, D]``."""
        return self.net.forward_head(self._features(x_BCFN), pre_logits=True)  # type: ignore[operator, no-any-return]

    def load_imagenet(self, path: Path | None) -> None:
        self.net = timm_net(self.model, self.in_channels, pretrained=True, path=path)

    def _features(self, x_BCFN: Tensor) -> Tensor:
        return self.net.forward_features(x_BCFN.expand(-1, self.in_channels, -1, -1))  # type: ignore[operator, no-any-return]


def timm_net(model: str, in_channels: int, *, pretrained: bool = False, path: Path | None = None) -> "nn.Module":
    """A timm model without its classifier.

    Args:
        model: timm's name, with a tag or without.
        in_channels: 1 or 3.
        pretrained: load the weights of the model's tag, or those in ``path``.
        path: a local timm checkpoint (``.safetensors``, or a ``.pth`` of plain tensors).

    Raises:
        Mistake: unknown model; weights that cannot be had, or that belong to another architecture.
    """
    import timm  # takes seconds: only when a net is built

    if not timm.is_model(model):
        raise Mistake(f"timm has no model called {model!r}", fix=nearest(model, timm.list_models()))
    options: dict[str, Any] = {"pretrained_cfg_overlay": {"file": str(path)}} if path else {}
    try:
        return timm.create_model(model, pretrained=pretrained, in_chans=in_channels, num_classes=0, **options)
    except (RuntimeError, OSError, KeyError) as error:
        raise Mistake(
            f"ImageNet weights of {model} do not load: {str(error).strip().splitlines()[0]}",
            where=str(path or "timm's hub"),
            fix="name weights of this architecture; without a network give a local file: weights: {imagenet: PATH}",
        ) from error
