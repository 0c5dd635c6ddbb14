"""Suites: what they resolve to, and how mistakes in them are answered."""

import csv
from pathlib import Path

import pytest
import yaml

from benchmark.jobs.pack import PackJob
from benchmark.ledger.fit import check_fit
from benchmark.ledger.planner import make_plan
from benchmark.suite.resolve import load_suite
from benchmark.suite.resolved import ResolvedEntry, ResolvedSuite
from benchmark.suite.schema import suite_schema
from leaderboard.published import FIGURES
from registry.errors import Mistakes
from registry.lookup import METHODS
from tests.conftest import TINY, encoders_made_here

SUITES = Path(__file__).parents[3] / "suites"


def load(tmp_path: Path, text: str, scale: str | None = None) -> ResolvedSuite:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return load_suite(path, scale, None)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        load(tmp_path, text)
    return [str(m).replace(f"{tmp_path}/", "") for m in caught.value.mistakes]


def test_entries_inherit_encoder_and_pretraining(tmp_path: Path) -> None:
    text = TINY + "  \n"
    text = text.replace("{name: npid, negatives: 16}}", "{name: npid, negatives: 16}, epochs: 7}, encoder: {width: 2}")
    resolved = load(tmp_path, text)
    moco, npid, random = resolved.entries
    assert moco.encoder.config["width"] == 4
    assert npid.encoder.config["width"] == 2
    assert npid.encoder.config["dropout"] == 0.1
    of_moco, of_npid = moco.weights.pretraining, npid.weights.pretraining
    assert of_moco
    assert of_npid
    assert (of_moco.training.epochs, of_npid.training.epochs) == (2, 7)
    assert of_npid.training.momentum == 0.9
    assert of_npid.training.weight_decay == 1e-4  # of the source's recipe
    assert random.protocols == ("finetune", "freeze", "knn")
    assert [a.name for a in of_moco.augment] == ["frequency-shift"]


def test_pretraining_may_augment_otherwise(tmp_path: Path) -> None:
    resolved = load(tmp_path, TINY.replace("epochs: 2,", "epochs: 2, augment: [mix, gain],"))
    asked = resolved.entries[0].weights.pretraining
    assert asked
    assert [a.name for a in asked.augment] == ["mix", "gain"]
    assert [a.name for a in resolved.entries[0].augment] == ["frequency-shift"]


def test_a_scale_overrides_anything(tmp_path: Path) -> None:
    text = TINY + "scales: {half: {crop: 0.25, encoder: {width: 2}, entries: {moco: {protocols: [knn]}}}}\n"
    resolved = load(tmp_path, text, "half")
    assert resolved.suite.crop == 0.25
    assert resolved.entries[0].encoder.config["width"] == 2
    assert resolved.entries[0].protocols == ("knn",)


def test_columns_may_be_named_so_that_a_task_stands_twice(tmp_path: Path) -> None:
    columns = "tasks: {sounds: sounds, few: {name: sounds, clips: 2}}"
    resolved = load(tmp_path, TINY.replace("tasks: [{name: sounds, clips: 2}]", columns))
    assert {column: (task.name, task.config["clips"]) for column, task in resolved.tasks.items()} == {
        "sounds": ("sounds", 8),
        "few": ("sounds", 2),
    }
    assert list(load(tmp_path, TINY).tasks) == ["sounds"]


def test_an_entry_may_have_a_crop_of_its_own(tmp_path: Path) -> None:
    resolved = load(tmp_path, TINY.replace("random: {weights", "random: {crop: 2, weights"))
    assert {entry.name: entry.crop for entry in resolved.entries} == {"moco": 0.5, "npid": 0.5, "random": 2.0}


