"""Plans: equal work has one key, and a key changes with what changes figures."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.jobs.embed import EmbedJob
from benchmark.jobs.evaluate import EvaluateJob
from benchmark.jobs.pack import PackJob
from benchmark.jobs.pretrain import PretrainJob
from benchmark.ledger.facts import TaskFacts
from benchmark.ledger.plan import Plan, choose_rows
from benchmark.ledger.planner import make_plan
from benchmark.ledger.request import Request
from benchmark.store.store import Store
from benchmark.suite.resolve import load_suite
from benchmark.suite.resolved import ResolvedSuite
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
    packs = {key: job.config.task.config["clips"] for key, job in made.jobs.items() if isinstance(job, PackJob)}
    assert sorted(packs.values()) == [2, 4]
    assert {packs[j.needs.corpus] for j in made.jobs.values() if isinstance(j, PretrainJob)} == {2}
    assert {packs[j.needs.pack] for j in made.jobs.values() if isinstance(j, EmbedJob | EvaluateJob)} == {4}


def test_needs_stand_before_what_needs_them(tmp_path: Path) -> None:
    made, seen = plan(tmp_path), set[str]()
    for key, job in made.jobs.items():
        assert set(job.needs.all_keys()) <= seen
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
        ("moco: {", "moco: {crop: 0.5, ", ""),
        ("moco: {", "moco: {crop: 0.6, ", "knn freeze"),
        ("npid: {", "npid: {crop: 0.6, ", ""),
        ("tasks: [{name: sounds, clips: 2}]", "tasks: {tones: {name: sounds, clips: 2}}", ""),
        ("control: random\n", "control: random\nsweep: {npid: {crop: [0.6]}}\n", ""),
        ("title: Tiny", "samples: int16", ""),
        ("title: Tiny", "samples: float32", "knn freeze"),
    ],
)
def test_a_key_changes_with_what_changes_figures_and_with_nothing_else(
    tmp_path: Path, old: str, new: str, changed: str
) -> None:
    text = TINY.replace("control: random\n", "") if "chance" in new else TINY
    before, after = plan(tmp_path, text), plan(tmp_path, text.replace(old, new, 1))
    for protocol in ("knn", "freeze"):
        assert (keys(before, "moco", protocol) != keys(after, "moco", protocol)) == (protocol in changed)


def test_samples_are_told_to_packs_where_they_are_not_the_default(tmp_path: Path) -> None:
    for asked, told in (("title: Tiny", None), ("samples: int16", None), ("samples: float32", "float32")):
        made = plan(tmp_path, TINY.replace("title: Tiny", asked))
        (pack,) = [job for job in made.jobs.values() if job.kind == "pack"]
        assert (pack.config.canonical().get("samples"), made.facts.samples) == (told, told or "int16")


def test_what_a_corpus_excludes_is_packed_first_and_changes_the_pretraining_alone(tmp_path: Path) -> None:
    def excluding(*tasks: str) -> Plan:
        return plan(tmp_path, TINY.replace("clips: 2}, epochs", f"clips: 2, exclude: [{', '.join(tasks)}]}}, epochs"))

    before, nothing, one = plan(tmp_path), excluding(), excluding("esc50")
    assert list(nothing.jobs) == list(before.jobs)
    for protocol in ("knn", "freeze"):
        assert keys(one, "moco", protocol) != keys(before, "moco", protocol)
        assert keys(one, "random", protocol) == keys(before, "random", protocol)
    (pack,) = [key for key, job in one.jobs.items() if job.title == "pack esc50"]
    needs = [job.needs.canonical() for job in one.jobs.values() if job.kind == "pretrain"]
    assert all(list(need) == ["corpus", "exclude 0"] and need["exclude 0"] == pack for need in needs)
    two, turned = excluding("esc50", "us8k"), excluding("us8k", "esc50", "us8k")
    assert set(two.jobs) == set(turned.jobs)
    assert not set(keys(two, "moco", "knn")) & set(keys(one, "moco", "knn"))


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
    earliest = Plan.from_json({key: value for key, value in made.to_json().items() if key not in ("texts", "older")})
    assert (earliest.rows, earliest.texts, earliest.older) == (made.rows, [], {})


def test_a_stored_plan_is_recognised_until_a_file_of_its_chain_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base").mkdir()
    base, plugin, child = tmp_path / "base" / "tiny.yaml", tmp_path / "base" / "own.py", tmp_path / "child.yaml"
    base.write_text(TINY + "plugins: [own.py]\n")
    plugin.write_text("from audiobench import Augmentation\nclass Own(Augmentation):\n    domain = 'waveform'\n")
    child.write_text("extends: base/tiny.yaml\nname: group/child-1.5\n")
    store = Store(tmp_path / "runs")
    request = Request(child, None, None)
    request.keep(request.plan(store), store)
    assert store.plans() == ["group/child-1.5"]
    asked: list[Path] = []

    def loading(path: Path, *others: Any) -> ResolvedSuite:
        asked.append(path)
        return load_suite(path, *others)

    monkeypatch.setattr("benchmark.ledger.request.load_suite", loading)
    assert request.plan(store).name == "group/child-1.5"
    assert not asked
    for file in (base, plugin, child):
        text = file.read_text()
        file.write_text(text + "# changed\n")
        Request(child, None, None).plan(store)
        file.write_text(text)
    assert asked == [child] * 3
    request.plan(store)
    assert asked == [child] * 3


def test_cells_are_chosen_by_name_with_what_they_need(tmp_path: Path) -> None:
    made = plan(tmp_path)
    rows = choose_rows(made, ["npid"], None, ["knn"])
    assert [job.kind for job in made.needed_for([row.key for row in rows], lambda job: False)] == [
        "pack",
        "pretrain",
        "embed",
        "evaluate",
    ]
    with pytest.raises(Mistake, match="has no entry 'npit'") as caught:
        choose_rows(made, ["npit"], None, None)
    assert "npid" in caught.value.fix


def test_a_task_may_fill_two_columns(tmp_path: Path) -> None:
    columns = "tasks: {sounds: {name: sounds, clips: 2}, many: {name: sounds, clips: 4}}"
    made = plan(tmp_path, TINY.replace("tasks: [{name: sounds, clips: 2}]", columns))
    sounds = TaskFacts(name="sounds", folds=(1, 2, 3, 4, 5), official_folds=5)
    assert made.facts.tasks == {"sounds": sounds, "many": sounds}
    of_list = {row.key for row in plan(tmp_path).rows}
    assert {row.key for row in made.rows if row.task == "sounds"} == of_list
    assert not of_list & {row.key for row in choose_rows(made, None, ["many"], None)}
    titles = [job.title for job in made.jobs.values()]
    assert {"pack many", "embed many with moco", "knn moco on many"} <= set(titles)


def test_a_swept_entry_stands_for_all_its_variations(tmp_path: Path) -> None:
    made = plan(tmp_path, TINY + "sweep: {npid: {crop: [0.5, 0.7], encoder: [cnn10, {name: cnn6, width: 4}]}}\n")
    assert list(made.facts.swept) == ["npid"]
    assert made.facts.swept["npid"]["npid crop=0.7 encoder={name: cnn6, width: 4}"] == {
        "crop": 0.7,
        "encoder": {"name": "cnn6", "width": 4},
    }
    varied = list(made.facts.swept["npid"])
    assert made.facts.entries == ("moco", *varied, "random")
    assert [row.entry for row in choose_rows(made, ["npid"], None, ["knn"])] == varied
    assert [row.entry for row in choose_rows(made, [varied[1], "random"], None, ["knn"])] == [varied[1], "random"]
    assert not plan(tmp_path).facts.swept
    windows = {job.title: job.config.window_samples for job in made.jobs.values() if isinstance(job, EmbedJob)}
    crops = {job.title: job.config.window_samples for job in made.jobs.values() if isinstance(job, PretrainJob)}
    assert windows[f"embed sounds with {varied[0]}"] == crops[f"pretrain {varied[0]} on sounds"] == 8000
    assert windows[f"embed sounds with {varied[2]}"] == crops[f"pretrain {varied[2]} on sounds"] == 11200


def test_missing_data_block_jobs_but_not_the_plan(tmp_path: Path) -> None:
    text = TINY.replace("tasks: [{name: sounds, clips: 2}]", "tasks: [esc50]")
    made = plan(tmp_path, text)
    blocked = [job for job in made.jobs.values() if job.blocked]
    assert [job.title for job in blocked] == ["pack esc50"]
    assert "no data folder is given" in blocked[0].blocked


def test_what_only_finished_jobs_used_is_not_asked_for_again(tmp_path: Path) -> None:
    made = plan(tmp_path)
    finished = {job.key for job in made.jobs.values() if job.kind in ("evaluate", "embed")}
    assert made.needed_for([row.key for row in made.rows], lambda job: job.key in finished) == []
    finished.remove(keys(made, "moco", "knn")[0])
    assert [job.title for job in made.needed_for([row.key for row in made.rows], lambda job: job.key in finished)] == [
        "pack sounds",
        "knn moco on sounds",
    ]
