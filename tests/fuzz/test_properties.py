"""Any suite, table, record or plan is read, or refused with a Mistake. Faults that were found are examples here.

In a search for faults each property is tried as often as ``AUDIOBENCH_FUZZ`` says:

    AUDIOBENCH_FUZZ=33400 pytest tests/fuzz/test_properties.py
"""

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from benchmark.jobs.evaluate import Record
from benchmark.ledger.plan import Plan
from benchmark.store.integrity import check_record, read_record
from benchmark.store.plan_file import read_plan
from benchmark.store.store import Store
from benchmark.suite.resolve import load_suite
from leaderboard.answers import predictions
from registry.errors import Damaged, Mistake, Mistakes
from registry.targets import find_target
from registry.tasks._tables import read_table
from tests.conftest import TINY
from tests.fuzz.conftest import FEW
from tests.fuzz.made import made_store
from tests.fuzz.mutants import change, copied, mutate_plan, mutate_record

_TOKENS = st.sampled_from(
    [*"{}[]:,-?&*!|>%@`#'\"\n\t \\~=", "<<", "---", "...", "&a ", "*a", "!!python/object:os.system ", "null", ".nan",
     "1e999", "0x", "0777", "9" * 40, "\x00", "\x85", "\u2028", "\ufeff", "\ud800", "é", "name", "entries", "sweep",
     "extends", "weights", "pretrain", "plugins", "\r", "  ", "- ", ": "]
)  # fmt: skip
_SUITE = yaml.safe_load(TINY)
_ADDED = st.sampled_from(
    ["", "sweep: {moco: {crop: [0.5, 1.0]}}", "sweep: {moco: [{encoder.width: [4, 8]}, {a.0: [1]}]}", "scales: {a: {}}",
     "extends: s.yaml", "extends: [1]", "plugins: [x.py]", "plugins: 3", "sweep: {moco: {a..b: [1], 0: [{}]}}",
     "class_wise: {sounds: 1}", "seeds: [0, -1, 99999999999999999999]", "anchors: [x]", "reproduces: x"]
)  # fmt: skip


@st.composite
def suites(draw: st.DrawFn) -> str:
    """The text of a suite that is nearly right, or of tokens that mean something to readers of YAML."""
    if draw(st.booleans()):
        changed: Any = _SUITE
        for _ in range(draw(st.integers(1, 3))):
            with suppress(Exception):  # of a suite that is changed beyond changing
                changed = change(changed, draw(st.randoms(use_true_random=False)))[0]
        with suppress(yaml.YAMLError, ValueError):
            return f"{yaml.safe_dump(changed, sort_keys=False)}\n{draw(_ADDED)}"
    text = draw(st.sampled_from([TINY, "a: 1\n", ""]))
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.lists(_TOKENS, max_size=12).map("".join)) + text[at + draw(st.integers(0, 8)) :]


_CELLS = st.sampled_from(["a.wav", "1", "-1", "", "fold", "filename", '"', '""', "x" * 300, "\x00", "é", "1.5", "nan"])


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """The bytes of a table that is nearly right, in one of several encodings, or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    separator, ending = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\x85"]))
    rows = [["filename", "fold", "note"], *draw(st.lists(st.lists(_CELLS, max_size=5), max_size=6))]
    text = ending.join(separator.join(row) for row in rows)
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "utf-16-le"])))
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(max_size=3)) + content[at + draw(st.integers(0, 2)) :]


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("properties") / "whole"
    made_store(root)
    return root


@FEW
@given(suites())
@example("a: &a [*a]\n")
@example(TINY.replace("entries:\n", "entries:\n  none: null\n") + "sweep: {none: {a.0: [1]}}\n")
@example(TINY + "sweep: {moco: {" + ", ".join(f"a{i}: [{', '.join(map(str, range(100)))}]" for i in range(4)) + "}}\n")
def test_a_suite_is_read_or_refused(text: str) -> None:
    with folder() as place:
        path = place / "s.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        with suppress(Mistake, Mistakes):
            load_suite(path, None, None)


@FEW
@given(tables())
@example(b"")
@example(b";")
@example(b"\xff\xfe\x00")
@example(b'filename,fold,note\n"a')
def test_a_table_is_read_or_refused(content: bytes) -> None:
    with folder() as place:
        path = place / "t.csv"
        path.write_bytes(content)
        with suppress(Mistake):
            rows = read_table(path, ["filename", "fold"], "the table is")
            assert rows
            for row in rows:
                with suppress(Mistake):
                    row.number("fold", range(3))
                with suppress(Mistake):
                    row.real("note")


@FEW
@given(st.randoms(use_true_random=False))
def test_a_record_is_read_or_refused(whole: Path, rng: random.Random) -> None:
    with folder() as place:
        stored = rng.choice(sorted(path.parent for path in whole.glob("*/*/job.json")))
        kind, key = stored.parent.name, stored.name
        changed = copied(stored, place / kind / key)
        mutate_record(place, rng)
        with suppress(Damaged):
            check_record(kind, changed, large=True)
            record = read_record(kind, changed)
            if isinstance(record, Record):
                _require_predictions(record, Store(place), key)


def _require_predictions(record: Record, store: Store, key: str) -> None:
    """What is checked is also readable: each fold has the clips that the record states."""
    by_fold = predictions(store, key, None, find_target(record.target), len(record.classes), scores=False)
    assert {fold: len(of_fold.clip_N) for fold, of_fold in by_fold.items()} == {
        fold: of_fold.clips for fold, of_fold in record.folds.items()
    }


@FEW
@given(st.randoms(use_true_random=False))
def test_a_plan_is_read_or_refused(whole: Path, rng: random.Random) -> None:
    with folder() as place:
        runs = copied(whole, place / "runs")
        mutate_plan(runs, rng)
        (path,) = runs.glob("plans/*.json")
        with suppress(Mistake):
            plan = Plan.from_json(read_plan(path)["plan"])
            assert Plan.from_json(json.loads(json.dumps(plan.to_json()))).rows == plan.rows
            for row in plan.rows:
                assert plan.pack_of(row).key in plan.jobs