def weighed(weights: str) -> str:
    return TINY.replace("random: {weights: random}", f"random: {{weights: {weights}}}")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("extends: tiny.yaml\nname: mine\n", True),
        ("extends: tiny.yaml\nname: mine\nencoder: {width: 2}\nentries: {a: null, b: {crop: 2}}\n", True),
        ("extends: tiny.yaml\n", False),
        ("extends: tiny.yaml\nname: mine\nentries: {a: {corp: 2}}\n", False),
        (TINY + "sweep: {moco: {crop: [1]}, npid: [{crop: [1]}, {encoder.width: [2, 4]}]}\n", True),
        (TINY.replace("crop: 0.5", "crop: whole"), True),
        (TINY.replace("crop: 0.5", "crop: hole"), False),
        (TINY.replace("random: {weights", "random: {crop: whole, weights"), True),
        (TINY.replace("epochs: 2,", "epochs: 2, crop: 1.0,"), True),
        (TINY.replace("epochs: 2,", "epochs: 2, crop: whole,"), False),
        (TINY + "sweep: {moco: {crop: []}}\n", False),
        (TINY + "sweep: {moco: {crop: 1}}\n", False),
        (TINY.replace("[{name: sounds, clips: 2}]", "{a: sounds, b: {name: sounds, clips: 2}}"), True),
        (TINY.replace("[{name: sounds, clips: 2}]", "{a: sounds, b: {clips: 2}}"), False),
        (TINY.replace("random: {weights: random}", "random: {crop: 2}"), False),
        (TINY.replace("encoder: {name: cnn10, width: 4", "encoder: {width: 4"), False),
        (weighed("imagenet"), True),
        (weighed("imaginary"), False),
        (weighed("{imagenet: net.pth}"), True),
        (weighed("{imagenet: net.pth, epochs: 3}"), False),
        (weighed("{checkpoint: net.pth}"), True),
        (weighed("{checkpoint: 3}"), False),
        (weighed("{checkpoint: net.pth, imagenet: net.pth}"), False),
        (weighed("{pretrain: moco, epochs: 3, corpus: {name: fsd50k, exclude: [esc50]}, keep: best}"), True),
        (weighed("{pretrain: mooc}"), False),
        (weighed("{pretrain: {name: moco, queue_size: 64}, augment: [mix], monitor: null}"), True),
        (weighed("{pretrain: {name: moco, queue_size: big}}"), False),
        (weighed("{pretrain: {name: moco, que_size: 64}}"), False),
        (weighed("{pretrain: {queue_size: 64}}"), False),
        (weighed("{pretrain: moco, epochs: none}"), False),
        (weighed("{pretrain: moco, epoch: 3}"), False),
        (weighed("{epochs: 3}"), False),
        (weighed("[random]"), False),
        ("extends: tiny.yaml\nname: mine\nentries: {moco: {weights: {pretrain: {queue_size: 64}, epochs: 3}}}\n", True),
        ("extends: tiny.yaml\nname: mine\nentries: {moco: {weights: {epochs: 3}}}\n", True),
        ("extends: tiny.yaml\nname: mine\nentries: {moco: {weights: {epoch: 3}}}\n", False),
    ],
)
def test_the_schema_asks_of_a_suite_that_extends_another_only_what_differs(text: str, right: bool) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    assert jsonschema.Draft202012Validator(suite_schema()).is_valid(yaml.safe_load(text)) is right


def test_files_are_looked_for_beside_the_suite_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "net.st").touch()
    (tmp_path / "base" / "own.py").write_text(
        "from audiobench import Augmentation\n"
        "class Louder(Augmentation):\n"
        "    name, domain, source = 'louder-in-base', 'waveform', 'none'\n"
    )
    text = TINY.replace(
        "random: {weights: random}", "random: {augment: [louder-in-base], weights: {checkpoint: net.st}}"
    )
    (tmp_path / "base" / "tiny.yaml").write_text(text + "plugins: [own.py]\n")
    resolved = load(tmp_path, "extends: base/tiny.yaml\nname: mine\n")
    assert (resolved.suite.name, resolved.suite.title, resolved.suite.control) == ("mine", "", "random")
    assert resolved.entries[2].weights.path == tmp_path / "base" / "net.st"
    (tmp_path / "base" / "tiny.yaml").write_text(text.replace("width: 4", "widht: 4"))
    (told,) = [m for m in mistakes(tmp_path, "extends: base/tiny.yaml\nname: mine\n") if "'widht'" in m]
    assert "where: base/tiny.yaml:9:24 (" in told


