"""How the cells of a leaderboard stand while its jobs run."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from benchmark.ledger.plan import Plan, Row
from benchmark.tally import Tally

State = Literal["measured", "running", "to come", "failed"]
_ORDER: tuple[State, ...] = ("measured", "running", "to come", "failed")
_SHARED = ("pack", "measure")  # kinds of jobs that nearly all cells wait for


def cell_states(plan: Plan, rows: Sequence[Row], tally: Tally) -> dict[tuple[str, str, str], State]:
    """The state of each cell: an entry's, on a task, under a protocol.

    A cell is running while its evaluation runs, or what makes or embeds its encoder; it is failed once one of its
    evaluations cannot be done, and measured when all are done.

    Args:
        plan: of the jobs.
        rows: that are asked for.
        tally: how the jobs of the run stand; a job that is not among them was done before.
    """
    busy = {key for key in tally.running if plan.jobs[key].kind not in _SHARED}
    for key, job in plan.jobs.items():  # what a job needs comes before it
        if key in tally.waiting and any(need in busy for need in plan.read_by(job)):
            busy.add(key)
    states: dict[tuple[str, str, str], list[State]] = {}
    for row in rows:
        states.setdefault((row.entry, row.task, row.protocol), []).append(_state(row.key, tally, busy))
    return {place: _together(of_cell) for place, of_cell in states.items()}


def counted(states: Mapping[tuple[str, str, str], State]) -> dict[str, int]:
    """How many cells have each state, without those that none has."""
    count = Counter(states.values())
    return {state: count[state] for state in _ORDER if count[state]}


def _state(key: str, tally: Tally, busy: Iterable[str]) -> State:
    if key in tally.failed:
        return "failed"
    if key in busy:
        return "running"
    return "to come" if key in tally.waiting or key in tally.running else "measured"


def _together(states: Sequence[State]) -> State:
    return next(state for state in ("failed", "running", "to come", "measured") if state in states)
