"""A model in an ONNX file."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from registry.encoders._brought import FileModel, FileSettings, in_pieces, needs
from registry.errors import Mistake


class Onnx(FileModel["Onnx.Config"]):
    """A model in an ONNX file that takes waveforms, run by onnxruntime on the CPU.

    Its input is ``[B, T]``, ``[B, 1, T]`` or ``[T]``, float32 in [-1, 1]. If the input has a fixed length, windows are
    cut into pieces of this length. Its output is an embedding ``[B, D]``, or frames ``[B, N, D]`` whose mean is the
    embedding. It gives no gradients, so it cannot be fine-tuned.
    """

    source: ClassVar[str] = "onnxruntime"
    gives_gradients = False

    class Config(FileSettings):
        input: str = Field("", description="name of the model's input; its first by default")
        output: str = Field("", description="name of the output to take; the first by default")

    def read(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise needs("onnxruntime", "onnx") from error
        try:
            self.session: Any = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no common class
            told = str(error).strip().splitlines()[0]
            raise Mistake(f"no readable ONNX model: {told}", where=str(path), fix="name an ONNX file") from error
        inputs = {one.name: one for one in self.session.get_inputs()}
        outputs = [one.name for one in self.session.get_outputs()]
        self.input = self.config.input or next(iter(inputs))
        self.output = self.config.output or outputs[0]
        for kind, name, known in (("input", self.input, list(inputs)), ("output", self.output, outputs)):
            if name not in known:
                raise Mistake(
                    f"the model has no {kind} {name!r}", where=str(path), fix=f"its {kind}s: {', '.join(known)}"
                )
        shape = inputs[self.input].shape
        waveform = len(shape) in (1, 2) or (len(shape) == 3 and shape[1] in (1, None))
        others = [name for name in inputs if name != self.input]
        if not waveform or others or inputs[self.input].type != "tensor(float)":
            told = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs.values())
            raise Mistake(
                f"the model takes no single waveform: {told}",
                where=str(path),
                fix="export a model of waveforms [batch, samples], float32",
            )
        self.rank = len(shape)
        self.samples = shape[-1] if isinstance(shape[-1], int) else None
        self.batch = shape[0] if len(shape) > 1 and isinstance(shape[0], int) else None

    def frames(self, wave_BT: Tensor) -> Tensor:
        if self.samples is None:
            return self._run(wave_BT)
        return in_pieces(wave_BT, self.samples, self._run)

    def _run(self, wave_PT: Tensor) -> Tensor:
        """The outputs of pieces; as many pieces run at once as the model allows."""
        if self.rank > 1 and self.batch is None:
            return self._session(wave_PT.cpu().numpy()).to(wave_PT.device)
        size = self.batch or 1
        outputs = []
        for wave_QT in wave_PT.split(size):
            missing = size - len(wave_QT)
            filled = torch.nn.functional.pad(wave_QT, (0, 0, 0, missing)).cpu().numpy()
            outputs.append(self._session(filled)[: len(wave_QT)])
        return torch.cat(outputs).to(wave_PT.device)

    def _session(self, wave_PT: "np.ndarray[Any, Any]") -> Tensor:
        given = {1: wave_PT[0], 2: wave_PT, 3: wave_PT[:, None]}[self.rank]
        try:
            (output,) = self.session.run([self.output], {self.input: np.ascontiguousarray(given, np.float32)})
        except Exception as error:  # onnxruntime's own errors have no common class
            told = str(error).strip().splitlines()[0]
            raise Mistake(
                f"the model does not take waveforms of shape {list(given.shape)}: {told[:200]}",
                fix="use windows of a length that it takes",
            ) from error
        made = torch.from_numpy(np.asarray(output, np.float32))
        if self.rank == 1 and made.shape[:1] != (1,):
            made = made.unsqueeze(0)
        return made
