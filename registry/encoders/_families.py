"""The models of transformers that hear: how long a clip each kind takes, and which of its values are frames.

Legend: B clips, N frames, D embedding, H and W height and width of a map.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Family:
    """A kind of model.

    Args:
        tower: the part of the model that hears; empty where it is the whole model.
        frames: of the model, its feature extractor, one of its hidden states, and the samples of the clips: the frames
            ``[B, N, D]`` that hold sound, in their order.
        shortest: samples that the model and its feature extractor take at least.
        longest: samples that they take at once, or None for any number.
    """

    tower: str
    frames: Callable[[Any, Any, Tensor, int], Tensor]
    shortest: Callable[[Any, Any], int]
    longest: Callable[[Any, Any], int | None]


def _of_waves(net: Any, extractor: Any, hidden_BND: Tensor, samples: int) -> Tensor:
    """Every hidden vector is a frame: the clip is not padded."""
    return hidden_BND


def _shortest_of_waves(net: Any, extractor: Any) -> int:
    """Samples of one frame of the convolutions."""
    samples = 1
    for kernel, stride in zip(reversed(net.config.conv_kernel), reversed(net.config.conv_stride), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def _of_whisper(net: Any, extractor: Any, hidden_BND: Tensor, samples: int) -> Tensor:
    """The feature extractor pads to 30 s; a frame is two of its hops."""
    return hidden_BND[:, : math.ceil(samples / extractor.hop_length / 2)]


def _of_ast(net: Any, extractor: Any, hidden_BND: Tensor, samples: int) -> Tensor:
    """Means over frequency of the patches that begin in the clip: two tokens, then patches, by frequency and time."""
    bands, times = net.embeddings.get_shape(net.config)
    window, hop = _window_and_hop(extractor)
    spectra = 1 + (samples - window) // hop
    heard = min(math.ceil(spectra / net.config.time_stride), times)
    patches_BHWD: Tensor = hidden_BND[:, 2:].unflatten(1, (bands, times))
    return patches_BHWD.mean(1)[:, :heard]


def _window_and_hop(extractor: Any) -> tuple[int, int]:
    """Samples of the window and the hop of Kaldi's filter banks: 25 and 10 ms."""
    return int(extractor.sampling_rate * 0.025), int(extractor.sampling_rate * 0.01)


def _longest_of_ast(net: Any, extractor: Any) -> int:
    window, hop = _window_and_hop(extractor)
    return int(window + (extractor.max_length - 1) * hop)


def _of_clap(net: Any, extractor: Any, hidden_BDHW: Tensor, samples: int) -> Tensor:
    """Means over frequency of the last map; the feature extractor fills 10 s with repeats of a shorter clip."""
    return hidden_BDHW.mean(2).transpose(1, 2)


_WAVES = Family("", _of_waves, _shortest_of_waves, lambda net, extractor: None)
FAMILIES = {
    "audio-spectrogram-transformer": Family("", _of_ast, lambda net, ex: _window_and_hop(ex)[0], _longest_of_ast),
    "clap": Family("audio_model", _of_clap, lambda net, ex: 1, lambda net, ex: int(ex.nb_max_samples)),
    "data2vec-audio": _WAVES,
    "hubert": _WAVES,
    "wav2vec2": _WAVES,
    "wavlm": _WAVES,
    "whisper": Family("encoder", _of_whisper, lambda net, ex: 1, lambda net, ex: int(ex.n_samples)),
}
