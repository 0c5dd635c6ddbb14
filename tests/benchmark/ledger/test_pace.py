"""How long jobs should take."""

from dataclasses import dataclass
from typing import cast

import pytest

from benchmark.ledger.pace import Ahead, Pace
from benchmark.store.job import AnyJob


@dataclass(frozen=True)
class Titled:
    key: str
    kind: str
    title: str


def job(key: str, kind: str, title: str) -> AnyJob:
    return cast(AnyJob, Titled(key, kind, title))


MOCO, NPID = job("a", "pretrain", "pretrain moco on esc50"), job("b", "pretrain", "pretrain npid on esc50")
FREEZE, KNN = job("c", "evaluate", "freeze moco on esc10"), job("d", "evaluate", "knn moco on esc10")


def test_a_forecast_counts_and_is_corrected_by_what_jobs_took() -> None:
    pace = Pace({"a": 10.0, "b": 100.0})
    assert (pace.expected(MOCO), pace.expected(KNN)) == (10.0, None)
    assert pace.told_by([MOCO, KNN]) == "forecasts"
    pace.note(MOCO, 20.0)
    assert pace.expected(NPID) == pytest.approx(200.0)


def test_without_forecasts_the_closest_jobs_done_tell() -> None:
    pace = Pace({})
    assert pace.told_by([MOCO]) == ""
    pace.note(FREEZE, 8.0)
    assert pace.expected(KNN) == 8.0  # the same kind, for want of better
    pace.note(KNN, 2.0)
    assert pace.expected(job("e", "evaluate", "knn npid on esc10")) == 2.0
    assert pace.expected(job("f", "evaluate", "freeze moco on us8k")) == 8.0
    assert pace.expected(job("g", "evaluate", "finetune moco on us8k")) == 5.0
    assert pace.expected(MOCO) is None
    assert pace.told_by([MOCO, KNN]) == "jobs done"
    assert pace.seconds == 10.0


def test_what_is_ahead_is_summed_up_and_grows_less_between() -> None:
    pace = Pace({"a": 10.0, "b": 30.0})
    waiting = {job.key: job for job in (MOCO, NPID, KNN)}
    ahead = Ahead(pace, waiting.values())
    ahead.sum_up([])
    assert (ahead.seconds, ahead.unknown, ahead.by) == (40.0, 1, "forecasts")
    ahead._next = float("inf")  # as just after a sum
    for job, expected in ((waiting.pop("a"), (30.0, 1)), (waiting.pop("d"), (30.0, 0))):
        ahead.less(job)
        ahead.sum_up([])
        assert (ahead.seconds, ahead.unknown) == expected
