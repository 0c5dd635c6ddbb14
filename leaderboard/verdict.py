"""Whether a measured figure reproduces a published one."""

from benchmark.ledger.facts import SuiteFacts
from leaderboard.measured import Measured
from leaderboard.published import Published
from leaderboard.statistics import Interval

REPRODUCED, ABOVE, BELOW, NOT_COMPARABLE = "reproduced", "above", "below", "not comparable"


def hindrances(facts: SuiteFacts, task: str, measured: Measured, published: Published) -> list[str]:
    """Why a measured and a published figure cannot be compared.

    Args:
        facts: of the plan.
        task: the column's task.
        measured: the records of the cell.
        published: the figure that stands beside the measured one.
    """
    reasons = []
    if facts.scale is not None:
        reasons.append(f"measured at the scale {facts.scale}")
    folds = facts.tasks[task].official_folds
    if len(measured.scores) != folds:
        reasons.append(f"{task}: {len(measured.scores)} of {folds} folds")
    if published.selection and measured.selection not in ("inner", published.selection):
        reasons.append(f"epoch: {measured.selection} instead of {published.selection}")
    if measured.labels_seen and measured.seen:
        reasons.append(f"labels of test recordings of {task} were learned in pretraining")
    return reasons


def verdict(interval: Interval | None, published: Published, hindered: bool) -> str:
    """``REPRODUCED`` if the published figure lies in the measured one's 95 % interval; else ``ABOVE`` or ``BELOW`` it.

    Without an interval (several labels a clip) there is no verdict.
    """
    if hindered:
        return NOT_COMPARABLE
    if interval is None:
        return ""
    return ABOVE if interval.low > published.score else BELOW if interval.high < published.score else REPRODUCED
