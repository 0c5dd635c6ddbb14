"""TensorBoard writes in a thread of its own, which may meet a full disk."""

import errno
import threading
from pathlib import Path

import pytest

from benchmark.trackers import make_tracking
from tests.jobs import pretrain_job


def test_a_full_disk_leaves_tensorboard_out_with_a_line_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    told, shown = list[str](), list[threading.ExceptHookArgs]()
    monkeypatch.setattr(threading, "excepthook", shown.append)

    def full(writer: object, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    tracking = make_tracking(("tensorboard",), tmp_path, "made", told.append)
    with tracking.following(pretrain_job("corpus")):
        tracking.scalars(1, {"loss": 1.0})
        assert not told
        with monkeypatch.context() as patched:
            patched.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
            tracking.scalars(2, {"loss": 1.0})
            tracking.scalars(3, {"loss": 1.0})
    what = "follows nothing more in this run: OSError: [Errno 28] No space left on device"
    assert told == [f"the tracker tensorboard failed, and {what}"]
    assert shown == []
    other = threading.Thread(target=lambda: 1 / 0)
    other.start()
    other.join()
    assert [failed.exc_type for failed in shown] == [ZeroDivisionError]
