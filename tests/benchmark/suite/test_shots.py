"""Few labels in a suite: the columns, jobs and keys that they make, and mistakes in them."""

from pathlib import Path

import pytest
import yaml

from benchmark.jobs.evaluate import EvaluateJob
from benchmark.ledger.plan import Plan, choose_rows
from benchmark.ledger.planner import make_plan
from benchmark.suite.resolve import load_suite
from benchmark.suite.schema import suite_schema
from registry.errors import Mistake, Mistakes
from tests.conftest import TINY

KNN, FREEZE = "knn: {k: [1, 3]}", "freeze: {epochs: 3}"
FEW = TINY.replace(FREEZE, "freeze: {epochs: 3, shots: [1, 5, all], draws: 2}").replace(
    KNN, "knn: {k: [1, 3], shots: [5]}"
)
OF_MOCO = "norm_groups: 2}}, protocols: [freeze, knn]"


def plan(tmp_path: Path, text: str, scale: str | None = None) -> Plan:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return make_plan(load_suite(path, scale, None), None, [0])


def jobs(made: Plan, entry: str, protocol: str) -> list[EvaluateJob]:
    return [made.evaluation(row) for row in made.rows if (row.entry, row.protocol) == (entry, protocol)]


def test_every_number_of_shots_is_a_column_and_every_draw_a_job(tmp_path: Path) -> None:
    made = plan(tmp_path, FEW)
    assert [(column, facts.protocol, facts.shots) for column, facts in made.facts.protocols.items()] == [
        ("finetune", "finetune", None),
        ("freeze 1-shot", "freeze", 1),
        ("freeze 5-shot", "freeze", 5),
        ("freeze", "freeze", None),
        ("knn 5-shot", "knn", 5),
    ]
    five = jobs(made, "moco", "freeze 5-shot")
    assert [(job.config.shots, job.config.draw, job.config.seed) for job in five] == [(5, 0, 0), (5, 1, 0)]
    assert [job.title for job in five] == [f"freeze moco on sounds, 5 shots, draw {draw}" for draw in (0, 1)]
    assert jobs(made, "moco", "freeze 1-shot")[1].title == "freeze moco on sounds, 1 shot, draw 1"
    assert len(jobs(made, "moco", "knn 5-shot")) == 5  # draws, where none are named
    assert [row.draw for row in made.rows if (row.entry, row.protocol) == ("npid", "freeze 5-shot")] == [0, 1]
    assert len({row.key for row in made.rows}) == len(made.rows)
    assert Plan.from_json(made.to_json()).rows == made.rows


def test_all_clips_are_the_job_that_they_were_and_embeddings_are_shared(tmp_path: Path) -> None:
    before, made = plan(tmp_path, TINY), plan(tmp_path, FEW)
    (old,), (new,) = jobs(before, "moco", "freeze"), jobs(made, "moco", "freeze")
    assert old.key == new.key
    assert not {"shots", "draw"} & set(new.config.canonical())
    others = [{key for key, job in one.jobs.items() if job.kind != "evaluate"} for one in (before, made)]
    assert others[0] == others[1]


def test_a_key_names_the_shots_and_the_draw_and_not_how_many_others_there_are(tmp_path: Path) -> None:
    keys = {row.key for row in plan(tmp_path, FEW).rows}
    assert keys < {row.key for row in plan(tmp_path, FEW.replace("draws: 2", "draws: 3")).rows}
    assert keys < {row.key for row in plan(tmp_path, FEW.replace("[1, 5, all]", "[1, 2, 5, all]")).rows}


def test_a_protocol_means_all_its_columns_and_a_column_itself(tmp_path: Path) -> None:
    text = FEW.replace(OF_MOCO, "norm_groups: 2}}, protocols: [knn, freeze 1-shot]")
    made = plan(tmp_path, text)
    columns_of = {entry: [row.protocol for row in made.rows if row.entry == entry] for entry in ("moco", "npid")}
    assert list(dict.fromkeys(columns_of["moco"])) == ["knn 5-shot", "freeze 1-shot"]
    assert list(dict.fromkeys(columns_of["npid"])) == ["freeze 1-shot", "freeze 5-shot", "freeze", "knn 5-shot"]

    def chosen(*protocols: str) -> set[str]:
        return {row.protocol for row in choose_rows(made, None, None, protocols)}

    assert chosen("freeze") == {"freeze 1-shot", "freeze 5-shot", "freeze"}
    assert chosen("knn", "freeze 1-shot") == {"knn 5-shot", "freeze 1-shot"}
    with pytest.raises(Mistake, match="has no protocol 'knn 1-shot'") as caught:
        chosen("knn 1-shot")
    assert "knn 5-shot" in caught.value.fix


