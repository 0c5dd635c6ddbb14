"""Encoders of raw audio of which each fails the one check that it is called after."""

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.settings import Settings
from registry.standing import Objection, Standing

_STRIDE = 160


class _Plain(Encoder):
    """One convolution."""

    source: ClassVar[str] = "ours"
    takes = "waveform"

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.embedding_dim, self.shortest = 4, 2 * _STRIDE
        self.conv = nn.Conv1d(1, 4, 2 * _STRIDE, _STRIDE)

    def forward(self, x_B1T: Tensor) -> Tensor:
        self.check_length(x_B1T)
        frames_BND: Tensor = self.conv(x_B1T).transpose(1, 2)
        return frames_BND


class Whole(_Plain):
    """Keeps its contract."""

    name = "whole"


class TakesAll(_Plain):
    """Objects to nothing."""

    name = "refuses_the_other_input"

    @classmethod
    def objections(cls, config: Any, standing: Standing) -> Iterable[Objection]:
        return ()


class Wider(_Plain):
    """Gives an embedding of another size than its frames."""

    name = "embeddings_have_their_size"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return torch.cat([frames_BND.mean(1), frames_BND.amax(1)], 1)


class Frameless(_Plain):
    """Gives no frames."""

    name = "frames_have_their_size"

    def forward(self, x_B1T: Tensor) -> Tensor:
        return super().forward(x_B1T).mean(1)

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND


class Centred(_Plain):
    """Takes the mean of the batch away."""

    name = "embeds_alone_as_in_a_batch"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) - frames_BND.mean((0, 1))


class Noisy(_Plain):
    """Draws in eval mode too."""

    name = "embeds_the_same_twice"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) * torch.rand(1, device=frames_BND.device)


class Scaling(_Plain):
    """Changes its input in place."""

    name = "embeds_the_same_twice-2"

    def forward(self, x_B1T: Tensor) -> Tensor:
        return super().forward(x_B1T if x_B1T.requires_grad else x_B1T.mul_(2))


class Divided(_Plain):
    """Divides by the loudness."""

    name = "embeds_silence"

    def forward(self, x_B1T: Tensor) -> Tensor:
        return super().forward(x_B1T / x_B1T.abs().amax(2, keepdim=True))


class Overflowing(_Plain):
    """Is infinite for what is loud throughout."""

    name = "embeds_full_scale"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) * torch.where(self.loud, torch.inf, 1.0)

    def forward(self, x_B1T: Tensor) -> Tensor:
        self.loud = x_B1T.abs().mean() > 0.9
        return super().forward(x_B1T)


class Trimming(_Plain):
    """Cannot bear silence at the end."""

    name = "embeds_padded_clips"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) * torch.where(self.padded, torch.nan, 1.0)

    def forward(self, x_B1T: Tensor) -> Tensor:
        self.padded = x_B1T.any() & ~x_B1T[..., -_STRIDE:].any()
        return super().forward(x_B1T)


class Abrupt(_Plain):
    """Refuses what is too short by no message of its own."""

    name = "embeds_short_clips"

    def forward(self, x_B1T: Tensor) -> Tensor:
        frames_BND: Tensor = self.conv(x_B1T).transpose(1, 2)
        return frames_BND


class Boasting(_Plain):
    """Says that it takes what is shorter."""

    name = "embeds_short_clips-2"

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.shortest = 10


class Brief(_Plain):
    """Is infinite for what is long."""

    name = "embeds_five_minutes"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) * (1.0 if frames_BND.shape[1] < 10_000 else torch.inf)


class Coarse(_Plain):
    """Loses its sign in half precision."""

    name = "embeds_in_half_precision"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) * (-1 if torch.is_autocast_enabled("cpu") else 1)


class Idle(_Plain):
    """Has a layer that nothing goes through."""

    name = "learns_with_every_parameter"

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.classifier = nn.Linear(4, 527)


class Halving(_Plain):
    """Gives half the gradients in float32."""

    name = "learns_as_in_float64"

    def pool(self, frames_BND: Tensor) -> Tensor:
        if frames_BND.requires_grad and frames_BND.dtype == torch.float32:
            frames_BND.register_hook(lambda gradient: gradient / 2)
        return frames_BND.mean(1)


class Forgetful(_Plain):
    """Keeps what it drew outside of its state."""

    name = "is_whole_in_its_state"

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.scale = torch.rand(4)

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) * self.scale


class Reading(_Plain):
    """Reads a value."""

    name = "is_tried_without_values"

    def pool(self, frames_BND: Tensor) -> Tensor:
        return frames_BND.mean(1) / max(float(frames_BND.detach().abs().max()), 1.0)


class InParts(_Plain):
    """Names half of its embedding alone."""

    name = "parts_are_the_embedding"

    def __init__(self, config: Settings, channels: int, bins: int) -> None:
        super().__init__(config, channels, bins)
        self.parts = {"low": 2}
