"""Stored plans: known by what a suite asks, and noticed when damaged."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.ledger.plan import Plan
from benchmark.ledger.request import asked_digest
from benchmark.store.store import Store
from benchmark.suite.document import read_suite
from registry.errors import Mistake
from tests.conftest import TINY
from tests.jobs import made_facts


def asked(tmp_path: Path, text: str, scale: str | None = None) -> str:
    (tmp_path / "suite.yaml").write_text(text)
    return asked_digest(read_suite(tmp_path / "suite.yaml", scale)[0])


def plan(name: str, title: str, digest: str = "") -> dict[str, Any]:
    return {"schema": 1, "asked": digest, "request": "", "plan": Plan(name, made_facts(title=title)).to_json()}


def title(stored: dict[str, Any] | None) -> str:
    assert stored
    return str(stored["plan"]["facts"]["title"])


def test_what_is_asked_is_the_data_of_a_suite_and_not_how_it_is_written(tmp_path: Path) -> None:
    same = asked(tmp_path, TINY)
    written = TINY.replace("{epochs: 3}", "\n    # a comment\n    epochs:    3")
    assert asked(tmp_path, written) == same
    assert asked(tmp_path, TINY + "scales: {cpu: {crop: 0.4}}\n") == same
    assert asked(tmp_path, TINY + "scales: {cpu: {crop: 0.4}}\n", "cpu") != same
    assert asked(tmp_path, TINY.replace("k: [1, 3]", "k: [3]")) != same
    assert asked(tmp_path, TINY.replace("k: [1, 3]", "k: [3, 1]")) != same
    lines = TINY.strip().splitlines()
    moved = "\n".join([*lines[1:5], lines[0], *lines[5:]])
    assert asked(tmp_path, moved) == same


def test_a_chain_asks_what_its_whole_would(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(TINY)
    child = asked(tmp_path, "extends: base.yaml\nname: tiny\ntitle: Tiny\n")
    assert child == asked(tmp_path, TINY)


def test_keys_of_any_kind_have_a_digest(tmp_path: Path) -> None:
    text = TINY + "sweep: {1: {a: 2020-01-01}, b: {}}\n"
    assert asked(tmp_path, text) != asked(tmp_path, text.replace("2020", "2021"))


def test_two_suites_of_one_name_are_kept_apart_and_the_last_one_is_meant_by_it(tmp_path: Path) -> None:
    store, one, other = Store(tmp_path), "1" * 64, "2" * 64
    assert store.load_plan("group/a@cpu") is None
    assert store.load_plan("group/a@cpu", one) is None
    store.save_plan("group/a@cpu", plan("group/a@cpu", "first", one))
    store.save_plan("group/a@cpu", plan("group/a@cpu", "second", other))
    store.save_plan("a", plan("a", "another", one))
    assert store.plans() == ["a", "group/a@cpu"]
    told: list[str] = []
    assert title(store.load_plan("group/a@cpu", tell=told.append)) == "second"
    assert len(told) == 1
    assert "group%a@cpu.11111111.json" in told[0]
    assert title(store.load_plan("group/a@cpu", one)) == "first"
    store.save_plan("group/a@cpu", plan("group/a@cpu", "first again", one))
    assert title(store.load_plan("group/a@cpu")) == "first again"
    assert title(store.load_plan("a", tell=told.append)) == "another"
    assert len(told) == 1


def test_a_plan_of_an_older_version_is_read_by_its_name(tmp_path: Path) -> None:
    store = Store(tmp_path)
    older = {"request": "x", "plan": {k: v for k, v in plan("a", "old")["plan"].items() if k != "texts"}}
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "a.json").write_text(json.dumps(older))
    told: list[str] = []
    assert title(store.load_plan("a", tell=told.append)) == "old"
    assert not told
    assert title(store.load_plan("a", "1" * 64, told.append)) == "old"
    assert "by its name alone" in told[0]
    store.save_plan("a", plan("a", "new", "1" * 64))
    assert title(store.load_plan("a")) == title(store.load_plan("a", "1" * 64)) == "new"
    assert title(store.load_plan("a", "2" * 64)) == "old"


DAMAGE = {
    "cut": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "null": lambda text: "null",
    "a list": lambda text: "[1]",
    "another mapping": lambda text: '{"schema": 1}',
    "one letter": lambda text: text.replace("Tiny", "Tine", 1),
    "one letter of a key": lambda text: text.replace('"digest"', '"digesu"', 1),
    "a newer schema": lambda text: json.dumps({**json.loads(text), "schema": 2}),
    "an older schema": lambda text: json.dumps({**json.loads(text), "schema": 0}),
    "no text": None,
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("digest", ["1" * 64, ""])
def test_a_damaged_plan_is_a_mistake_that_names_it(tmp_path: Path, kind: str, digest: str) -> None:
    if kind == "one letter of a key" and not digest:
        pytest.skip("without a digest in its name a plan is of a version that sealed none")
    store = Store(tmp_path)
    store.save_plan("a", plan("a", "Tiny", digest))
    path = store.plan_path("a", digest)
    change = DAMAGE[kind]
    path.write_bytes(change(path.read_text()).encode() if change else b"\xff\xfe\x00")
    with pytest.raises(Mistake, match=r"plan") as refused:
        store.load_plan("a", digest)
    assert refused.value.where == str(path)
    assert refused.value.fix
    told: list[str] = []
    store.save_plan("a", plan("a", "whole", "2" * 64))
    assert title(store.load_plan("a", tell=told.append)) == "whole"
    assert re.search(re.escape(str(path)), "".join(told))
