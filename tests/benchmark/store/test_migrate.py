"""Records and plans of earlier revisions: filled where nothing changed its meaning, refused where it did."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmark.ledger.request import Request
from benchmark.store.integrity import read_record
from benchmark.store.job import RECORD_SCHEMA, Job
from benchmark.store.migrate import migrate
from benchmark.store.store import Store
from registry.errors import Mistake
from tests.conftest import TINY

COMMITTED = Path(__file__).parents[3] / "leaderboard" / "records"


def test_an_evaluation_of_the_first_revision_finds_every_field() -> None:
    old = {"schema": 1, "folds": {"1": {"accuracy": 0.5}}, "clips_seen_in_pretraining": 0, "skipped": 0}
    before = deepcopy(old)
    new = migrate("evaluate", old)
    assert {name: new[name] for name in old} == old == before
    assert (new["metric"], new["missing"], new["labels_seen_in_pretraining"], new["embedding"]) == (
        "accuracy",
        0,
        False,
        None,
    )
    assert migrate("pack", {"schema": 1})["multi_label"] is False


def test_what_a_record_says_stays() -> None:
    record = {"schema": 1, "metric": "mAP", "missing": 3, "labels_seen_in_pretraining": True, "embedding": {"dim": 2}}
    new = migrate("evaluate", record)
    assert {name: new[name] for name in record} == record
    assert migrate("measure", {"schema": 1, "clips": 4}) == {"schema": 1, "clips": 4}


def test_committed_records_of_every_age_have_the_same_fields_then() -> None:
    paths = list(COMMITTED.glob("evaluate/*/result.json"))
    some = {"steps_per_second", "older"}  # of pretrained entries, and of records that were taken over
    fields = {frozenset(read_record("evaluate", path.parent)) - some for path in paths}
    assert len({frozenset(json.loads(path.read_text())) for path in paths}) > 2
    assert len(fields) == 1


@pytest.mark.parametrize("kind", ["evaluate", "plan"])
@pytest.mark.parametrize(
    ("schema", "why", "fix"),
    [(RECORD_SCHEMA + 1, "newer audiobench", "update"), (0, "older audiobench", "run the suite again")],
)
def test_another_schema_is_refused_with_what_to_do(kind: Any, schema: int, why: str, fix: str) -> None:
    with pytest.raises(Mistake, match=rf"of schema {schema}, and this version reads 1: .* {why}") as refused:
        migrate(kind, {"schema": schema})
    assert fix in refused.value.fix


def test_a_record_without_a_schema_is_refused_and_named(tmp_path: Path) -> None:
    store, job = Store(tmp_path), Job("evaluate", {})
    store.folder(job).mkdir(parents=True)
    (store.folder(job) / "result.json").write_text("{}")
    with pytest.raises(Mistake, match="of schema None") as refused:
        store.result("evaluate", job.key)
    assert refused.value.where == str(store.folder(job) / "result.json")


def test_a_plan_without_a_schema_is_of_the_first_and_stays_as_it_is() -> None:
    stored = {"request": "x", "plan": {"name": "a", "facts": {"tasks": {"us8k": [1, 2]}}}}
    assert migrate("plan", stored) == stored


def test_a_stored_plan_of_another_schema_is_refused_by_readers_and_made_anew_by_a_run(tmp_path: Path) -> None:
    suite, store = tmp_path / "tiny.yaml", Store(tmp_path / "runs")
    suite.write_text(TINY)
    request = Request(suite, None, None)
    made = request.plan(store)
    request.keep(made, store)
    stored = store.load_plan("tiny")
    assert stored
    assert stored["schema"] == 1
    store.save_plan("tiny", {**stored, "schema": 2})
    with pytest.raises(Mistake, match="a plan of schema 2") as refused:
        store.load_plan("tiny")
    assert Path(refused.value.where) == store.plan_path("tiny", stored["asked"])
    assert request.plan(store).rows == made.rows
