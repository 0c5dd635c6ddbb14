"""YAML as people, editors and other programs write it: what it means here, and what is refused and where."""

from pathlib import Path

import pytest

from benchmark.suite.document import parse_document
from benchmark.suite.resolve import load_suite
from registry.errors import Mistake
from tests.conftest import TINY

MERGES = """\
base: &base {x: 1, y: {z: 2}}
one:
  <<: *base
  x: 3
  own: 4
two: {<<: [{x: 5}, *base], "<<": quoted}
"""


def test_what_is_merged_stands_where_it_is_written() -> None:
    document = parse_document(MERGES, "s")
    assert document.data["one"] == {"x": 3, "y": {"z": 2}, "own": 4}
    assert document.data["two"] == {"x": 5, "y": {"z": 2}, "<<": "quoted"}
    assert (document.place(("one", "x")), document.place(("one", "y"))) == ("s:4:3", "s:1:20")
    assert (document.place(("one", "y", "z")), document.place(("two", "x"))) == ("s:1:24", "s:6:13")


def test_an_entry_may_be_merged_from_another(tmp_path: Path) -> None:
    merged = "random: &r {weights: random}\n  wide: {<<: *r, encoder: {width: 8}}"
    (tmp_path / "s.yaml").write_text(TINY.replace("random: {weights: random}", merged))
    wide = load_suite(tmp_path / "s.yaml", None, None).entries[-1]
    assert (wide.name, wide.weights.source.name, wide.encoder.settings.width) == ("wide", "random", 8)


def test_words_are_words_whatever_yaml_1_1_makes_of_them() -> None:
    text = (
        "no: on\non: yes\n1:30: 1:30\n2024-13-45: 2024-01-01\n010: =\ntrue: null\n7: 7\n'8': '08'\n1.5: 0x1F\nx: 1_000"
    )
    assert parse_document(text, "s").data == {
        "no": "on",
        "on": "yes",
        "1:30": "1:30",
        "2024-13-45": "2024-01-01",
        "010": "=",
        "true": None,
        7: 7,
        "8": "08",
        "1.5": 31,
        "x": 1000,
    }
    numbers = parse_document("[1e-3, 1.5e3, .5, 5., -0, +3, True, FALSE, ~, 1__0, 0e-999]", "s").data
    assert numbers == [0.001, 1500.0, 0.5, 5.0, 0, 3, True, False, None, "1__0", 0.0]


def test_entries_may_be_called_no_and_on(tmp_path: Path) -> None:
    suite = tmp_path / "s.yaml"
    suite.write_text(TINY.replace("control: random", "control: no").replace("random: {w", "no: {w"))
    assert [entry.name for entry in load_suite(suite, None, None).entries] == ["moco", "npid", "no"]


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("a: 1\nb: 010", "010 is octal to some", "2:4"),
        ("a: .inf", "no finite number", "1:4"),
        ("a: [1, -.INF]", "no finite number", "1:8"),
        ("a: .NaN", "no finite number", "1:4"),
        ("a: 1e999", "too large for a number", "1:4"),
        ("a: 1e-400", "too small for a number", "1:4"),
        ("a: 1e-310", "too small for a number", "1:4"),
        ("a: 0." + "0" * 5000 + "1", "too small for a number", "1:4"),
        ("a: " + "9" * 5000, "has 5000 characters", "1:4"),
        ("a: -" + "9" * 20, "larger than any whole number", "1:4"),
        ("a: !!int abc", "tags are not read, and here stands !!int", "1:4"),
        ("a: !!python/object/apply:os.getcwd []", "here stands !!python/object/apply:os.getcwd", "1:4"),
        ("a: !foo {b: 1}", "here stands !foo", "1:4"),
        ("a: !!timestamp 2024-13-45", "here stands !!timestamp", "1:4"),
        ("? [1, 2]\n: 3", "this one is a list", "1:3"),
        ("{{a: b}: c}", "this one is a mapping", "1:2"),
        ("'': 1", "a key is empty", "1:1"),
        ("a: &a [*a]", "inside what it repeats", "1:4"),
        ("a: &a {b: {c: *a}}", "inside what it repeats", "1:4"),
        ("a: &a\n  <<: *a\n", "merges itself", "1:4"),
        ("a: {<<: 3}", "<< merges a mapping", "1:9"),
        ("a: {<<: {}, <<: {}}", "'<<' stands here twice", "1:13"),
        ("a: *b", "undefined alias", "1:4"),
        ("a: 1\nb: \x01", "the character U\\+0001", "2:4"),
        ("a: 1\n---\nb: 2", "another document", "2:1"),
    ],
)
def test_what_a_suite_cannot_hold_is_told_with_its_place(text: str, what: str, where: str) -> None:
    with pytest.raises(Mistake, match=what) as caught:
        parse_document(text, "s")
    assert caught.value.where == f"s:{where}"
    assert len(caught.value.what) < 200
    assert caught.value.fix


def chained(item: str) -> str:
    return "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {item.replace('@', f'*a{i - 1}')}\n" for i in range(1, 1000))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: " + "[" * 3000 + "]" * 3000, "nested more than 50 levels"),
        ("a: " + "{b: " * 3000 + "}" * 3000, "nested more than 50 levels"),
        ("- " * 3000 + "x", "nested more than 50 levels"),
        (chained("{y: @}"), "aliases nest values"),
        (chained("[@, @]"), "aliases (repeat|nest)"),
        (chained("{<<: [@, @]}"), "aliases repeat"),
        ("a: &a [" + "x, " * 99 + "x]\nb: &b [" + "*a, " * 99 + "*a]\nc: [*b, *b, *b]", "aliases repeat"),
        ("a: '" + "x" * 1_000_001 + "'", "characters are more"),
        ("a: [" + "1, " * 50_000 + "1]", "more than 20,000 values"),
    ],
    ids=range(9),
)
def test_bombs_are_refused_before_they_go_off(text: str, what: str) -> None:
    with pytest.raises(Mistake, match=what):
        parse_document(text, "s")


def test_a_sweep_is_counted_before_it_is_written_out(tmp_path: Path) -> None:
    grid = ", ".join(f"weights.x{i}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for i in range(8))
    (tmp_path / "s.yaml").write_text(f"{TINY}sweep: {{moco: {{{grid}}}}}\n")
    with pytest.raises(Mistake, match="100,000,003 entries, points of sweeps included") as caught:
        load_suite(tmp_path / "s.yaml", None, None)
    assert caught.value.where.endswith("s.yaml:20:1")


def test_a_byte_order_mark_and_another_encoding(tmp_path: Path) -> None:
    suite = tmp_path / "s.yaml"
    suite.write_text(TINY, encoding="utf-8-sig")
    assert load_suite(suite, None, None).suite.name == "tiny"
    suite.write_text(TINY, encoding="utf-16")
    with pytest.raises(Mistake, match="is no text file"):
        load_suite(suite, None, None)
