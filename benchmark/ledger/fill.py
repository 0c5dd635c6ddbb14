"""Fills cells of a leaderboard: sets damaged records aside, takes over older ones, and runs the jobs still needed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.ledger.adopt import take_over
from benchmark.ledger.execute import Ending, carry_out, mended, needed
from benchmark.ledger.plan import Plan, Row
from benchmark.store.job import AnyJob
from benchmark.store.store import Store


def fill(
    plan: Plan,
    rows: Sequence[Row],
    store: Store,
    data: Path | None,
    device: str,
    precision: str,
    *,
    tell: Callable[[str], None],
    skip_bad: bool = False,
    debug: bool = False,
    track: Sequence[str] = (),
) -> Ending:
    """Runs the jobs that the rows of a plan still need. A finished job is not done again.

    Args:
        plan: of the suite.
        rows: the cells to fill.
        store: of the records.
        data: the folder of data sets.
        device: auto, cpu, cuda, cuda:1, ...
        precision: auto, fp32 or bf16.
        tell: gets a line for each record that was damaged or taken over.
        skip_bad: leave unusable recordings out instead of stopping.
        debug: let unexpected errors through, with their tracebacks.
        track: the trackers that follow the jobs, as ``trackers.chosen`` gives them.

    Raises:
        Mistake: before any work, if data are missing, or the device cannot be used.
    """

    def still_needed() -> list[AnyJob]:
        return needed(plan, rows, store, lambda job, damage: tell(mended(job, damage, store)))

    def make(jobs: list[AnyJob]) -> Ending:
        return carry_out(plan, jobs, store, data, device, precision, skip_bad=skip_bad, debug=debug, track=track)

    jobs = still_needed()
    if take_over(plan, jobs, store, make, tell):
        jobs = still_needed()
    return make(jobs)
