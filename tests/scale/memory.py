"""What embed, knn and freeze take of memory and time on made clips: of any number, each job in a process of its own.

    python -m tests.scale.memory FOLDER [--sizes 1000 4000 16000 64000] [--jobs embed knn freeze] [--other CHECKOUT]

CHECKOUT is another version of the code, which does the same jobs in turn. A process's memory is read every 5 ms, as
Linux tells it. Files that a process maps lie in the page cache, from which the system may drop them at any time:

    start_mb     before the job: Python, torch and what else is loaded
    peak_mb      the most that the process had, with the pages of mapped files that it has touched
    unmapped_mb  the most without those that it has mapped since the start: what must be there
    above_mb     unmapped_mb less start_mb
    mapped_mb    the pages of files that were mapped since the start
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark.store.job import AnyJob

_HERE = Path(__file__)
_ROOT = _HERE.parents[2]
_RATE, _SAMPLES, _CROP = 8000, 1600, 800  # three windows a clip
_CLASSES, _FOLDS = 10, 5
_TOLD = ("clips", "job", "code", "cpu_s", "seconds", "start_mb", "peak_mb", "unmapped_mb", "above_mb", "mapped_mb")


def make(folder: Path, clips: int) -> None:
    """Writes the plan of the jobs, and the pack that they work on: tones in noise, of ten classes, in five folds."""
    import hashlib

    import numpy as np
    import pandas as pd

    from benchmark.jobs import pack
    from benchmark.store.integrity import seal
    from benchmark.store.job import RECORD_SCHEMA
    from benchmark.store.store import Store, write_json
    from registry.lookup import TARGETS
    from tests.jobs import pack_job

    job, rng = pack_job(rate=_RATE, inputs=str(clips)), np.random.default_rng(0)
    label_N = np.arange(clips) % _CLASSES
    digest = hashlib.sha256()
    with Store(folder).writing(job, print) as aside:
        if aside is None:
            return
        with (aside / "samples.i16").open("wb") as file:
            for first in range(0, clips, 1024):
                pitch_B1 = 200 * 1.3 ** label_N[first : first + 1024, None]
                wave_BT = np.sin(2 * np.pi * pitch_B1 / _RATE * np.arange(_SAMPLES)) + rng.normal(
                    0, 1, (len(pitch_B1), _SAMPLES)
                )
                stored = (4000 * wave_BT).astype(np.int16).tobytes()
                digest.update(stored)
                file.write(stored)
        columns = {
            "id": [f"{i:08d}.wav" for i in range(clips)],
            "hash": [f"{i:064x}" for i in range(clips)],
            "samples": _SAMPLES,
            "label": label_N,
            "fold": np.arange(clips) * _FOLDS // clips + 1,
            "source": [str(i) for i in range(clips)],
        }
        pd.DataFrame(columns).to_parquet(aside / "clips.parquet", index=False)
        record = pack.Record(
            summary="made",
            key=job.key,
            clips=clips,
            audio_seconds=clips * _SAMPLES / _RATE,
            sample_rate=_RATE,
            classes=tuple(map(str, range(_CLASSES))),
            content_hash=digest.hexdigest(),
            skipped={},
            target=TARGETS.choose("one-label").name,
        )
        write_json(aside / "job.json", job.to_json())
        write_json(aside / "result.json", seal({"schema": RECORD_SCHEMA, **record.model_dump(mode="json")}, aside))


def _make_aside(folder: Path, clips: int) -> None:
    """Makes a pack in a process of its own: what that loads is not of the jobs."""
    command = [sys.executable, str(_HERE), str(folder), "--sizes", str(clips), "--make"]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(_ROOT)}, check=True)


def do(folder: Path, clips: int, names: Sequence[str]) -> None:
    """Does the named jobs one after another, and prints what they took as JSON.

    The same jobs are done before on a few clips: what they load and set up once is not of their clips.
    """
    import torch

    from registry.lookup import load_plugin

    torch.set_num_threads(1)
    load_plugin(_HERE.with_name("projection.py"))
    with TemporaryDirectory() as few:
        _make_aside(Path(few), 100)
        _do(Path(few), 100, ["embed", *names])
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    print(json.dumps(memory_of(os.getpid())), flush=True)
    began, cpu = time.monotonic(), time.process_time()
    _do(folder, clips, names)
    print(json.dumps({"cpu_s": time.process_time() - cpu, "seconds": time.monotonic() - began}), flush=True)


def _do(folder: Path, clips: int, names: Sequence[str]) -> None:
    from benchmark.jobs import embed, evaluate
    from benchmark.jobs.model import choose_device
    from benchmark.jobs.workplace import Workplace
    from benchmark.ledger.execute import do_here
    from benchmark.progress import Progress
    from benchmark.store.store import Store
    from registry.lookup import ENCODERS, FRONTENDS, PROTOCOLS
    from tests.jobs import component, pack_job

    packed = pack_job(rate=_RATE, inputs=str(clips)).key
    config = embed.Config(
        encoder=ENCODERS.choose("projection"),
        frontend=FRONTENDS.choose({"name": "waveform", "sample_rate": _RATE}),
        weights=embed.WeightsKey(kind="random", seed=0),
        window_samples=_CROP,
    )
    embedding = embed.EmbedJob(config, embed.Needs(pack=packed))
    asked = {"knn": component(PROTOCOLS, "knn"), "freeze": component(PROTOCOLS, "freeze", epochs=3)}
    jobs: dict[str, AnyJob] = {"embed": embedding}
    for name, protocol in asked.items():
        settings = evaluate.Config(protocol=protocol, seed=0, folds=tuple(range(1, _FOLDS + 1)))
        jobs[name] = evaluate.EvaluateJob(settings, evaluate.Needs(pack=packed, embed=embedding.key))
    known = {job.key: job for job in jobs.values()}
    at = Workplace(Store(folder), None, known, {}, choose_device("cpu", "fp32"), Progress(), skip_bad=False)
    for name in dict.fromkeys(names):
        do_here(jobs[name], at)


def memory_of(process: int) -> dict[str, float]:
    """The memory of a process now, and the most that it had, in MB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    now = {name: int(lines[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile", "RssShmem", "VmHWM")}
    return {"anonymous": now["RssAnon"] + now["RssShmem"], "mapped": now["RssFile"], "peak": now["VmHWM"]}


def measured(folder: Path, clips: int, names: Sequence[str], root: Path = _ROOT) -> dict[str, float]:
    """Does jobs in a process of the code at ``root``; what they took, memory in MB."""
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(_HERE), str(folder), "--sizes", str(clips), "--do", *names]
    process = subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    output = process.stdout
    start = json.loads(output.readline() or "{}")
    most, said = dict(start), list[str]()
    ended = Thread(target=lambda: said.append(output.readline()))
    ended.start()
    while ended.is_alive():
        with suppress(OSError, KeyError, ValueError):  # it has just failed
            most = {name: max(value, most[name]) for name, value in memory_of(process.pid).items()}
        time.sleep(0.005)
    if process.wait() or not start:
        raise RuntimeError(f"{names} of {clips} clips failed")
    rises = {name: most[name] - start[name] for name in ("anonymous", "mapped")}
    return {
        **json.loads(said[0]),
        "start_mb": start["anonymous"] + start["mapped"],
        "peak_mb": most["peak"],
        "unmapped_mb": start["mapped"] + most["anonymous"],
        "above_mb": rises["anonymous"],
        "mapped_mb": rises["mapped"],
    }


def table(folder: Path, sizes: Sequence[int], names: Sequence[str], other: Path | None) -> Iterator[dict[str, object]]:
    """A row for every size, job and version of the code."""
    codes = {"this": _ROOT, **({"other": other} if other else {})}
    for clips in sizes:
        for code in codes:
            _make_aside(folder / code / str(clips), clips)
        for name in names:
            for code, root in codes.items():
                yield {
                    "clips": clips,
                    "job": name,
                    "code": code,
                    **measured(folder / code / str(clips), clips, [name], root),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 4000, 16000, 64000])
    parser.add_argument("--jobs", nargs="+", default=["embed", "knn", "freeze"])
    parser.add_argument("--other", type=Path)
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--do", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        make(asked.folder, asked.sizes[0])
    elif asked.do:
        do(asked.folder, asked.sizes[0], asked.do)
    else:
        print("| " + " | ".join(_TOLD) + " |\n|" + "--:|" * len(_TOLD))
        for row in table(asked.folder, asked.sizes, asked.jobs, asked.other):
            cells = (f"{value:.1f}" if isinstance(value, float) else str(value) for value in map(row.get, _TOLD))
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
