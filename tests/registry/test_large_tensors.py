"""Tensor files that are written row by row are those that are written at once."""

from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from registry.errors import Damaged
from registry.large_tensors import laid_out, map_tensors
from registry.tensors import read_tensors, write_tensors

PARTS = {"parts": '{"wave": 3, "log \\"mel\\" \\u00e4": 4}'}


@pytest.mark.parametrize("rows", [1, 5])
def test_a_file_laid_out_has_the_bytes_of_one_that_is_written_at_once(tmp_path: Path, rows: int) -> None:
    tensors = {"window": torch.randn(rows, 7), "clip": torch.arange(rows)}
    write_tensors(tmp_path / "whole", tensors, PARTS)
    with laid_out(tmp_path / "rows", {name: tensor.to("meta") for name, tensor in tensors.items()}, PARTS) as layout:
        for row in reversed(range(rows)):
            for name, tensor in tensors.items():
                layout.write(name, row, tensor[row : row + 1])
    assert (tmp_path / "rows").read_bytes() == (tmp_path / "whole").read_bytes()
    mapped, metadata = map_tensors(tmp_path / "rows")
    assert metadata == PARTS == read_tensors(tmp_path / "rows")[1]
    assert all(torch.equal(mapped[name], tensor) for name, tensor in tensors.items())


def test_a_block_that_fails_leaves_no_whole_file_and_a_changed_bit_is_seen(tmp_path: Path) -> None:
    layout = {"window": torch.empty(3, 2, device="meta")}
    with pytest.raises(ZeroDivisionError), laid_out(tmp_path / "x", layout, {}) as file:
        file.write("window", 0, torch.ones(1, 2) / (1 // 0))
    with pytest.raises(SafetensorError):
        map_tensors(tmp_path / "x")
    with laid_out(tmp_path / "x", layout, {}) as file:
        file.write("window", 2, torch.ones(1, 2))
    assert map_tensors(tmp_path / "x")[0]["window"].tolist() == [[0, 0], [0, 0], [1, 1]]
    write_tensors(tmp_path / "x", {"window": torch.ones(3, 2)})
    content = bytearray((tmp_path / "x").read_bytes())
    content[-1] ^= 1
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Damaged, match="differs from its own digest"):
        map_tensors(tmp_path / "x")
