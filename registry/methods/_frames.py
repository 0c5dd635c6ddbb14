"""Frames of the encoder, for methods that train on frames and not on embeddings."""

from torch import Tensor

from registry.methods import Method, frames_not_cached
from registry.standing import refuse


def frames(method: Method, x_BCFN: Tensor) -> Tensor:
    """The frames ``[B, N', D]``, float32, that the trained encoder gives, not yet pooled.

    Raises:
        Mistake: if ``chunk`` is set: gradients are cached for embeddings alone.
    """
    if method.chunk is not None:
        refuse([frames_not_cached(type(method).__name__)], "chunk")
    with method.autocast():
        frames_BND = method.ranks.divided(method.encoder, x_BCFN, method.encoder, [len(x_BCFN)])
    return frames_BND.float()
