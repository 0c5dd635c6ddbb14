"""Files of embeddings whose digest is right and whose content is not: refused when they are read."""

from pathlib import Path

import pytest
import torch

from benchmark.jobs.embedding import load_embeddings
from registry.tensors import write_tensors

WINDOWS = torch.arange(8.0).view(4, 2)
CLIPS = torch.tensor([0, 0, 1, 2])


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"window": WINDOWS, "clip": CLIPS}, {"parts": "{}"})
    made = load_embeddings(tmp_path / "a")
    assert (made.window_WD.tolist(), made.clip_W.tolist()) == (WINDOWS.tolist(), CLIPS.tolist())


@pytest.mark.parametrize(
    ("windows", "clips", "says"),
    [
        (WINDOWS.index_fill(0, torch.tensor(3), torch.nan), CLIPS, "not all finite"),
        (WINDOWS.index_fill(0, torch.tensor(0), torch.inf), CLIPS, "not all finite"),
        (WINDOWS, CLIPS + 1, "not of the clips"),
        (WINDOWS, torch.tensor([0, 0, 1, 3]), "not of the clips"),
        (WINDOWS, torch.tensor([0, 1, 0, 2]), "not of the clips"),
        (WINDOWS, CLIPS[:3], "not of the clips"),
        (WINDOWS, CLIPS.view(2, 2), "not of the clips"),
        (WINDOWS.view(2, 2, 2), CLIPS, "not of the clips"),
    ],
)
def test_embeddings_that_lie_are_refused(windows: torch.Tensor, clips: torch.Tensor, says: str, tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"window": windows, "clip": clips}, {"parts": "{}"})
    with pytest.raises(ValueError, match=says):
        load_embeddings(tmp_path / "a")
