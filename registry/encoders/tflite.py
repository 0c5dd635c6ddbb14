"""A model in a TFLite file."""

import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from registry.encoders._brought import FileModel, FileSettings, in_pieces, needs
from registry.errors import Mistake
from registry.lookup import nearest


class TfLite(FileModel["TfLite.Config"]):
    """A model in a TFLite file that takes waveforms of one length, run by LiteRT on the CPU.

    Its input is ``[T]`` or ``[1, T]``, float32 in [-1, 1]; windows are cut into pieces of this length. ``tensor`` may
    name any tensor as the output; its last dimension is the embedding's. It gives no gradients, so it cannot be
    fine-tuned.
    """

    source: ClassVar[str] = "LiteRT (ai-edge-litert)"
    gives_gradients = False

    class Config(FileSettings):
        tensor: str = Field("", description="name of the tensor to take; the first output by default")

    def read(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise needs("ai-edge-litert", "tflite") from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of memory: to read one inner tensor, all must be kept
                self.model: Any = Interpreter(str(path), experimental_preserve_all_tensors=bool(self.config.tensor))
            self.model.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            told = str(error).strip().splitlines()[0]
            raise Mistake(f"no readable TFLite model: {told}", where=str(path), fix="name a .tflite file") from error
        inputs = self.model.get_input_details()
        shape = [int(size) for size in inputs[0]["shape"]]
        if len(inputs) != 1 or inputs[0]["dtype"] != np.float32 or len(shape) > 2 or shape[:-1] not in ([], [1]):
            told = ", ".join(f"{one['name']} {one['dtype'].__name__} {list(one['shape'])}" for one in inputs)
            raise Mistake(f"the model takes no single waveform: {told}", where=str(path), fix="use another model")
        self.shape, self.input = shape, int(inputs[0]["index"])
        named = {one["name"]: int(one["index"]) for one in self.model.get_tensor_details() if one["name"]}
        wanted = self.config.tensor or self.model.get_output_details()[0]["name"]
        if wanted not in named:
            raise Mistake(f"the model has no tensor {wanted!r}", where=str(path), fix=nearest(wanted, sorted(named)))
        self.output = named[wanted]

    def frames(self, wave_BT: Tensor) -> Tensor:
        return in_pieces(wave_BT, self.shape[-1], self._run)

    def _run(self, wave_PT: Tensor) -> Tensor:
        outputs = []
        for wave_T in wave_PT.float().cpu().numpy():
            self.model.set_tensor(self.input, wave_T.reshape(self.shape))
            self.model.invoke()
            outputs.append(torch.from_numpy(np.array(self.model.get_tensor(self.output), np.float32)))
        stacked = torch.stack(outputs).to(wave_PT.device)
        return stacked.reshape(len(outputs), -1, stacked.shape[-1])
