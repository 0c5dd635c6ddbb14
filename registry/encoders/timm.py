"""Any image model of timm, by its name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.lookup import nearest
from registry.settings import Settings

if TYPE_CHECKING:
    from torch import nn


class Timm(Encoder["Timm.Config"]):
    """Any timm image model over a spectrogram: height is frequency, width is time.

    Input ``[B, C, F, N]`` of any size. Frames ``[B, N', D]`` are the mean over frequency of the last feature map or of
    the patch tokens; the embedding is the model's own pooled feature before its classifier. A spectrogram of one
    channel is repeated up to ``in_channels``; with ``in_channels: 1`` timm sums the first layer's pretrained weights
    over its channels. Transformers accept any size if timm can resample their positions. For a model of one fixed size
    the spectrogram is resized (bilinear).

    CLAR's two-dimensional net is ``model: resnet18`` behind the front end ``clar``, and SimCLR v2's deep one is
    ``model: resnet152``.
    """

    source: ClassVar[str] = "timm (pytorch-image-models)"

    class Config(Settings):
        model: str = Field("resnet50", description="timm's model name, with a pretrained tag or without")
        in_channels: int = Field(3, ge=1, description="channels of the net's input; one channel is repeated")

    def __init__(self, config: Config, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        if channels not in (1, config.in_channels):
            raise Mistake(
                f"this timm model takes {config.in_channels} channels, and the front end gives {channels}",
                fix=f"set in_channels: {channels}, or use a front end of one channel",
            )
        self.model, self.in_channels = config.model, config.in_channels
        self.net = timm_net(self.model, self.in_channels)
        self.size: tuple[int, int] | None = _fixed_size(self.net)
        self.embedding_dim = int(getattr(self.net, "head_hidden_size", 0) or self.net.num_features)  # type: ignore[arg-type]

    def forward(self, x_BCFN: Tensor) -> Tensor:
        features_BDFN = self._as_map(self._features(x_BCFN), x_BCFN.shape[2:] if self.size is None else self.size)
        if features_BDFN is None or features_BDFN.shape[1] != self.embedding_dim:
            raise Mistake(f"{self.model} gives no feature map of its embedding's size, so it has no frames")
        return features_BDFN.mean(2).transpose(1, 2)

    def embed(self, x_BCFN: Tensor) -> Tensor:
        """The model's own pooled feature ``[B, D]``."""
        return self.net.forward_head(self._features(x_BCFN), pre_logits=True)  # type: ignore[operator, no-any-return]

    @classmethod
    def imagenet(cls, config: Config) -> str:
        return config.model if "." in config.model else _with_tag(config.model)

    def load_imagenet(self, path: Path | None) -> None:
        self.net = timm_net(self.model, self.in_channels, pretrained=True, path=path)

    def _features(self, x_BCFN: Tensor) -> Tensor:
        x_BCFN = x_BCFN.expand(-1, self.in_channels, -1, -1)
        if self.size is not None:
            x_BCFN = F.interpolate(x_BCFN, self.size, mode="bilinear")
        return self.net.forward_features(x_BCFN)  # type: ignore[operator, no-any-return]

    def _as_map(self, features: Tensor, size: tuple[int, ...]) -> Tensor | None:
        """The feature map ``[B, D, F', N']``, from any layout that models have; None where there is no map."""
        width = int(self.net.num_features)  # type: ignore[arg-type]
        if features.ndim == 4:
            return features if features.shape[1] == width else features.permute(0, 3, 1, 2)
        patch = getattr(getattr(self.net, "patch_embed", None), "patch_size", None)
        if features.ndim != 3 or patch is None:
            return None
        tokens_BND = features[:, int(getattr(self.net, "num_prefix_tokens", 0)) :]
        grid = [-(-length // int(step)) for length, step in zip(size, patch, strict=True)]
        return tokens_BND.transpose(1, 2).unflatten(2, grid) if tokens_BND.shape[1] == grid[0] * grid[1] else None


def timm_net(model: str, in_channels: int, *, pretrained: bool = False, path: Path | None = None) -> "nn.Module":
    """A timm model without its classifier; a transformer accepts images of any size if timm allows it.

    Args:
        model: timm's name, with a tag or without.
        in_channels: channels of its first layer.
        pretrained: load the weights of the model's tag, or those in ``path``.
        path: a local timm checkpoint (``.safetensors``, or a ``.pth`` of plain tensors).

    Raises:
        Mistake: if the model is unknown, or its weights cannot be loaded or belong to another architecture.
    """
    import timm  # the import takes seconds

    if not timm.is_model(model):
        raise Mistake(f"timm has no model called {model!r}", fix=nearest(model, timm.list_models()))
    options: dict[str, Any] = {"pretrained_cfg_overlay": {"file": str(path)}} if path else {}
    options |= {"pretrained": pretrained, "in_chans": in_channels, "num_classes": 0}
    try:
        try:
            return timm.create_model(model, dynamic_img_size=True, dynamic_img_pad=True, **options)
        except TypeError:  # this model has no positions to resample
            return timm.create_model(model, **options)
    except (RuntimeError, OSError, KeyError) as error:
        raise Mistake(
            f"ImageNet weights of {model} do not load: {str(error).strip().splitlines()[0]}",
            where=str(path or "timm's hub"),
            fix="name weights of this architecture; without a network give a local file: weights: {imagenet: PATH}",
        ) from error


def hub_file(name: str) -> Path | None:
    """The file of some weights in the hub's cache; None if they were never loaded from the hub.

    Args:
        name: of the weights, with their tag.
    """
    from huggingface_hub import try_to_load_from_cache
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    if config is None or config.hf_hub_id is None:
        return None
    for file in ("model.safetensors", "pytorch_model.bin"):  # in timm's order
        cached = try_to_load_from_cache(config.hf_hub_id, file)
        if isinstance(cached, str):
            return Path(cached)
    return None


def _with_tag(model: str) -> str:
    """timm's name of a model with the tag of its default weights; empty if timm does not know the model."""
    import timm

    config = timm.get_pretrained_cfg(model) if timm.is_model(model) else None
    return f"{model}.{config.tag}" if config and config.tag else ""


def _fixed_size(net: "nn.Module") -> tuple[int, int] | None:
    """Height and width of the images of a model that accepts no other size; None for other models."""
    config: dict[str, Any] = net.pretrained_cfg  # type: ignore[assignment]
    if not config["fixed_input_size"] or getattr(net, "dynamic_img_size", False):
        return None
    height, width = config["input_size"][1:]
    return height, width
