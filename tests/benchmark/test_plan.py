"""Plans: equal work has one key, and a key changes with what changes figures."""

from pathlib import Path

import pytest

from benchmark.plan import Plan, choose_rows, make_plan
from benchmark.suite import load_suite
from registry.errors import Mistake
from tests.conftest import TINY


def plan(tmp_path: Path, text: str = TINY, seeds: tuple[int, ...] = (0,)) -> Plan:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return make_plan(load_suite(path, None, None), None, seeds)


def kinds(made: Plan) -> list[str]:
    return [job.kind for job in made.jobs.values()]


def test_equal_work_is_one_job(tmp_path: Path) -> None:
    made = plan(tmp_path)
    # One pack (corpus and task are the same), two pretrainings, three embeddings; freeze and knn share an embedding.
    assert (kinds(made).count("pack"), kinds(made).count("pretrain"), kinds(made).count("embed")) == (1, 2, 3)
    assert kinds(made).count("evaluate") == 3 * 2 + 5
    assert len(made.rows) == 3 * 2 + 5


def test_a_corpus_and_a_task_of_one_name_but_other_settings_are_packed_apart(tmp_path: Path) -> None:
    made = plan(tmp_path, TINY.replace("tasks: [{name: sounds, clips: 2}]", "tasks: [{name: sounds, clips: 4}]"))
    packs = {key: job.config["task"]["clips"] for key, job in made.jobs.items() if job.kind == "pack"}
    assert sorted(packs.values()) == [2, 4]
    assert {packs[j.needs["corpus"]] for j in made.jobs.values() if j.kind == "pretrain"} == {2}
    assert {packs[j.needs["pack"]] for j in made.jobs.values() if j.kind in ("embed", "evaluate")} == {4}


def test_needs_stand_before_what_needs_them(tmp_path: Path) -> None:
    made, seen = plan(tmp_path), set[str]()
    for key, job in made.jobs.items():
        assert set(job.needs.values()) <= seen
        seen.add(key)


def keys(made: Plan, entry: str, protocol: str) -> list[str]:
    return [row.key for row in made.rows if (row.entry, row.protocol) == (entry, protocol)]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("name: tiny", "name: other", ""),
        ("title: Tiny", "title: Large", ""),
        ("control: random\n", "", ""),
        ("  random: {", "  chance: {", ""),
        ("knn: {k: [1, 3]}", "knn: {k: [1]}", "knn"),
        ("freeze: {epochs: 3}", "freeze: {epochs: 4}", "freeze"),
        ("queue_size: 32", "queue_size: 64", "knn freeze"),
        ("clips: 2}, epochs", "clips: 4}, epochs", "knn freeze"),
        ("learning_rate: 0.003", "learning_rate: 0.004", "knn freeze"),
        ("bins: 2", "bins: 3", "knn freeze"),
        ("n_mels: 32", "n_mels: 40", "knn freeze"),
        ("crop: 0.5", "crop: 0.6", "knn freeze"),
    ],
)
def test_a_key_changes_with_what_changes_figures_and_with_nothing_else(
    tmp_path: Path, old: str, new: str, changed: str
) -> None:
    text = TINY.replace("control: random\n", "") if "chance" in new else TINY
    before, after = plan(tmp_path, text), plan(tmp_path, text.replace(old, new))
    for protocol in ("knn", "freeze"):
        assert (keys(before, "moco", protocol) != keys(after, "moco", protocol)) == (protocol in changed)


def test_another_seed_changes_what_draws_and_embeds_nothing_twice(tmp_path: Path) -> None:
    made = plan(tmp_path, seeds=(0, 1))
    assert kinds(made).count("pack") == 1
    assert kinds(made).count("pretrain") == 4
    assert kinds(made).count("embed") == 6


def test_a_stored_plan_is_the_plan(tmp_path: Path) -> None:
    made = plan(tmp_path)
    again = Plan.from_json(made.to_json())
    assert list(again.jobs) == list(made.jobs)
    assert again.rows == made.rows
    assert again.facts == made.facts


def test_cells_are_chosen_by_name_with_what_they_need(tmp_path: Path) -> None:
    made = plan(tmp_path)
    rows = choose_rows(made, ["npid"], None, ["knn"])
    assert [job.kind for job in made.needed_for(rows, lambda job: False)] == ["pack", "pretrain", "embed", "evaluate"]
    with pytest.raises(Mistake, match="has no entry 'npit'") as caught:
        choose_rows(made, ["npit"], None, None)
    assert "npid" in caught.value.fix


def test_missing_data_block_jobs_but_not_the_plan(tmp_path: Path) -> None:
    text = TINY.replace("tasks: [{name: sounds, clips: 2}]", "tasks: [esc50]")
    made = plan(tmp_path, text)
    blocked = [job for job in made.jobs.values() if job.blocked]
    assert [job.title for job in blocked] == ["pack esc50"]
    assert "no data folder is given" in blocked[0].blocked


def test_what_only_finished_jobs_used_is_not_asked_for_again(tmp_path: Path) -> None:
    made = plan(tmp_path)
    finished = {job.key for job in made.jobs.values() if job.kind in ("evaluate", "embed")}
    assert made.needed_for(made.rows, lambda job: job.key in finished) == []
    finished.remove(keys(made, "moco", "knn")[0])
    assert [j.title for j in made.needed_for(made.rows, lambda job: job.key in finished)] == [
        "pack sounds",
        "knn moco on sounds",
    ]
