"""``python -m tests.speed_gpu [FOLDER]``: measures part by part, and writes the table after each.

Each part is a fork of this process, which has loaded all that they need and has not touched the GPU. A part that fails,
or whose time is over, leaves the rows that it gave. A part for which too little time is left is skipped.
"""

import argparse
import multiprocessing
import platform
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from benchmark.jobs.model import choose_device
from tests.speed_gpu.bench import Bench, Row
from tests.speed_gpu.parts import PARTS, Part
from tests.speed_gpu.report import Done, Report

_ENDING = 5.0  # seconds that are kept for ending a part


def main(arguments: Sequence[str] | None = None) -> Report:
    """Measures all parts, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.speed_gpu", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("speed-gpu"), help="of the two files")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all of it")
    parser.add_argument("--small", action="store_true", help="tiny sizes, which show that it runs")
    parser.add_argument("--part", action="append", choices=[part.name for part in PARTS], help="only this part")
    given = parser.parse_args(arguments)
    until = time.monotonic() + 60 * given.minutes
    report = Report({"sizes": "tiny: these figures mean nothing"} if given.small else {})
    for part in PARTS:
        if given.part and part.name not in given.part:
            continue
        done = Done(part.name)
        report.parts.append(done)
        left = until - time.monotonic() - _ENDING
        if left < part.least:
            done.ending, done.why = (
                "skipped",
                f"{left:.0f} s are left of {60 * given.minutes:.0f}, {part.least:g} needed",
            )
        else:
            _measure(part, given, min(part.most, left * part.share), done, report.where)
        report.write(given.folder)
        print(f"{done.part}: {done.ending}, {done.seconds:.0f} s {done.why}", flush=True)
    print(report.text())
    return report


def _measure(part: Part, given: argparse.Namespace, seconds: float, done: Done, where: dict[str, str]) -> None:
    """Runs a part in a process of its own, for so many seconds at most."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    began = time.monotonic()
    process = fork.Process(target=_child, args=(part, given, began + seconds, theirs))
    process.start()
    theirs.close()
    done.ending, done.why = "stopped", f"its {seconds:.0f} s were over"
    while ours.poll(max(began + seconds + _ENDING / 2 - time.monotonic(), 0)):
        try:
            told = ours.recv()
        except EOFError:
            process.join()
            done.ending, done.why = "failed", f"its process ended with {process.exitcode}"
            break
        if isinstance(told, Row):
            done.rows.append(told)
        elif isinstance(told, dict):
            where.update(told)
        else:
            done.ending, done.why = told
            break
    process.join(0.1 if done.ending == "stopped" else 5)
    process.kill()
    process.join()
    done.seconds = time.monotonic() - began


def _child(part: Part, given: argparse.Namespace, until: float, told: Connection) -> None:
    try:
        device = choose_device(given.device, given.precision)
        on_gpu = device.device.type == "cuda"
        name = torch.cuda.get_device_name(device.device) if on_gpu else platform.processor() or platform.machine()
        told.send({"device": name, "precision": device.precision, "torch": torch.__version__})
        for row in part.measure(Bench(device, given.small, until)):
            told.send(row)
        told.send(("done", ""))
    except BaseException as error:
        lines = str(error).splitlines()
        told.send(("failed", f"{type(error).__name__}: {lines[0][:300] if lines else ''}"))


if __name__ == "__main__":
    main()
