"""Makes the page of a suite that runs: ``python -m leaderboard.watch.make JSON``, a process beside the run."""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Writes the report of the plan that was stored last for a suite. The data sets are not read."""
    if hasattr(os, "nice"):
        os.nice(19)  # jobs come first
    from benchmark.ledger.request import Request
    from benchmark.store.files import write_text
    from benchmark.store.store import Store
    from leaderboard.merge import separate
    from leaderboard.page import render
    from leaderboard.report import make_report

    asked = json.loads(sys.argv[1])
    store = Store(Path(asked["runs"]))
    request = Request(Path(asked["suite"]), asked["scale"], None, (), tuple(map(Path, asked["plugins"])))
    plan = request.last(store)
    assert plan, "a run stores its plan before its work"
    report, _ = make_report(separate(plan, store), store, suite=plan.texts)
    write_text(Path(asked["output"]), render(report))


if __name__ == "__main__":
    main()
