"""Arrays on the disk, and tables that are written a group of rows at a time."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from benchmark.jobs import predictions
from benchmark.jobs.scratch import scratch_in


def test_an_array_on_the_disk_is_one_like_any_other_and_leaves_no_file(tmp_path: Path) -> None:
    made = scratch_in(tmp_path)(300, 7, dtype=torch.float64)
    made[5:7] = torch.ones(2, 7, dtype=torch.float64)
    assert (made.shape, made.dtype, made.sum().item()) == ((300, 7), torch.float64, 14)
    assert scratch_in(tmp_path)(0, 7).shape == (0, 7)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_and_no_end_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*place: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        scratch_in(tmp_path)(300, 7)


@pytest.mark.parametrize("rows", [1, 7, 10, 100])
def test_groups_of_rows_make_the_table_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(predictions, "_ROWS_AT_ONCE", rows)
    tables = [pd.DataFrame({"clip": [f"{i}" for i in range(n)], "score": np.arange(n) / 3}) for n in (4, 9, 1, 30)]
    predictions._write(tmp_path / "x.parquet", map(pa.Table.from_pandas, tables))
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), pd.concat(tables, ignore_index=True))
