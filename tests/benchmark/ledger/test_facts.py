"""What a leaderboard knows of a suite: the stored form of every age, and what it says of entries and columns."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmark.ledger.facts import ProtocolFacts, SuiteFacts, TaskFacts
from benchmark.ledger.planner import make_plan
from benchmark.suite.resolve import load_suite
from registry.errors import Mistake
from tests.conftest import TINY
from tests.jobs import made_facts

PLANS = sorted((Path(__file__).parents[3] / "leaderboard" / "records" / "plans").glob("*.json"))
PLAIN: dict[str, Any] = {
    "suite": "lin2022/table-3.2",
    "scale": "cpu",
    "title": "UrbanSound8K",
    "reproduces": "lin2022/table-3.2",
    "anchors": ["ESResNet (best)"],
    "control": "scratch",
    "controls": {"cpc": "random-raw"},
    "selection": "best-mean",
    "seeds": [0, 1],
    "entries": ["moco k=1", "moco k=2", "scratch", "cpc", "random-raw"],
    "tasks": {"us8k": [1, 2, 10], "city": [1, 2]},
    "official_folds": {"us8k": 10, "city": 2},
    "protocols": ["freeze", "knn 5-shot"],
}
ASKED = {
    "samples": "float32",
    "class_wise": {"us8k": 1},
    "shots": {"knn 5-shot": {"protocol": "knn", "shots": 5}},
    "task_names": {"city": "folder"},
    "swept": {"moco": ["moco k=1", "moco k=2"]},
    "variations": {"moco k=1": {"weights.k": 1}, "moco k=2": {"weights.k": {"name": "two", "of": [2, None]}}},
}


def test_every_column_is_told_in_one_place() -> None:
    facts = SuiteFacts.from_json({**PLAIN, **ASKED})
    assert facts.tasks == {
        "us8k": TaskFacts(name="us8k", folds=(1, 2, 10), official_folds=10, class_wise=1),
        "city": TaskFacts(name="folder", folds=(1, 2), official_folds=2),
    }
    assert facts.protocols == {
        "freeze": ProtocolFacts(protocol="freeze"),
        "knn 5-shot": ProtocolFacts(protocol="knn", shots=5),
    }
    assert facts.swept["moco"]["moco k=1"] == {"weights.k": 1}
    assert [facts.control_of(entry) for entry in ("moco k=1", "cpc")] == ["scratch", "random-raw"]
    assert made_facts().control_of("moco") == ""


@pytest.mark.parametrize("asked", [{}, ASKED])
def test_the_stored_form_stays_as_it_was(asked: dict[str, Any]) -> None:
    stored = {**PLAIN, **asked}
    written = json.loads(json.dumps(SuiteFacts.from_json(stored).to_json()))
    assert written == stored


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_facts_of_committed_plans_are_written_as_they_were_read(path: Path) -> None:
    stored = json.loads(path.read_text())["plan"]["facts"]
    assert json.loads(json.dumps(SuiteFacts.from_json(stored).to_json())) == stored


def test_what_a_plan_tells_is_the_same_after_it_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(
        TINY.replace("knn: {k: [1, 3]}", "knn: {k: [1, 3], shots: [5, all]}").replace(
            "tasks: [{name: sounds, clips: 2}]", "tasks: {few: {name: sounds, clips: 2}}"
        )
        + "class_wise: {few: 2}\nsamples: float32\nsweep: {npid: {crop: [0.5, 0.7], encoder: [cnn10, {name: cnn6}]}}\n"
    )
    facts = make_plan(load_suite(path, None, None), None, [3, 4]).facts
    assert facts.seeds == (3, 4)
    assert SuiteFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_a_plan_of_the_earliest_version_gets_what_it_lacks() -> None:
    before = {key: value for key, value in PLAIN.items() if key not in ("controls", "official_folds")}
    before["class_wise"] = {"folds": {"us8k": 1}, "classes": {"us8k": ["siren"]}}
    stored = deepcopy(before)
    facts = SuiteFacts.from_json(stored)
    assert stored == before
    assert (facts.controls, facts.samples, facts.swept) == ({}, "int16", {})
    assert [(task.official_folds, task.class_wise) for task in facts.tasks.values()] == [(3, 1), (2, None)]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"selection": "best"}, "selection"),
        ({"colour": "red"}, "colour"),
        ({"tasks": {"us8k": ["a"]}}, r"tasks\.us8k\.folds\.0"),
        ({"shots": {"freeze": {"protocol": "freeze", "of": 1}}}, r"protocols\.freeze\.of"),
        ({"swept": {"moco": ["moco k=1"]}}, "moco k=1"),
        ({"tasks": None}, "NoneType"),
    ],
)
def test_what_cannot_be_read_is_a_mistake_that_names_it(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(Mistake, match=rf"that this version cannot read: .*{named}") as refused:
        SuiteFacts.from_json({**PLAIN, **changed})
    assert "run the suite again" in refused.value.fix


def test_a_fact_that_is_not_told_is_missed() -> None:
    for key in PLAIN.keys() - {"controls", "official_folds"}:
        with pytest.raises(Mistake, match=key):
            SuiteFacts.from_json({name: value for name, value in PLAIN.items() if name != key})