# What is replaced by what; the mistake; the text that its place points at; what the answer must mention.
BAD = [
    ("crop: 0.5", "crop: 0.5\ncorp: 1", "unknown key 'corp'", "corp: 1", "crop"),
    ("crop: 0.5", "crop: wide", "crop: Input should be seconds, or the word whole, got 'wide'", "crop: wide", ""),
    ("crop: 0.5", "crop: [1]", "crop: Input should be a valid number", "crop: [1]", ""),
    ("crop: 0.5\n", "", "crop: Field required", "schema_version", ""),
    ("width: 4", "widht: 4", "unknown key 'widht'", "widht", "width"),
    ("width: 4", "width: many", "width: Input should be a valid integer", "width: many", ""),
    ("name: cnn10", "name: cnn01", "no encoder is called 'cnn01'", "name: cnn01", "cnn10"),
    ("name: moco", "name: mocco", "no method is called 'mocco'", "name: mocco", "moco"),
    ("queue_size: 32", "queue: 32", "unknown key 'queue'", "queue: 32", "queue_size"),
    ("tasks: [{name: sounds", "tasks: [{name: sound", "no task is called 'sound'", "name: sound,", "sounds"),
    ("knn: {k: [1, 3]}", "knn: {k: [1, x]}", "k.1: Input should be a valid integer", "x]}", ""),
    ("knn: {k: [1, 3]}", "kmm: {k: [1, 3]}", "no protocol is called 'kmm'", "kmm", "knn"),
    ("protocols: [freeze, knn]}\n  npid", "protocols: [frieze]}\n  npid", "no protocol 'frieze'", "frieze", "freeze"),
    ("control: random", "control: chance", "no entry is called 'chance'", "control: chance", "random"),
    ("epochs: 2,", "epoch: 2,", "unknown key 'epoch'", "epoch: 2", "epochs"),
    ("random: {weights: random}", "random: {weight: random}", "unknown key 'weight'", "weight: random", "weights"),
    ("random: {weights: random}", "random: {weights: none}", "weights", "weights: none", ""),
    ("random: {weights: random}", "random: {weights: {}}", "weights need one of", "weights: {}", ""),
    ("corpus: {name: sounds, clips: 2}, ", "", "names no corpus", "weights: {pretrain: {name: moco", "corpus"),
    ("corpus: {name: sounds, clips: 2}", "corpus: {name: sounds, clips: 3}", "clips: Input should be", "clips: 3", ""),
    ("clips: 2}, epochs", "clips: 2, exclude: [esc05]}, epochs", "no task is called 'esc05'", "esc05", "esc50"),
    ("clips: 2}, epochs", "exclude: [{name: us8k, fold: 1}]}, epochs", "unknown key 'fold'", "fold: 1", "folds"),
    ("clips: 2}, epochs", "exclude: esc50}, epochs", "exclude is a list of tasks", "exclude", "[esc50]"),
    ("clips: 2}, epochs", "exclude: [1]}, epochs", "exclude is a list of tasks, got [1]", "exclude", "[esc50]"),
    ("bins: 2", "bins: -1", "bins: Input should be greater than or equal to 0", "bins: -1", ""),
    (
        "tasks: [{name: sounds, clips: 2}]",
        "tasks: [sounds, {name: sounds, seed: 1}]",
        "twice",
        "{name: sounds, seed",
        "tasks: {sounds: ..., other: {name: sounds, ...}}",
    ),
    ("tasks: [{name: sounds, clips: 2}]", "tasks: {a: sounds, b: {clips: 2}}", "has no name", "b: {clips", "name: one"),
    ("tasks: [{name: sounds, clips: 2}]", "tasks: {a: sonds}", "no task is called 'sonds'", "a: sonds", "sounds"),
    ("tasks: [{name: sounds, clips: 2}]", "tasks: {}", "at least 1 item", "tasks: {}", ""),
    ("random: {weights", "random: {crop: 0, weights", "crop: Input should be greater than 0", "crop: 0,", ""),
    ("[{name: sounds, clips: 2}]", "[{name: fsd50k, part: dev}]", "fsd50k is a corpus alone", "{name: fsd50k", ""),
    ("schema_version: 1", "schema_version: 9", "schema_version: Input should be 1", "schema_version: 9", ""),
]


@pytest.mark.parametrize(("old", "new", "what", "points_at", "hint"), BAD)
def test_a_mistake_is_answered_with_what_where_and_a_hint(
    tmp_path: Path, old: str, new: str, what: str, points_at: str, hint: str
) -> None:
    assert old in TINY
    text = TINY.replace(old, new, 1)
    before = text[: text.index(points_at)].split("\n")
    messages = mistakes(tmp_path, text)
    fitting = [m for m in messages if what in m]
    assert fitting, messages
    assert f"suite.yaml:{len(before)}:{len(before[-1]) + 1} " in fitting[0], fitting[0]
    assert hint in fitting[0]


