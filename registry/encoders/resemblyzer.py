"""Resemblyzer: a net that tells speakers apart."""

import math
from pathlib import Path
from typing import ClassVar

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from registry.checkpoint import read_weights, require_learned
from registry.encoders._packaged import Packaged
from registry.errors import Mistake
from registry.frontends import make_frontend
from registry.settings import Settings

_HOP, _MELS, _SIZE = 160, 40, 256  # samples; bands; of the hidden state, and of the embedding
_FRAMES = 160  # of a partial utterance: 1.6 s
_STEP = 77  # frames between partial utterances: 1.3 of them a second
_COVERAGE = 0.75  # of the last partial utterance, which is else left out
_LOUDNESS = 10 ** (-30 / 20)  # root mean square that quieter windows are raised to: -30 dBFS
_MEL = {"sample_rate": 16000, "n_fft": 400, "win_length": 400, "hop_length": _HOP, "n_mels": _MELS, "fmin": 0.0}


class Resemblyzer(Packaged):
    """Three LSTM layers over a mel spectrogram (of power, without a logarithm), trained to tell speakers apart.

    Waveforms ``[B, 1, T]`` of 16 kHz give frames ``[B, N, 256]``, one of each partial utterance of 1.6 s, which are
    0.77 s apart; a shorter waveform is padded with silence. A frame is not negative, and of length 1; so is the
    embedding, the mean of frames made as long as 1. Quiet windows are raised to -30 dBFS, as in the package. It
    also cuts what a voice detector takes for silence; here nothing is cut, since most sounds are no voices.

    The weights are those of the PyPI package ``Resemblyzer`` 0.1.4 (Apache-2.0), of the GE2E loss. Of the packages that
    it asks for none is needed.
    """

    source: ClassVar[str] = "Wan et al. 2018 (GE2E); PyPI Resemblyzer 0.1.4, Apache-2.0"
    package, install, sample_rate = "resemblyzer", "--no-deps resemblyzer==0.1.4", 16000

    @classmethod
    def inside(cls, config: Settings) -> str:
        return "resemblyzer/pretrained.pt"

    def read(self, path: Path) -> None:
        self.mel = make_frontend({"name": "logmel", "log": "none", "normalise": "none", **_MEL})
        net = nn.ModuleDict(
            {"lstm": nn.LSTM(_MELS, _SIZE, num_layers=3, batch_first=True), "linear": nn.Linear(_SIZE, _SIZE)}
        )
        published = read_weights(path)
        state = published.get("model_state") if isinstance(published, dict) else None
        try:
            net.load_state_dict({name: state[name] for name in net.state_dict()} if state else {})
        except (KeyError, RuntimeError) as error:
            raise Mistake("these are no weights of Resemblyzer", where=str(path)) from error
        require_learned(net.state_dict(), path)
        self.net = net.eval()

    def frames(self, wave_BT: Tensor) -> Tensor:
        level_B1 = wave_BT.square().mean(1, keepdim=True).sqrt().clamp_min(1e-10)
        count = _partials(wave_BT.shape[1])
        missing = ((count - 1) * _STEP + _FRAMES) * _HOP - wave_BT.shape[1]
        padded_BT = F.pad(wave_BT * (_LOUDNESS / level_B1).clamp_min(1), (0, max(missing, 0)))
        mel_BFN = self.mel(padded_BT)[:, 0]
        partial_BPNF = mel_BFN.unfold(2, _FRAMES, _STEP)[:, :, :count].permute(0, 2, 3, 1)
        _, (hidden_LPD, _) = self.net["lstm"](partial_BPNF.flatten(0, 1))
        frame_PD: Tensor = F.normalize(self.net["linear"](hidden_LPD[-1]).relu(), dim=1)
        return frame_PD.reshape(len(wave_BT), count, -1)

    def pool(self, frames_BND: Tensor) -> Tensor:
        return F.normalize(frames_BND.mean(1), dim=1)


def _partials(samples: int) -> int:
    """The number of partial utterances of a waveform."""
    last = max(math.ceil((samples + 1) / _HOP) - _FRAMES + _STEP, 0) // _STEP
    covered = (samples / _HOP - last * _STEP) / _FRAMES
    return last + (covered >= _COVERAGE or last == 0)
