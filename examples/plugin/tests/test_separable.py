"""The encoder keeps its contract, and its frames are as many as it says."""

import subprocess
import sys

import pytest
import torch
from audiobench_separable.separable import Separable


def test_it_keeps_the_contract_of_encoders() -> None:
    command = [sys.executable, "-m", "audiobench", "check", "encoders", "separable"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize(("frames", "kept"), [(8, 1), (9, 2), (100, 13)])
def test_each_block_halves_the_frames(frames: int, kept: int) -> None:
    encoder = Separable(Separable.Config(width=4), 1, 16)
    assert encoder(torch.zeros(2, 1, 16, frames)).shape == (2, kept, encoder.embedding_dim) == (2, kept, 32)
