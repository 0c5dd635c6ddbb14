"""``python -m tests.speed [SCRIPT ...]``: runs the scripts of this folder, each in a process of its own, one by one.

The table goes to standard output as Markdown.
"""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

from tests.speed import Row

_HEAD = "| work | bound | ours, CPU s | bound, CPU s | value | goal | |\n|---|---|--:|--:|--:|--:|---|"


def main() -> None:
    """Prints the table, row by row as it comes."""
    here = Path(__file__).parent
    every = sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))
    print(_HEAD)
    for script in sys.argv[1:] or every:
        code = f"from tests.speed.__main__ import _run; _run({script!r})"
        one_thread = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | one_thread, stdout=subprocess.PIPE)
        for line in process.stdout or ():
            row = json.loads(line)
            if isinstance(row["goal"], list):
                row["goal"] = tuple(row["goal"])
            print(_written(Row(**row)), flush=True)
        if process.wait():
            print(f"| {script} failed | | | | | | |", flush=True)


def _run(script: str) -> None:
    """Prints the rows of a script, a line of JSON each."""
    import torch

    torch.set_num_threads(1)
    table = sys.stdout
    with redirect_stdout(sys.stderr):  # what is measured may print, too
        for row in importlib.import_module(f"tests.speed.{script}").rows():
            print(json.dumps(dataclasses.asdict(row)), file=table, flush=True)


def _written(row: Row) -> str:
    goal = f"{row.goal[0]}-{row.goal[1]}" if isinstance(row.goal, tuple) else f"{row.goal:g}"
    bare = "" if row.bare is None else f"{row.bare:.3g}"
    cells = [row.work, row.bound, f"{row.ours:.3g}", bare, f"{row.value:#.3g}", goal, "" if row.reached else "missed"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
