"""Does a job in a process of its own: ``audiobench job KEY``, on whatever machine this is called."""

import ctypes
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from benchmark.ledger.work import Became, Work
from benchmark.signals import STOP_SIGNALS, heeded
from registry.errors import Mistake

_INTERRUPTED = {status for number in STOP_SIGNALS for status in (-number, 128 + number)}
_LINES = 20  # of the output of a job that says nothing else
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def require_any_gpu(work: Work, name: str) -> None:
    """Refuses a device with a number, where others choose the GPU of a job."""
    if work.device.startswith("cuda:"):
        raise Mistake(f"{name} chooses the GPU of each job, and --device is {work.device}", fix="use --device cuda")


def do_in_process(arguments: Sequence[str], folder: str, environment: Mapping[str, str]) -> Became:
    """Runs ``audiobench`` with these arguments, and says what became of the job.

    If this process is asked to stop, or dies (on Linux), the job is asked to stop, too, and leaves a checkpoint.

    Args:
        arguments: of ``audiobench``.
        folder: in which the job runs.
        environment: variables for the job, besides those of this process.
    """
    if not Path(folder).is_dir():
        return Became("failed", f"{platform.node()} has no folder {folder}\n  to do: start from a shared folder")
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "audiobench", *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C in a terminal reaches the job only from here
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        try:
            with _handed_on(process):
                told = _watched(process)
        except KeyboardInterrupt:  # Ray cancels a task so
            _ask_to_stop(process, signal.SIGINT)
            told = _watched(process)
        output.seek(0)
        return _became(process.wait(), output.read().decode(errors="replace"), told)


def _watched(process: "subprocess.Popen[str]") -> str:
    """Shows a process's errors while it runs, and returns the last of them."""
    last: deque[str] = deque(maxlen=_LINES)
    assert process.stderr
    for line in process.stderr:
        sys.stderr.write(line)
        sys.stderr.flush()
        last.append(line)
    return "".join(last)


def _became(status: int, output: str, told: str) -> Became:
    """What became of a job, by its exit status and what it printed."""
    if status in _INTERRUPTED:
        return Became("interrupted", "interrupted")
    try:
        answer: dict[str, Any] = json.loads(output.splitlines()[-1])
        return Became(answer["how"], answer["message"])
    except (ValueError, LookupError, TypeError):
        pass
    if status < 0:
        why = ", as the system does for want of memory" if -status == signal.SIGKILL else ""
        return Became("failed", f"its process was killed by signal {-status}{why}")
    _, _, mistake = told.rpartition("audiobench: ")
    return Became("failed", mistake.strip() or f"its process ended with status {status}")


@contextmanager
def _handed_on(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Hands on to a process, as another signal, the first one that asks this process to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        if not stopped:
            _ask_to_stop(process, number)
        stopped = True

    before = {number: signal.signal(number, stop) for number in heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask_to_stop(process: "subprocess.Popen[str]", asked: int) -> None:
    """Asks a process to stop, and not by the signal that this one got.

    Slurm signals every process of a job: the job may have the same signal by now, and a second one of a number would
    end it at once, before its checkpoint.
    """
    other = getattr(signal, "SIGUSR1", signal.SIGTERM)  # Windows has one alone, and no Slurm
    process.send_signal(other if asked == signal.SIGTERM else signal.SIGTERM)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGTERM)
