"""What a measured figure says about a published one."""

from benchmark.ledger.facts import SuiteFacts
from leaderboard.measured import Measured
from leaderboard.published import Published
from leaderboard.statistics import Interval

REPRODUCED, ABOVE, BELOW, NOT_COMPARABLE = "reproduced", "above", "below", "not comparable"


def hindrances(facts: SuiteFacts, task: str, measured: Measured, published: Published) -> list[str]:
    """Why the difference of a measured and a published figure would mean nothing.

    Args:
        facts: of the plan.
        task: the column.
        measured: the figure.
        published: the figure beside it.
    """
    found = []
    if facts.scale is not None:
        found.append(f"measured at the scale {facts.scale}")
    folds = facts.tasks[task].official_folds
    if len(measured.scores) != folds:
        found.append(f"{task}: {len(measured.scores)} of {folds} folds")
    if published.selection and measured.selection not in ("inner", published.selection):
        found.append(f"epoch: {measured.selection} instead of {published.selection}")
    if measured.labels_seen and measured.seen:
        found.append(f"labels of test recordings of {task} were learned in pretraining")
    return found


def verdict(interval: Interval | None, published: Published, hindered: bool) -> str:
    """Whether a published figure lies within the 95 % interval of the measured one, or on which side that lies.

    Without an interval (several labels a clip) there is no verdict.
    """
    if hindered:
        return NOT_COMPARABLE
    if interval is None:
        return ""
    return ABOVE if interval.low > published.score else BELOW if interval.high < published.score else REPRODUCED
