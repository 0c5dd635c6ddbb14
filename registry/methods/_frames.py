"""Frames of the encoder, for methods that train on them instead of on embeddings."""

from torch import Tensor

from registry.errors import Mistake
from registry.methods import Method


def frames(method: Method, x_BCFN: Tensor) -> Tensor:
    """Frames ``[B, N', D]``, float32, by the encoder that is trained, before it pools them.

    Raises:
        Mistake: with ``chunk`` set, since gradients are cached for embeddings alone.
    """
    if method.chunk is not None:
        raise Mistake(
            f"{type(method).__name__} trains on frames, and gradients are cached for embeddings alone",
            fix="leave chunk out, and lower the batch_size if memory is short",
        )
    with method.autocast():
        frames_BND: Tensor = method.encoder(x_BCFN)
    return frames_BND.float()
