"""One pretraining on several devices of this machine: a process for each, started and watched as torchrun does it."""

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmark.store.job import AnyJob
from registry.errors import Interrupted, Mistake

_SIGNALLED = 128  # and the signal's number is the exit status after a signal
_ENDED = (signal.SIGTERM, signal.SIGABRT)  # ends of processes that lost another one
_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")  # that all processes get


def require_divisible(job: AnyJob, devices: int) -> None:
    """Raises a Mistake if so many devices cannot share the batches of a job evenly."""
    if devices > 1:
        from benchmark.jobs.pretrain import PretrainJob

        assert isinstance(job, PretrainJob)
        job.config.training.require_division(devices, job.title)


def require_devices(devices: int, device: str) -> None:
    """Raises a Mistake if a job asks for more devices than this machine has.

    Args:
        devices: how many.
        device: auto, cpu, cuda, cuda:1, ...
    """
    if devices == 1 or device == "cpu":
        return
    if device not in ("auto", "cuda"):
        raise Mistake(f"--device {device} names one device, and --devices asks for {devices}", fix="leave one out")
    import torch

    there = torch.cuda.device_count()
    if devices > there and (there or device == "cuda"):
        raise Mistake(
            f"--devices asks for {devices}, and this machine has {there} GPUs",
            fix=f"--devices {there}" if there else "--device cpu, where they share its cores",
        )


def do_on_devices(arguments: Sequence[str], devices: int, lighter: str) -> str:
    """Calls ``audiobench`` with these arguments in so many processes, which do one job together.

    If one fails, all end, within half a minute. A signal goes on to all of them.

    Args:
        arguments: of ``audiobench``.
        devices: how many.
        lighter: what to do if memory was short.

    Returns:
        What the first process came to, in a line.

    Raises:
        Mistake: with the first reason, if a process failed.
        Interrupted: by a signal.
    """
    import torch
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    torch.cuda.empty_cache()  # of this process, which may have embedded before
    with TemporaryDirectory() as folder, _as_before():
        config = LaunchConfig(
            run_id="audiobench",
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=devices,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder, redirects=Std.OUT),
            signals_to_handle=",".join(_heeded()),
        )
        os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // devices, 1)))
        try:
            elastic_launch(config, sys.executable)("-m", "audiobench", *arguments)
        except SignalException as stop:
            raise Interrupted(stop.sigval) from None
        except ChildFailedError as error:
            status = {rank: told.exitcode for rank, told in error.failures.items()}
            raise _reason(_told(Path(folder)), status, lighter) from None
        return next(message for failed, message in _told(Path(folder)) if not failed)


def _heeded() -> list[str]:
    """The names of the signals that this system has, and that this process does not ignore."""
    there = [name for name in _SIGNALS if hasattr(signal, name)]
    return [name for name in there if signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN]


def _told(folder: Path) -> list[tuple[bool, str]]:
    """Whether a process failed, and its message, of each that said so; the first to say it comes first."""
    files = sorted(folder.rglob("stdout.log"), key=lambda file: file.stat().st_mtime_ns)
    lines = [file.read_text(encoding="utf-8", errors="replace").splitlines() for file in files]
    said: list[dict[str, Any]] = [json.loads(of_one[-1]) for of_one in lines if of_one]
    return [(one["how"] == "failed", one["message"]) for one in said]


def _reason(told: Sequence[tuple[bool, str]], status: Mapping[int, int], lighter: str) -> BaseException:
    """Why processes failed: one that was killed is the reason why others fail, and then all others are ended.

    Args:
        told: whether a process failed, and its message; the first to say it comes first.
        status: of the exit of each process that failed; below 0 for a signal that killed it.
        lighter: what to do if memory was short.
    """
    for rank, code in status.items():
        if code < 0 and -code not in _ENDED:
            name = signal.Signals(-code).name
            what = f"the process of device {rank} was killed by {name}"
            short = f"memory was short, if the system did it: {lighter}"
            return Mistake(what, fix=short if -code == signal.SIGKILL else "see its message above")
    for failed, message in told:
        if failed:
            return Mistake(message)
    for code in status.values():
        if code > _SIGNALLED:
            return Interrupted(code - _SIGNALLED)
    return Mistake("a process failed before its work", fix="see its message above")


@contextmanager
def _as_before() -> Iterator[None]:
    """Leaves handlers of signals, the environment and torch's log as they were."""
    main = threading.current_thread() is threading.main_thread()  # which alone may change handlers
    numbers = [getattr(signal, name) for name in _heeded() if main]
    handlers = {number: signal.getsignal(number) for number in numbers}
    environment, silent = dict(os.environ), logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(silent)
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in handlers.items():
            signal.signal(number, handler)
