"""``audiobench job``."""

from typing import Annotated

import typer

from audiobench import completion
from audiobench.commands.options import (
    RUNS,
    Data,
    Debug,
    Device,
    Devices,
    Plugins,
    Precision,
    Runs,
    Scale,
    Seeds,
    SkipBad,
    Track,
)


def job(
    key: Annotated[str, typer.Argument(help="Key of the job, or its first digits, as plan prints them.")],
    suite: Annotated[
        str, typer.Option(help="Path of a suite file, or name of a shipped suite.", autocompletion=completion.suites)
    ],
    scale: Scale = None,
    seed: Seeds = None,
    data: Data = None,
    runs: Runs = RUNS,
    device: Device = "auto",
    devices: Devices = 1,
    precision: Precision = "auto",
    plugin: Plugins = None,
    skip_bad: SkipBad = False,
    track: Track = None,
    debug: Debug = False,
) -> None:
    """Do one job of a suite, unless it is done. This is what executors call; any machine that sees RUNS can do it.

    The last line of the output is JSON: the job's key and title, how it ended (done or failed), and a message.

    Exit with 0 if it is done, with 1 if it failed, with 2 if the request is wrong or what the job needs is not done,
    and with 128 and the signal's number if SIGINT, SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2 interrupted it: the same
    command goes on from there.
    """
    import json
    from dataclasses import asdict

    from benchmark.jobs import torchrun
    from benchmark.ledger.one import do_job, find_job
    from benchmark.ledger.request import Request
    from benchmark.ledger.work import Work
    from benchmark.store.store import Store
    from benchmark.suite.document import suite_path
    from benchmark.trackers import chosen

    store = Store(runs)
    request = Request(suite_path(suite), scale, data, tuple(seed or ()), tuple(plugin or ()))
    plan = request.plan(store)
    found = find_job(plan, key)
    trackers = None if track is None else chosen(track)
    work = Work(request, plan, store, device, precision, skip_bad, debug, devices, trackers)
    became = do_job(work, found)
    if torchrun.rank() == 0 or became.how == "failed":
        print(json.dumps({"key": found.key, "title": found.title, **asdict(became)}))
    if became.how == "failed":
        raise typer.Exit(1)
