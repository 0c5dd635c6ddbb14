"""The memory of jobs on embeddings does not grow with the number of clips."""

import sys
from pathlib import Path

import pytest

from tests.scale.memory import make, measured

SIZES = (3000, 12000)
JOBS = ["embed", "knn", "freeze"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc")
def test_the_memory_of_a_process_is_that_with_a_quarter_of_the_clips(tmp_path: Path) -> None:
    peaks = []
    for clips in SIZES:
        make(tmp_path / str(clips), clips)
        peaks.append(measured(tmp_path / str(clips), clips, JOBS)["unmapped_mb"])
    few, many = peaks
    assert many <= 1.1 * few
