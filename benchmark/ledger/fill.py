"""Fills cells of a leaderboard: sets damaged records aside, takes over older ones, and runs the jobs still needed."""

from collections.abc import Callable, Sequence

from benchmark.ledger.adopt import take_over
from benchmark.ledger.execute import carry_out, mended, needed
from benchmark.ledger.executors import Options
from benchmark.ledger.plan import Row
from benchmark.ledger.schedule import Ending
from benchmark.ledger.work import Work
from benchmark.store.job import AnyJob
from benchmark.tally import Tally


def fill(
    work: Work, rows: Sequence[Row], options: Options, watch: Callable[[Tally], None] = lambda tally: None
) -> Ending:
    """Runs the jobs that the rows of a plan still need. A finished job is not done again.

    Args:
        work: on the plan; the ``tell`` of its request gets a line for each record that was damaged or taken over.
        rows: the cells to fill.
        options: say which executor does the jobs.
        watch: gets how the jobs stand whenever that changes.

    Raises:
        Mistake: before any work, if data are missing, or the executor cannot do the jobs.
    """
    plan, store, tell = work.plan, work.store, work.request.tell

    def still_needed() -> list[AnyJob]:
        return needed(plan, rows, store, lambda job, damage: tell(mended(job, damage, store)))

    def make(jobs: list[AnyJob]) -> Ending:
        return carry_out(work, jobs, options, watch)

    jobs = still_needed()
    if take_over(plan, jobs, store, make, tell):
        jobs = still_needed()
    return make(jobs)
