"""Records and plans of earlier revisions: filled where nothing changed its meaning, refused where it did."""

import json
from pathlib import Path

import pytest

from benchmark.jobs import evaluate, pack
from benchmark.ledger.request import Request
from benchmark.store.integrity import read_record, require_schema
from benchmark.store.job import RECORD_SCHEMA
from benchmark.store.plan_file import read_plan
from benchmark.store.store import Store
from registry.errors import Mistake
from tests.conftest import TINY
from tests.jobs import PACKED, evaluate_job, evaluation_record

COMMITTED = Path(__file__).parents[3] / "leaderboard" / "records"


def test_an_evaluation_of_the_first_revision_finds_every_field() -> None:
    new = evaluate.Record.model_validate(evaluation_record({1: {"accuracy": 0.5}}))
    assert new.folds[1].figure("accuracy") == 0.5
    assert (new.metric, new.missing, new.labels_seen_in_pretraining, new.embedding) == ("accuracy", 0, False, None)
    old = pack.Record.model_validate({**PACKED, "seconds": 12.5})
    assert (old.target, old.samples, old.audio_seconds, old.seconds) == ("one-label", "int16", 12.5, 0.0)


def test_earlier_records_tell_their_target_by_their_metric_and_packs_by_a_word() -> None:
    one, several = (
        evaluate.Record.model_validate(evaluation_record({1: {metric: 0.5}}, metric=metric))
        for metric in ("accuracy", "mAP")
    )
    assert (one.target, one.judge) == ("one-label", "targets/one-label")
    assert (several.target, several.judge) == ("several-labels", "targets/several-labels")
    assert pack.Record.model_validate({**PACKED, "multi_label": False}).target == "one-label"
    assert pack.Record.model_validate({**PACKED, "multi_label": True}).target == "several-labels"


def test_what_a_record_says_stays() -> None:
    said = {"metric": "mAP", "missing": 3, "labels_seen_in_pretraining": True, "classes": ["a"]}
    new = evaluate.Record.model_validate(evaluation_record({1: {"mAP": 0.5, "auc": 0.25}}, **said))
    stored = new.model_dump(mode="json")
    assert {name: stored[name] for name in said} == said
    assert stored["folds"] == {"1": {"clips": 4, "epochs": [], "mAP": 0.5, "auc": 0.25}}
    assert evaluate.Record.model_validate(stored) == new


def test_committed_records_of_every_age_are_read() -> None:
    paths = list(COMMITTED.glob("evaluate/*/result.json"))
    assert len({frozenset(json.loads(path.read_text())) for path in paths}) > 2
    for path in paths:
        stored, read = json.loads(path.read_text()), read_record("evaluate", path.parent)
        assert isinstance(read, evaluate.Record)
        told = read.model_dump(mode="json", exclude_unset=True)
        assert told == {name: stored[name] for name in told}
        assert stored.keys() - told.keys() <= {"schema", "files", "sha256", "older"}


@pytest.mark.parametrize("kind", ["record", "plan"])
@pytest.mark.parametrize(
    ("schema", "why", "fix"),
    [(RECORD_SCHEMA + 1, "newer audiobench", "update"), (0, "older audiobench", "run the suite again")],
)
def test_another_schema_is_refused_with_what_to_do(kind: str, schema: int, why: str, fix: str) -> None:
    with pytest.raises(Mistake, match=rf"of schema {schema}, and this version reads 1: .* {why}") as refused:
        require_schema(schema, 1, kind, "run the suite again")
    assert fix in refused.value.fix


def test_a_record_without_a_schema_is_refused_and_named(tmp_path: Path) -> None:
    store, job = Store(tmp_path), evaluate_job("p")
    store.folder(job).mkdir(parents=True)
    (store.folder(job) / "result.json").write_text("{}")
    with pytest.raises(Mistake, match="of schema None") as refused:
        store.result(evaluate.EvaluateJob, job.key)
    assert refused.value.where == str(store.folder(job) / "result.json")


def test_a_plan_without_a_schema_is_of_the_first_and_stays_as_it_is(tmp_path: Path) -> None:
    path, stored = tmp_path / "a.json", {"request": "x", "plan": {"name": "a", "facts": {"tasks": {"us8k": [1, 2]}}}}
    path.write_text(json.dumps(stored))
    assert read_plan(path) == stored


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
