"""A pretrained model of torchaudio."""

from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urljoin

import torch
from pydantic import Field
from torch import Tensor

from registry.encoders._unpadded import Unpadded, require_layer
from registry.errors import Mistake
from registry.lookup import nearest
from registry.settings import Settings


class TorchAudio(Unpadded["TorchAudio.Config"]):
    """A bundle of ``torchaudio.pipelines``: wav2vec 2.0, XLS-R, HuBERT or WavLM, also those that recognise speech.

    torchaudio fetches the weights once, into torch.hub's cache. Its models that normalise the waveform do so over a
    whole batch; here each clip is normalised by itself. Trailing zeros are taken as padding, as ``Unpadded`` says.
    """

    source: ClassVar[str] = "torchaudio.pipelines"

    class Config(Settings):
        bundle: str = Field(..., description="as torchaudio.pipelines calls it, such as WAV2VEC2_BASE")
        layer: int | None = Field(None, ge=1, description="transformer layer whose output to take; the last by default")

    @classmethod
    def fetched_file(cls, config: Config) -> Path | None:
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(_bundle(config.bundle)._path).name
        return path if path.is_file() else None

    @classmethod
    def own_rate(cls, config: Config, path: Path | None) -> int:
        return int(_bundle(config.bundle).sample_rate)

    def open(self, path: Path | None) -> None:
        bundle = _bundle(self.config.bundle)
        layers = int(bundle._params["encoder_num_layers"])
        self.layer = self.config.layer or layers
        require_layer(self.layer, 1, layers)
        try:
            made = bundle.get_model()
        except (OSError, RuntimeError) as error:
            url = urljoin("https://download.pytorch.org/torchaudio/models/", bundle._path)
            told = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise Mistake(
                f"the weights of {self.config.bundle} are not in torch.hub's cache, and cannot be fetched: {told}",
                fix=f"fetch {url} elsewhere, and put it into {Path(torch.hub.get_dir()) / 'checkpoints'}",
            ) from error
        self.net: Any = getattr(made, "model", made)  # out of the wrapper that normalises
        self.normalises = bool(bundle._normalize_waveform)
        self.shortest = 1
        for _, kernel, stride in reversed(bundle._params["extractor_conv_layer_config"]):
            self.shortest = (self.shortest - 1) * stride + kernel

    def heard(self, wave_BT: Tensor) -> Tensor:
        if self.normalises:
            wave_BT = torch.nn.functional.layer_norm(wave_BT, wave_BT.shape[1:])
        layers: list[Tensor] = self.net.extract_features(wave_BT, num_layers=self.layer)[0]
        return layers[-1]


def _bundle(name: str) -> Any:
    from registry.torchaudio import pipelines

    bundles = [one for one in dir(pipelines) if hasattr(getattr(pipelines, one), "_normalize_waveform")]
    if name not in bundles:
        raise Mistake(f"torchaudio has no bundle of speech features called {name!r}", fix=nearest(name, bundles))
    return getattr(pipelines, name)
