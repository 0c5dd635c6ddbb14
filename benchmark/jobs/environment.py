"""Describes for a record where and how its figures were computed."""

import platform
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from benchmark.jobs.model import Device, give_freed_memory_back
from benchmark.store.job import Environment

_FORGET = Path("/proc/self/clear_refs")
_PACKAGES = ("audiobench", "torch", "torchaudio", "timm", "numpy", "soundfile", "soxr", "scikit-learn")


def environment(device: Device, devices: int = 1) -> Environment:
    """Versions, device, how many such devices, precision, threads and the commit of the code."""
    on_gpu = device.device.type == "cuda"
    name = torch.cuda.get_device_name(device.device) if on_gpu else _cpu()
    return Environment(
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        device=f"{devices} x {name}" if devices > 1 else name,
        device_type=device.device.type,
        precision=device.precision,
        threads=torch.get_num_threads(),
        commit=_commit(),
    )


def forget_peak(device: Device) -> None:
    """Lets the peak of the memory begin anew, where the system can: on Linux, and on a GPU."""
    if device.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device.device)
    give_freed_memory_back()
    with suppress(OSError):  # there is none but on Linux, and some containers forbid it
        _FORGET.write_text("5", encoding="ascii")


def peak_memory(device: Device) -> dict[str, int]:
    """Bytes: the most memory that this process has used on the host and on the GPU, since ``forget_peak``."""
    peak = {"host": _peak_on_host()}
    if device.device.type == "cuda":
        peak["device"] = torch.cuda.max_memory_allocated(device.device)
    return peak


def _peak_on_host() -> int:
    """The most memory, in bytes, that this process has used, as the system counts it."""
    try:
        import resource
    except ImportError:  # on Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS gives bytes, others KiB


@cache
def _cpu() -> str:
    """The processor's name, if the system states it, and the threads in use."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {torch.get_num_threads()} threads"


@cache
def _commit() -> str | None:
    """The commit of the code, with ``+`` where the tree differs from it; None outside a checkout of audiobench."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        told = subprocess.run(  # nosec B603 # a list of arguments, and no shell
            command, cwd=file.parent, capture_output=True, text=True, check=True
        )
        return told.stdout.strip()

    file = Path(__file__)
    try:
        git("ls-files", "--error-unmatch", file.name)  # a copy installed inside another project's checkout is not ours
        return git("describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None
