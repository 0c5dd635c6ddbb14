"""The report of a finished suite: one page, whole, from the records alone."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Answer

Call = Callable[..., Answer]


@pytest.fixture(scope="module")
def runs(finished: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the records, since a report keeps its maps there."""
    return Path(shutil.copytree(finished[1], tmp_path_factory.mktemp("copy") / "runs"))


def test_a_report_says_what_the_leaderboard_says_and_more(
    finished: tuple[Path, Path], runs: Path, audiobench: Call, tmp_path: Path
) -> None:
    answer = audiobench("report", finished[0], "--runs", runs, "--figures", tmp_path / "figures")
    assert answer.status == 0, answer.err
    path = runs / "reports" / "tiny.html"
    assert answer.out == f"report: {path}\n"
    page = path.read_text()
    board = audiobench("leaderboard", "tiny", "--runs", runs).out
    figures = re.findall(r"\d\.\d{3} ± \d\.\d{3}", board)
    assert len(figures) == 7
    assert all(figure in page for figure in figures)
    for heading in ("Leaderboard", "Pairs", "Learning", "Classes", "Maps", "Cost", "Suite", "Provenance"):
        assert f">{heading}<" in page
    assert "audiobench run tiny --entry moco --data DATA" in page
    assert "queue_size: 32" in page  # the suite file itself
    drawn = {file.stem for file in (tmp_path / "figures").glob("*.pdf")}
    assert {"loss", "curves-sounds-freeze", "confusion-sounds-knn", "map-random-sounds-figure"} <= drawn
    assert all((tmp_path / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF") for name in drawn)


def test_a_report_is_the_same_when_made_again(
    finished: tuple[Path, Path], runs: Path, audiobench: Call, tmp_path: Path
) -> None:
    asked = ("report", finished[0], "--runs", runs, "--map", "moco")
    assert audiobench(*asked, "--output", tmp_path / "a.html").status == 0
    assert audiobench(*asked, "--output", tmp_path / "b.html").status == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_records_without_embeddings_still_make_a_report(
    finished: tuple[Path, Path], runs: Path, audiobench: Call, tmp_path: Path
) -> None:
    for kind in ("evaluate", "plans"):
        shutil.copytree(runs / kind, tmp_path / "runs" / kind)
    answer = audiobench("report", finished[0], "--runs", tmp_path / "runs", "--selection", "inner")
    assert answer.status == 0, answer.err
    page = (tmp_path / "runs" / "reports" / "tiny.html").read_text()
    assert "Not drawn, because its embeddings or its pack are not at hand" in page
    assert "accuracy (inner)" in page
    assert "Loss of pretraining" not in page


def test_mistakes_are_answered(finished: tuple[Path, Path], runs: Path, audiobench: Call, tmp_path: Path) -> None:
    answer = audiobench("report", finished[0], "--runs", runs, "--map", "moko")
    assert (answer.status, "did you mean moco?" in answer.err) == (2, True)
    answer = audiobench("report", finished[0], "--runs", tmp_path)
    assert (answer.status, "was run here" in answer.err) == (2, True)