def test_a_variant_of_a_protocol_and_a_scale_may_ask_for_few_labels(tmp_path: Path) -> None:
    text = TINY.replace(KNN, f"{KNN}\n  near: {{name: knn, k: [1], shots: [2, all]}}")
    made = plan(tmp_path, text + "scales: {cpu: {protocols: {near: {draws: 1}, knn: {shots: [1]}}}}\n", "cpu")
    assert list(made.facts.protocols) == ["finetune", "freeze", "knn 1-shot", "near 2-shot", "near"]
    assert len(jobs(made, "random", "near 2-shot")) == 1
    assert len(jobs(made, "random", "knn 1-shot")) == 5


def test_a_stored_plan_without_draws_is_read(tmp_path: Path) -> None:
    stored = plan(tmp_path, TINY).to_json()
    stored["rows"] = [{key: value for key, value in row.items() if key != "draw"} for row in stored["rows"]]
    assert {row.draw for row in Plan.from_json(stored).rows} == {0}


A_NUMBER = "name a number of clips, at least 1, or all"
BAD = [
    (KNN, "knn: {k: [1], shots: [1, al]}", A_NUMBER, "al]", "got 'al'"),
    (KNN, "knn: {k: [1], shots: [0]}", A_NUMBER, "0]", "shots.0"),
    (KNN, "knn: {k: [1], shots: [true]}", A_NUMBER, "true", ""),
    (KNN, "knn: {k: [1], shots: [1.0]}", A_NUMBER, "1.0", ""),
    (KNN, "knn: {k: [1], shots: 5}", "Input should be a valid list, got 5", "shots: 5", ""),
    (KNN, "knn: {k: [1], shots: []}", "at least 1 item", "shots: []", ""),
    (KNN, "knn: {k: [1], shots: [5, all, 5]}", "5 stands there twice", "shots: [5", ""),
    (KNN, "knn: {k: [1], shots: [5], draws: 0}", "greater than or equal to 1, got 0", "draws: 0", ""),
    (KNN, "knn: {k: [1], draws: 3}", "none are named", "draws: 3", "shots: [1, 5, all]"),
    (KNN, "knn: {k: [1], shot: [3]}", "unknown key 'shot'", "shot: [3]", ""),
    ("finetune: {epochs: 1,", "finetune: {shots: [1],", "finetune works on the model", "shots: [1]", "leave shots out"),
    (FREEZE, "freeze: {augment: true, shots: [5]}", "freeze works on the model", "shots: [5]", "augment"),
    (KNN, f"{KNN[:-1]}, shots: [1]}}\n  knn 1-shot: {{name: knn}}", "make a column 'knn 1-shot'", "knn 1-shot:", ""),
    (OF_MOCO, "norm_groups: 2}}, protocols: [knn 1-shot]", "has no protocol 'knn 1-shot'", "knn 1-shot]", "knn"),
]


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        plan(tmp_path, text)
    return [str(mistake).replace(f"{tmp_path}/", "") for mistake in caught.value.mistakes]


@pytest.mark.parametrize(("old", "new", "what", "points_at", "hint"), BAD)
def test_a_mistake_is_answered_with_what_where_and_a_hint(
    tmp_path: Path, old: str, new: str, what: str, points_at: str, hint: str
) -> None:
    assert old in TINY
    text = TINY.replace(old, new, 1)
    before = text[: text.index(points_at)].split("\n")
    (message,) = mistakes(tmp_path, text)
    assert what in message
    assert f"suite.yaml:{len(before)}:{len(before[-1]) + 1} " in message, message
    assert hint in message


def test_clips_of_several_labels_are_refused_where_shots_are_named(tmp_path: Path) -> None:
    text = TINY.replace("[{name: sounds, clips: 2}]", "[{name: sounds, clips: 2}, fsd50k]")
    assert plan(tmp_path, text.replace(KNN, "knn: {k: [1], shots: [all]}")).rows
    (message,) = mistakes(tmp_path, text.replace(KNN, "knn: {k: [1], shots: [1, all]}"))
    assert "fsd50k has several labels a clip" in message
    assert "(protocols.knn.shots)" in message


@pytest.mark.parametrize(
    ("new", "right"),
    [
        ("knn: {k: [1], shots: [1, 5, all], draws: 3}", True),
        ("near: {name: knn, shots: [all]}", True),
        ("knn: {shots: [0]}", False),
        ("knn: {shots: [some]}", False),
        ("knn: {shots: []}", False),
        ("knn: {shots: [5, 5]}", False),
        ("knn: {shots: [5], draws: 0}", False),
        ("near: {name: finetune, shots: [all]}", False),
    ],
)
def test_the_schema_knows_shots_and_draws(new: str, right: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    valid = jsonschema.Draft202012Validator(suite_schema()).is_valid(yaml.safe_load(TINY.replace(KNN, new)))
    assert valid is right
