"""The form ``onnx``: a graph that needs no torch."""

import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from benchmark.export import beside
from benchmark.export.exported import Exported
from benchmark.export.onnx_forms import with_onnx_forms
from benchmark.export.window import Window, difference, facts, quiet, require_equal, traced
from registry.errors import Mistake

NEEDS = "pip install onnxruntime"
FILE = "model.onnx"
_OPSET = 20  # the first whose DFT and STFT suffice
_MOST = 1e-4  # of the largest value
_WRITING = ("onnx", "onnxscript", "onnxruntime")


def write(model: Exported, folder: Path) -> None:
    """Writes ``model.onnx``, the graph of one window, and ``embed.py``, which cuts recordings into windows.

    The input ``wave`` takes windows ``[W, window_samples]`` float32 in [-1, 1], W any number; the output ``embedding``
    is ``[W, D]`` float32. The front end is inside. The file's metadata state the sample rate and the sizes.

    Raises:
        Mistake: if a package is missing, the model has no graph in ONNX, or the file does not give torch's embeddings.
    """
    missing = [package for package in _WRITING if importlib.util.find_spec(package) is None]
    if missing:
        raise Mistake(
            f"exporting to ONNX needs {', '.join(missing)}, not installed here", fix="pip install 'audiobench[onnx]'"
        )
    window = Window(model)
    path = folder / FILE
    with quiet():
        made = _converted(traced(model, window), model)
    made.model.metadata_props.update(facts(model))
    for node in made.model.graph.all_nodes():
        node.metadata_props.clear()  # they name files of this machine
    made.save(path)
    require_equal(difference(window, _Session(path)), _MOST, model.name, "ONNX")
    shutil.copy(beside.path("embed_onnx"), folder / "embed.py")


def snippet(model: Exported) -> str:
    """Python that embeds with the folder."""
    return "from embed import embed\n\nz = embed(wave)\n"


def _converted(program: ExportedProgram, model: Exported) -> Any:
    """torch's ``ONNXProgram`` of a graph."""
    from onnxscript import optimizer

    try:
        made: Any = torch.onnx.export(
            with_onnx_forms(program),
            verbose=False,
            opset_version=_OPSET,
            input_names=["wave"],
            output_names=["embedding"],
            dynamic_shapes=({0: Dim("windows", min=1)},),
            optimize=False,
        )
        # Not torch's own optimisation, which takes the addition of 1e-8 for one of 0 (onnxscript 0.7.2).
        optimizer.fold_constants(made.model)
        optimizer.remove_unused_nodes(made.model)
        return made
    except Exception as error:  # the exporter's own errors have no public class
        summary = re.search(r"## Exception summary\s+<class '[\w.]+'>: (.+?)(\. Failure message|\n)", str(error))
        raise Mistake(
            f"torch makes no ONNX file of {model.name}: {summary[1] if summary else type(error).__name__}",
            fix="export it as pt2 or safetensors",
        ) from error


class _Session:
    """An ONNX file as a function of windows."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors have no common class
            told = str(error).strip().splitlines()[0]
            raise Mistake(
                f"onnxruntime cannot run the graph: {told[-200:]}", fix="export it as pt2 or safetensors"
            ) from error

    def __call__(self, wave_WT: Tensor) -> Tensor:
        (z_WD,) = self.session.run(["embedding"], {"wave": wave_WT.numpy()})
        return torch.from_numpy(np.asarray(z_WD))
