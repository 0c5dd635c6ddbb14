"""Sweeps: which entries a grid becomes, what they hold, and where mistakes in one are told."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from benchmark.suite.document import parse_document
from benchmark.suite.parse import Keys
from benchmark.suite.resolve import load_suite
from benchmark.suite.resolved import ResolvedEntry, ResolvedSuite
from benchmark.suite.sweep import expand_sweep
from registry.errors import Mistakes
from tests.conftest import TINY

ENTRIES = """\
entries:
  first: {weights: random}
  moco: {frontend: s2, augment: [mix, gain], weights: {pretrain: moco, batch_size: 8}, control: first}
  last: {weights: imagenet}
"""


def expanded(sweep: str) -> tuple[dict[str, Any], dict[str, Any]]:
    told: list[tuple[str, Keys, str]] = []
    document, variations = expand_sweep(parse_document(f"{ENTRIES}sweep: {sweep}\n", "s"), lambda *m: told.append(m))
    assert not told
    return document.data["entries"], variations


def test_a_grid_is_the_product_of_its_lists_in_the_order_written_where_the_entry_stood() -> None:
    entries, variations = expanded("{moco: {weights.pretrain.temperature: [0.05, 0.1], weights.batch_size: [16, 32]}}")
    points = list(product([0.05, 0.1], [16, 32]))
    names = [f"moco temperature={t} batch_size={b}" for t, b in points]
    assert list(entries) == ["first", *names, "last"]
    for name, (temperature, size) in zip(names, points, strict=True):
        assert entries[name] == {
            "frontend": "s2",
            "augment": ["mix", "gain"],
            "weights": {"pretrain": {"name": "moco", "temperature": temperature}, "batch_size": size},
            "control": "first",
        }
    values = [{"weights.pretrain.temperature": t, "weights.batch_size": b} for t, b in points]
    assert variations == {"moco": dict(zip(names, values, strict=True))}


def test_several_grids_vary_one_entry_each_by_itself_and_equal_variations_come_once() -> None:
    entries, _ = expanded("{moco: [{crop: [1.0, 3.0, 1.0]}, {weights.batch_size: [4]}, {crop: [3.0, 5.0]}]}")
    assert list(entries)[1:-1] == ["moco crop=1.0", "moco crop=3.0", "moco batch_size=4", "moco crop=5.0"]
    assert "crop" not in entries["moco batch_size=4"]
    entries, _ = expanded("{moco: [{crop: [1], weights.batch_size: [4]}, {weights.batch_size: [4], crop: [1]}]}")
    assert list(entries)[1:-1] == ["moco crop=1 batch_size=4"]


@pytest.mark.parametrize(
    ("grid", "name", "at", "value"),
    [
        ("frontend.n_mels: [40]", "n_mels=40", "frontend", {"name": "s2", "n_mels": 40}),
        ("frontend: [waveform]", "frontend=waveform", "frontend", "waveform"),
        ("encoder.width: [8]", "width=8", "encoder", {"width": 8}),
        ("encoder: [{name: cnn6}]", "encoder={name: cnn6}", "encoder", {"name": "cnn6"}),
        ("augment.0.p: [0.5]", "p=0.5", "augment", [{"name": "mix", "p": 0.5}, "gain"]),
        ("augment.1: [noise]", "augment.1=noise", "augment", ["mix", "noise"]),
        ("augment: [[]]", "augment=[]", "augment", []),
        ("weights: [random]", "weights=random", "weights", "random"),
        ("weights.monitor: [null]", "monitor=null", "weights", {"pretrain": "moco", "batch_size": 8, "monitor": None}),
        ("weights.pretrain: [npid]", "pretrain=npid", "weights", {"pretrain": "npid", "batch_size": 8}),
    ],
)
def test_paths_go_through_words_and_lists_and_values_may_be_components(
    grid: str, name: str, at: str, value: object
) -> None:
    entries, _ = expanded(f"{{moco: {{{grid}}}}}")
    assert entries[f"moco {name}"][at] == value


def test_settings_that_end_alike_are_told_apart() -> None:
    entries, _ = expanded("{moco: [{encoder.width: [1]}, {weights.pretrain.width: [1], crop: [2]}]}")
    assert list(entries)[1:-1] == ["moco encoder.width=1", "moco weights.pretrain.width=1 crop=2"]


def load(tmp_path: Path, sweep: str, scale: str | None = None) -> ResolvedSuite:
    path = tmp_path / "suite.yaml"
    path.write_text(TINY + sweep)
    return load_suite(path, scale, None)


def entry(resolved: ResolvedSuite, name: str) -> ResolvedEntry:
    return next(e for e in resolved.entries if e.name == name)


def test_variations_inherit_what_the_suite_says(tmp_path: Path) -> None:
    sweep = "sweep: {moco: {encoder.width: [2, 8], weights.pretrain.temperature: [0.1]}, npid: {crop: [0.3, 0.4]}}\n"
    resolved = load(tmp_path, sweep)
    wide = entry(resolved, "moco width=8 temperature=0.1")
    assert (wide.encoder.name, wide.encoder.config["width"], wide.encoder.config["dropout"]) == ("cnn10", 8, 0.1)
    asked = wide.weights.pretraining
    assert asked
    assert (asked.method.config["temperature"], asked.method.config["queue_size"]) == (0.1, 32)
    assert asked.training.epochs == 2
    assert (wide.crop, entry(resolved, "npid crop=0.3").crop) == (0.5, 0.3)


def test_a_scale_may_sweep_less(tmp_path: Path) -> None:
    sweep = "sweep: {npid: {encoder.width: [2, 4, 8]}}\nscales: {cpu: {sweep: {npid: {encoder.width: [2]}}}}\n"
    resolved = load(tmp_path, sweep, "cpu")
    assert [e.name for e in resolved.entries] == ["moco", "npid width=2", "random"]


@pytest.mark.parametrize(
    ("sweep", "what", "points_at", "hint"),
    [
        ("{mocco: {crop: [1]}}", "no entry is called 'mocco'", "mocco", "did you mean moco?"),
        ("{moco: {crop: []}}", "crop takes a list of values here, got []", "crop", "crop: [1, 2]"),
        ("{moco: {crop: 1}}", "crop takes a list of values here, got 1", "crop", "crop: [1, 2]"),
        ("{moco: [{crop: [1]}, 3]}", "a mapping of settings to lists of values, got 3", "3]", ""),
        ("{moco: }", "a mapping of settings to lists of values, got None", "moco", ""),
        ("3", "sweep: Input should be a valid dictionary, got 3", "sweep", ""),
        ("{moco: {crop: [0.4, -1]}}", "crop: Input should be greater than 0, got -1", "-1", ""),
        ("{npid: {encoder.width: [4, x]}}", "width: Input should be a valid integer", "x]", ""),
        ("{npid: {encoder.widht: [4]}}", "unknown key 'widht'", "4]", "width"),
        ("{npid: {encoder: [cnn10, cnn99]}}", "no encoder is called 'cnn99'", "cnn99", "cnn10"),
        ("{npid: {weights.pretrain.negatives: [few]}}", "negatives: Input should be", "few]", ""),
        ("{npid: {augment.0.bins: [1]}}", "the entry npid has no augment.0.bins to vary", "augment.0", "itself"),
    ],
)
def test_mistakes_are_told_at_their_place_in_the_sweep(
    tmp_path: Path, sweep: str, what: str, points_at: str, hint: str
) -> None:
    with pytest.raises(Mistakes) as caught:
        load(tmp_path, f"sweep: {sweep}\n")
    line, column = len(TINY.split("\n")), f"sweep: {sweep}".index(points_at) + 1
    (mistake,) = [m for m in caught.value.mistakes if what in m.what]
    assert mistake.where.startswith(f"{tmp_path}/suite.yaml:{line}:{column} ")
    assert hint in mistake.fix


def test_a_variation_does_not_replace_an_entry_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(
        TINY.replace("  random:", "  moco crop=1: {weights: random}\n  random:") + "sweep: {moco: {crop: [1]}}\n"
    )
    with pytest.raises(Mistakes) as caught:
        load_suite(path, None, None)
    (mistake,) = caught.value.mistakes
    assert mistake.what == "an entry is called 'moco crop=1' already"


def test_a_document_without_a_sweep_stays_as_it_is() -> None:
    document = parse_document(ENTRIES, "s")
    assert expand_sweep(document, lambda *m: None) == (document, {})
