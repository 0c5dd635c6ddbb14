"""The form ``pt2``: a graph of torch, which needs no code of audiobench."""

import shutil
from pathlib import Path

import torch

from benchmark.export import beside
from benchmark.export.exported import Exported
from benchmark.export.window import Window, difference, facts_file, quiet, require_equal, traced

NEEDS = "pip install torch"
FILE = "model.pt2"
_MOST = 1e-6  # of the largest value: the graph runs the same kernels


def write(model: Exported, folder: Path) -> None:
    """Writes ``model.pt2``, the graph of one window, and ``embed.py``, which cuts recordings into windows.

    The graph takes windows ``[W, window_samples]`` float32 in [-1, 1], W any number, and gives ``[W, D]`` float32.

    Raises:
        Mistake: if the model has no graph of torch, or the file does not give torch's embeddings.
    """
    save(model, Window(model), folder)
    shutil.copy(beside.path("embed_pt2"), folder / "embed.py")


def save(model: Exported, window: Window, folder: Path) -> None:
    """Writes the graph of a window into ``model.pt2``, reads it again, and compares its embeddings with torch's.

    Raises:
        Mistake: if the model has no graph of torch, or the file does not give torch's embeddings.
    """
    with quiet():
        torch.export.save(traced(model, window), folder / FILE, extra_files=facts_file(model))
        again = torch.export.load(folder / FILE).module()
    require_equal(difference(window, again), _MOST, model.name, "pt2")


def snippet(model: Exported) -> str:
    """Python that embeds with the folder."""
    return "from embed import embed\n\nz = embed(wave)\n"