def test_every_mistake_is_found_at_once(tmp_path: Path) -> None:
    text = (
        TINY.replace("crop: 0.5", "crop: -1")
        .replace("width: 4", "widht: 4")
        .replace("[freeze, knn]}\n  random", "[knm]}\n  random")
    )
    text = text.replace("name: npid", "name: npdi")
    messages = mistakes(tmp_path, text)
    for what in ("crop:", "'widht'", "'knm'", "'npdi'"):
        assert any(what in m for m in messages), (what, messages)


@pytest.mark.parametrize(
    ("said", "what", "fix"),
    [
        ("keep: best", "kept by a monitor, and none is named", "add monitor"),
        ("keep: best, monitor: null", "kept by a monitor, and none is named", "add monitor"),
        ("keep: best, monitor: sounds", "none of the 2 epochs is probed", "lower monitor_every: 5"),
        ("keep: worst, monitor: sounds", "keep: Input should be 'last' or 'best'", ""),
    ],
)
def test_the_best_epoch_needs_a_monitor_that_is_asked(tmp_path: Path, said: str, what: str, fix: str) -> None:
    messages = mistakes(tmp_path, TINY.replace("epochs: 2,", f"epochs: 2,\n  {said},", 1))
    assert all("suite.yaml:11:3" in mistake and what in mistake and fix in mistake for mistake in messages)
    assert messages
    load(tmp_path, TINY.replace("epochs: 2,", "epochs: 2, keep: best, monitor: sounds, monitor_every: 2,", 1))
    load(tmp_path, TINY.replace("epochs: 2,", "epochs: 2, keep: last, monitor: null,", 1))


@pytest.mark.slow
def test_suites_that_are_shipped_are_right(lite0_weights: Path) -> None:
    paths = sorted(SUITES.rglob("*.yaml"))
    assert {p.stem for p in paths} >= {"quickstart", "esc10", "esc50", "encoders"}
    data = lite0_weights.parent.parent / "data"
    entries: list[ResolvedEntry] = []
    for path in paths:
        for scale in [None, *load_suite(path, None, data).suite.scales]:
            entries += load_suite(path, scale, data).entries
    check_fit(entries, {})  # of all together: what suites share is built once


def test_the_suite_of_encoders_holds_every_encoder() -> None:
    resolved = load_suite(SUITES / "encoders.yaml", "cpu", None)
    assert {entry.encoder.name for entry in resolved.entries} == set(encoders_made_here())


@pytest.mark.parametrize("path", sorted(SUITES.rglob("*.yaml")), ids=lambda path: str(path.relative_to(SUITES)))
def test_every_shipped_suite_is_planned_without_data(path: Path) -> None:
    for scale in [None, *load_suite(path, None, None).suite.scales]:
        plan = make_plan(load_suite(path, scale, None), None, [0])
        assert plan.rows
        assert all(job.blocked for job in plan.jobs.values() if isinstance(job, PackJob) and job.config.inputs is None)


@pytest.mark.parametrize(
    "path", sorted(SUITES.glob("*20*/table-*.yaml")), ids=lambda path: str(path.relative_to(SUITES))
)
def test_suites_of_papers_have_an_entry_for_every_published_figure(path: Path) -> None:
    resolved = load_suite(path, None, None)
    name = f"{path.parent.name}/{path.stem}"
    assert resolved.suite.name == resolved.suite.reproduces == name
    asked = {(row.entry, row.task, row.protocol) for row in make_plan(resolved, None, [0]).rows}
    with FIGURES.open(newline="") as file:
        for row in csv.DictReader(file):
            others = "[" in row["entry"]  # a citation: the system of another paper
            if row["suite"] == name and not others:
                assert (row["entry"], row["task"], row["protocol"]) in asked


@pytest.mark.parametrize("method", METHODS.names())
def test_the_schema_knows_every_method_with_its_settings(method: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = jsonschema.Draft202012Validator(suite_schema())
    settings = {"name": method, **METHODS.choose(method).settings.canonical()}
    suite = yaml.safe_load(TINY)
    suite["entries"]["random"]["weights"] = {"pretrain": settings}
    schema.validate(suite)
    suite["entries"]["random"]["weights"] = {"pretrain": {**settings, "no such setting": 1}}
    assert not schema.is_valid(suite)
