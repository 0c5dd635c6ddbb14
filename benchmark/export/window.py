"""The graph of one window of a model, which the forms pt2, onnx and hear contain, and its comparison with torch.

Legend: W windows, T samples, N frames, D embedding.
"""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.utils._pytree import tree_leaves

from benchmark.export.exported import Exported
from registry.encoders import Encoder
from registry.encoders._brought import Brought
from registry.encoders._unpadded import Unpadded
from registry.errors import Mistake

FACTS = "audiobench.json"  # in a pt2 file: what ``facts`` gives
_PATHS = ("stack_trace", "nn_module_stack", "source_fn_stack")  # of a graph's nodes: they name files of this machine
_ASSERTION = torch.ops.aten._assert_tensor_metadata.default


class Window(nn.Module):
    """Windows ``[W, T]`` to embeddings ``[W, D]``, float32, as ``Net`` computes them before it takes their mean.

    ``samples`` is T.

    Raises:
        Mistake: if the model takes whole clips, or has no graph of torch.
    """

    def __init__(self, model: Exported) -> None:
        super().__init__()
        net = model.net
        _require_graph(net.encoder, model.name)
        if net.window_samples == "whole":
            raise Mistake(
                f"{model.name} embeds whole clips (crop: whole), and a graph takes windows of one length",
                fix="export it as safetensors or hf, or an entry whose crop is in seconds",
            )
        self.views, self.encoder, self.samples = net.views, net.encoder, net.window_samples
        self.eval()

    def forward(self, wave_WT: Tensor) -> Any:
        return self.encoder.embed(self.views(wave_WT)).float()


class WindowWithFrames(Window):
    """Windows ``[W, T]`` to embeddings ``[W, D]`` and the encoder's frames ``[W, N, D]``.

    An encoder that has no frames gives its embedding as the only one.
    """

    def __init__(self, model: Exported) -> None:
        super().__init__(model)
        try:
            with torch.no_grad():
                self.encoder(self.views(torch.zeros(1, self.samples)))
            self.has_frames = True
        except Mistake:
            self.has_frames = False

    def forward(self, wave_WT: Tensor) -> tuple[Tensor, Tensor]:
        x = self.views(wave_WT)
        if not self.has_frames:
            z_WD = self.encoder.embed(x).float()
            return z_WD, z_WD.unsqueeze(1)
        frames_WND = self.encoder(x)
        pools_frames = type(self.encoder).embed is Encoder.embed
        z_WD = self.encoder.pool(frames_WND) if pools_frames else self.encoder.embed(x)
        return z_WD.float(), frames_WND.float()


def facts(model: Exported) -> dict[str, str]:
    """What an exported file states beside its graph, as text."""
    net = model.net
    return {
        "name": model.name,
        "sample_rate": str(net.sample_rate),
        "window_samples": str(net.window_samples),
        "embedding_dim": str(net.embedding_dim),
        "audiobench": version("audiobench"),
    }


def facts_file(model: Exported) -> dict[str, str]:
    """``facts`` as the extra file of a pt2 file."""
    return {FACTS: json.dumps(facts(model), indent=1)}


def traced(model: Exported, window: Window) -> ExportedProgram:
    """The graph of a window, for any number of windows. It names no files of this machine, and runs on any device.

    Raises:
        Mistake: if torch.export cannot follow the model, such as one whose graph depends on values.
    """
    encoder = model.net.encoder
    given = (torch.zeros(2, window.samples),)
    try:
        with torch.no_grad():
            program = torch.export.export(window, given, dynamic_shapes=({0: Dim("windows", min=1)},))
    except Mistake:
        raise
    except Exception as error:  # torch.export has many, and no common class
        told = (str(error).strip() or type(error).__name__).splitlines()[0]
        if told.startswith("Constraints violated"):
            told = "what it computes depends on how many windows it gets"
        raise Mistake(
            f"torch.export cannot follow {type(encoder).__name__}, the encoder of {model.name}: {told[:200]}",
            fix="use it where it is" if isinstance(encoder, Brought) else "export it as safetensors",
        ) from error
    _make_portable(program)
    return program


def _require_graph(encoder: Encoder, name: str) -> None:
    if not encoder.gives_gradients:
        raise Mistake(
            f"{name} has no graph of torch: {type(encoder).__name__} runs a file of another library",
            fix="use the model's own file, as it is",
        )
    if isinstance(encoder, Unpadded):
        raise Mistake(
            f"{name} has no one graph: {type(encoder).__name__} leaves out the padding of each clip, "
            "so that what is computed depends on the samples",
            fix="use the model as its own library saves it",
        )


def _make_portable(program: ExportedProgram) -> None:
    """Removes from a graph which files it was traced in, and the assertions that tensors are on the CPU."""
    for module in program.graph_module.modules():
        if not isinstance(module, torch.fx.GraphModule):
            continue
        for node in list(module.graph.nodes):
            if node.target is _ASSERTION:
                module.graph.erase_node(node)
            for key in _PATHS:
                node.meta.pop(key, None)
        module.recompile()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """A context in which torch tells nothing about its own work, on any stream."""
    before = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


def probes(samples: int) -> Tensor:
    """Seven windows ``[7, samples]``: noise, silence, noise whose samples are all at full scale, and mixtures."""
    generator = torch.Generator().manual_seed(0)
    noise_5T = torch.randn(5, samples, generator=generator)
    quiet_2T, loud_3T = noise_5T[:2] / 10, noise_5T[2:].sign()
    half = loud_3T[2:].clone()
    half[:, samples // 2 :] = 0  # a clip that is padded
    return torch.cat([quiet_2T, torch.zeros(2, samples), loud_3T[:2], half])


def difference(window: Window, again: Callable[[Tensor], Any]) -> float:
    """By how much embeddings, and frames, differ at most, as a share of the largest value that torch gives.

    Args:
        window: as torch computes it.
        again: as the exported file computes it.

    Returns:
        Over 1, 2 and 7 windows of noise, silence and full scale; infinite where a value is not finite.
    """
    wave_WT = probes(window.samples)
    apart, largest = 0.0, 1e-12
    for wave in (wave_WT[:1], wave_WT[1:3], wave_WT):
        with torch.no_grad():
            expected, found = tree_leaves(window(wave)), tree_leaves(again(wave))
        for x, y in zip(expected, found, strict=True):
            if x.shape != y.shape or not y.isfinite().all():
                return float("inf")
            apart = max(apart, float((x - y).abs().max()))
            largest = max(largest, float(x.abs().max()))
    return apart / largest


def require_equal(found: float, most: float, name: str, form: str) -> None:
    """Refuses an exported file whose embeddings differ from torch's by more than this share of the largest."""
    if not found <= most:
        raise Mistake(
            f"the {form} file of {name} does not give torch's embeddings: they differ by {found:.1e} of the largest "
            f"value, and at most {most:.0e} is allowed",
            fix="export it in another form, such as safetensors",
        )
