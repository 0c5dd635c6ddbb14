"""Google's speech embedding."""

import hashlib
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from registry.encoders._brought import needs
from registry.encoders._packaged import Packaged
from registry.errors import Mistake
from registry.settings import Settings

_FRAMES, _STEP, _HOP = 76, 8, 160  # mel frames of a piece, and between pieces; samples between mel frames
_ONE_PIECE = (_FRAMES + 3) * _HOP  # samples
_SCALE = 32767.0  # the net learnt from 16-bit samples
_MEL = "melspectrogram.onnx"
_MEL_SHA256 = "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f"


class SpeechEmbedding(Packaged):
    """Google's ``speech_embedding``, convolutions that were trained to spot words, run by onnxruntime on the CPU.

    Waveforms ``[B, 1, T]`` of 16 kHz give frames ``[B, N, 96]``, one of each piece of 76 mel frames (0.79 s), which are
    80 ms apart; a shorter waveform is padded with silence. It gives no gradients, so it cannot be fine-tuned.

    Both ONNX files, of the mel spectrogram and of the embedding, are those of the PyPI package ``openwakeword`` 0.4.0.
    Google's model is Apache-2.0 (so the package says); the package's own models of wake words, which are not used here,
    are CC BY-NC-SA 4.0.
    """

    source: ClassVar[str] = "Lin et al. 2020 (arXiv:2002.01322); PyPI openwakeword 0.4.0, Apache-2.0"
    package, install, sample_rate = "openwakeword", "openwakeword==0.4.0", 16000
    gives_gradients = False

    @classmethod
    def inside(cls, config: Settings) -> str:
        return "openwakeword/resources/models/embedding_model.onnx"

    @classmethod
    def digest_of(cls, config: Settings) -> str:
        """Of the file of the mel spectrogram: ``read`` takes no other."""
        return _MEL_SHA256

    def read(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise needs("onnxruntime", "onnx") from error
        mel, fix = path.parent / _MEL, f"pip install --force-reinstall {self.install}"
        if not mel.is_file() or hashlib.sha256(mel.read_bytes()).hexdigest() != _MEL_SHA256:
            what = f"the {_MEL} beside the speech embedding is not that of {self.install}"
            raise Mistake(what, where=str(mel), fix=fix)
        try:
            self.mel, self.net = (
                onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]) for file in (mel, path)
            )
        except Exception as error:  # onnxruntime's own errors have no common class
            raise Mistake("no readable ONNX model", where=str(path), fix=fix) from error

    def frames(self, wave_BT: Tensor) -> Tensor:
        padded_BT = torch.nn.functional.pad(wave_BT, (0, max(_ONE_PIECE - wave_BT.shape[1], 0)))
        pcm_BT = (padded_BT.float().cpu().numpy() * _SCALE).astype(np.int16).astype(np.float32)
        frames = [self._of_clip(pcm_T) for pcm_T in pcm_BT]
        return torch.from_numpy(np.stack(frames)).to(wave_BT.device)

    def _of_clip(self, pcm_T: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        """Pieces ``[N, 96]``. A clip goes alone: the mel spectrogram is cut 80 dB below the loudest of what it gets."""
        (mel,) = self.mel.run(None, {"input": pcm_T[None]})
        mel_NF = mel.reshape(-1, mel.shape[-1]) / 10 + 2  # as the package does, to be nearer to Google's own
        pieces = np.lib.stride_tricks.sliding_window_view(mel_NF, _FRAMES, axis=0)[::_STEP].transpose(0, 2, 1)
        (found,) = self.net.run(None, {"input_1": np.ascontiguousarray(pieces[..., None], np.float32)})
        return np.asarray(found).reshape(len(pieces), -1)
