"""Names that strangers give to files, classes and settings do nothing to whoever reads what is printed or written."""

import csv
import io
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.jobs.vectors import Vector, _write
from benchmark.progress import PlainProgress
from leaderboard.page import render
from registry.errors import Mistake
from registry.text import say
from tests.conftest import Answer
from tests.leaderboard.page.sample import report
from tests.registry._recordings import sound

EVIL = ["\x1b[2Jclear", "\x1b]0;title\x07bell", "\x9b2J", "\u202egnp.exe", "zero\u200bwidth", "carriage\rreturn"]


def is_plain(text: str) -> bool:
    return not {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf")} - {"\n", "\t"}


@pytest.mark.parametrize("evil", [*EVIL, "two\nlines"])
def test_names_of_files_and_classes_are_printed_spelled(
    evil: str, audiobench: Callable[..., Answer], tmp_path: Path
) -> None:
    for name in (evil, "b"):
        sound(tmp_path / "own" / name / "0.wav")
        (tmp_path / "own" / name / f"{name}.wav").write_bytes(b"no sound")
    answer = audiobench("data", "verify", "{name: folder, path: own, folds: 2}", "--data", tmp_path)
    spelled = evil.encode("unicode_escape").decode()
    assert spelled in answer.out
    assert f"{spelled}/{spelled}.wav: does not decode" in answer.out
    assert is_plain(answer.out + answer.err)


@pytest.mark.parametrize("evil", EVIL)
def test_messages_and_progress_are_printed_spelled(
    evil: str, audiobench: Callable[..., Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.begin(f"pack {evil}")
    progress.say(evil)
    progress.end(evil)
    say(Mistake(evil, where=evil, fix=evil))
    said = capsys.readouterr().out
    answer = audiobench("run", f"{evil}.yaml")
    assert answer.status == 2
    shown = stream.getvalue() + said + answer.err
    assert shown.count(evil.encode("unicode_escape").decode()) >= 6
    assert is_plain(shown)


def test_a_page_shows_every_sign() -> None:
    page = render(replace(report(), title="".join(EVIL), subtitle="".join(EVIL)))
    assert is_plain(page)
    assert page.count("\\x1b[2Jclear") >= 2


def test_a_table_of_paths_holds_no_formula_and_the_same_files(tmp_path: Path) -> None:
    names = ["=cmd.wav", "-1.wav", "+x.wav", "@y.wav", "plain.wav", "a=b.wav"]
    _write(tmp_path / "x.npy", {Path(name): Vector(1.0, np.zeros(2, np.float32)) for name in names})
    with (tmp_path / "x.paths.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]) for row in rows] == [Path(name) for name in names]
    assert not [row for row in rows if row["path"][0] in "=+-@"]
