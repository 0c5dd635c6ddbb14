"""Fills cells of a leaderboard: sets damaged records aside, takes over older ones, and runs the jobs still needed."""

from collections.abc import Sequence

from benchmark.ledger.adopt import take_over
from benchmark.ledger.execute import Ending, carry_out, mended, needed
from benchmark.ledger.plan import Plan, Row
from benchmark.ledger.request import Request
from benchmark.store.job import AnyJob
from benchmark.store.store import Store


def fill(
    request: Request,
    plan: Plan,
    rows: Sequence[Row],
    store: Store,
    device: str,
    precision: str,
    *,
    skip_bad: bool = False,
    debug: bool = False,
) -> Ending:
    """Runs the jobs that the rows of a plan still need. A finished job is not done again.

    Args:
        request: that was planned; its ``tell`` gets a line for each record that was damaged or taken over.
        plan: of the suite.
        rows: the cells to fill.
        store: of the records.
        device: auto, cpu, cuda, cuda:1, ...
        precision: auto, fp32 or bf16.
        skip_bad: leave unusable recordings out instead of stopping.
        debug: let unexpected errors through, with their tracebacks.

    Raises:
        Mistake: before any work, if data are missing, or the device cannot be used.
    """

    def still_needed() -> list[AnyJob]:
        return needed(plan, rows, store, lambda job, damage: request.tell(mended(job, damage, store)))

    def make(jobs: list[AnyJob]) -> Ending:
        if jobs:
            request.load_plugins()
        return carry_out(plan, jobs, store, request.data, device, precision, skip_bad=skip_bad, debug=debug)

    jobs = still_needed()
    if take_over(plan, jobs, store, make, request.tell):
        jobs = still_needed()
    return make(jobs)
