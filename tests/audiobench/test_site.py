"""A static site of finished suites: whole, portable, and made anew only where something changed."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.store.files import write_text
from leaderboard.site.folder import short_names
from tests.audiobench.conftest import COMMAND
from tests.conftest import Answer

Call = Callable[..., Answer]


SMALL = "folder/small"  # a suite of one cell: its page is made in a second


@pytest.fixture(scope="module")
def made(finished: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Records of evaluations and plans alone, as the repository has them, and the site of two suites."""
    folder = tmp_path_factory.mktemp("site")
    for kind in ("evaluate", "plans"):
        shutil.copytree(finished[1] / kind, folder / "runs" / kind)
    add_small(folder / "runs")
    site = folder / "site"
    site.mkdir()
    (site / "CNAME").write_text("boards.example.org")
    done = subprocess.run(
        [*COMMAND, "site", site, "--runs", folder / "runs"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"page: {SMALL}\npage: tiny\nsite: {site / 'index.html'} (2 made, 0 unchanged)\n"
    return folder / "runs", site


@pytest.fixture
def runs(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "runs"))


@pytest.fixture
def site(made: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[1], tmp_path / "site"))


def add_small(runs: Path) -> Path:
    """A suite of one cell of the first suite, as an older version stored its plan. Returns the cell's record."""
    (plan,) = (runs / "plans").glob("tiny*.json")
    stored = json.loads(plan.read_text())["plan"]
    row = next(row for row in stored["rows"] if (row["entry"], row["protocol"]) == ("random", "knn"))
    content = {"schema": 1, "plan": {**stored, "name": SMALL, "rows": [row]}, "time": 1e9}
    (runs / "plans" / f"{SMALL.replace('/', '%')}.json").write_text(json.dumps(content))
    return runs / "evaluate" / str(row["key"])


def addresses(page: Path) -> list[str]:
    found = re.findall(r'(?:href|src)="([^"]*)"', page.read_text())
    return [address for address in found if not address.startswith(("#", "data:"))]


def state_of(site: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in site.rglob("*") if path.is_file())
    return {str(path.relative_to(site)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_site_has_an_index_and_for_each_suite_a_report_and_its_table(
    made: tuple[Path, Path], audiobench: Call
) -> None:
    runs, site = made
    assert set(state_of(site)) == {"CNAME", "index.html", "site.json"} | {
        f"suites/{name}.{form}" for name in ("tiny", "folder-small") for form in ("html", "md", "csv")
    }
    index = site / "index.html"
    text = index.read_text()
    for shown in ("Tiny", "moco, npid, random", "7 of 7 cells", "1 of 1 cells", "2001-09-09", "sounds, knn", "threads"):
        assert shown in text
    assert (site / "suites" / "tiny.md").read_text() == audiobench("leaderboard", "tiny", "--runs", runs).out
    csv = audiobench("leaderboard", "tiny", "--runs", runs, "--format", "csv").out
    assert (site / "suites" / "tiny.csv").read_text() == csv
    assert len(addresses(index)) == 6
    assert addresses(site / "suites" / "tiny.html") == ["../index.html"]
    for page in site.rglob("*.html"):
        assert all((page.parent / address).is_file() for address in addresses(page))


def test_what_has_not_changed_is_not_made_again(site: Path, runs: Path, audiobench: Call) -> None:
    before = state_of(site)
    for path in runs.rglob("result.json"):
        path.touch()
    answer = audiobench("site", site, "--runs", runs)
    assert answer.out == f"site: {site / 'index.html'} (0 made, 2 unchanged)\n", answer.err
    assert state_of(site) == before
    (site / "suites" / "folder-small.csv").write_text("edited")
    assert f"page: {SMALL}\nsite" in audiobench("site", site, "--runs", runs).out
    assert {name: text for name, (text, _) in state_of(site).items()} == {n: text for n, (text, _) in before.items()}


def test_another_record_makes_the_page_anew(site: Path, runs: Path, audiobench: Call) -> None:
    record = add_small(runs)
    (record / "predictions.parquet").write_bytes(b"nothing")
    answer = audiobench("site", site, SMALL, "--runs", runs)
    assert "(1 made, 0 unchanged)" in answer.out
    assert record.name in answer.err
    assert "0 of 1 cells" in (site / "index.html").read_text()
    shutil.rmtree(record)
    assert "(1 made, 0 unchanged)" in audiobench("site", site, SMALL, "--runs", runs).out


def test_a_file_of_somebody_else_is_never_replaced(runs: Path, audiobench: Call, tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "suites").mkdir(parents=True)
    (site / "suites" / "tiny.md").write_text("mine")
    answer = audiobench("site", site, "--runs", runs)
    assert answer.status == 2
    assert f"no site wrote has the name of one of the site's\n  where: {site / 'suites' / 'tiny.md'}" in answer.err
    assert set(state_of(site)) == {"suites/tiny.md"}


def test_a_suite_that_is_no_longer_named_leaves_the_site(site: Path, runs: Path, audiobench: Call) -> None:
    note = site / "suites" / "folder-small.md"
    note.write_text("annotated")
    answer = audiobench("site", site, "tiny", "--runs", runs)
    assert f"{note}: was changed by somebody" in answer.err
    assert "(0 made, 1 unchanged)" in answer.out
    assert set(state_of(site)) == {"CNAME", "index.html", "site.json", "suites/folder-small.md"} | {
        f"suites/tiny.{form}" for form in ("html", "md", "csv")
    }
    assert SMALL not in (site / "index.html").read_text()


def test_a_site_that_was_interrupted_is_completed(
    runs: Path, audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        if path.suffix == ".md":
            raise OSError(28, "No space left on device", str(path))
        write_text(path, text)

    site = tmp_path / "site"
    with monkeypatch.context() as disk:
        disk.setattr("leaderboard.site.folder.write_text", full)
        assert audiobench("site", site, SMALL, "--runs", runs).status == 2
    assert not (site / "index.html").exists()
    answer = audiobench("site", site, SMALL, "--runs", runs)
    assert "(1 made, 0 unchanged)" in answer.out, answer.err


def test_a_page_that_another_version_remembers_otherwise_is_made_anew(site: Path, runs: Path, audiobench: Call) -> None:
    state = json.loads((site / "site.json").read_text())
    state["pages"][SMALL] = {"of": "another version"}
    (site / "site.json").write_text(json.dumps(state))
    answer = audiobench("site", site, SMALL, "--runs", runs)
    assert "(1 made, 0 unchanged)" in answer.out, answer.err


def test_a_state_that_leads_out_of_the_folder_is_refused(site: Path, runs: Path, audiobench: Call) -> None:
    victim = site.parent / "victim.md"
    victim.write_text("")
    state = json.loads((site / "site.json").read_text())
    state["files"]["suites/../../victim.md"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (site / "site.json").write_text(json.dumps(state))
    answer = audiobench("site", site, "--runs", runs)
    assert (answer.status, "not the state of a site" in answer.err, victim.exists()) == (2, True, True)


@pytest.mark.slow
def test_a_site_has_no_sound_and_no_path_of_this_disk(
    finished: tuple[Path, Path], audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Path(shutil.copytree(finished[1], tmp_path / "runs"))  # with embeddings: pages have maps
    add_small(runs)
    monkeypatch.setenv("AUDIOBENCH_DATA", str(tmp_path))
    assert audiobench("site", tmp_path / "site", SMALL, "--runs", runs).status == 0
    texts = [path.read_text() for path in (tmp_path / "site").rglob("*") if path.is_file()]
    links = [link for text in texts for found in re.findall(r'"audio":\[(.*?)\]', text) for link in found.split(",")]
    assert len(links) > 10  # a map is there
    assert set(links) == {'""'}
    assert not [private for private in (tmp_path, finished[0].parent) if any(str(private) in text for text in texts)]


def test_names_that_one_disk_would_take_for_one_get_files_of_their_own() -> None:
    names = ["a/b", "A-B", "plain@cpu", "../../etc", "...", "index"]
    short = short_names(names)
    assert short["plain@cpu"] == "plain@cpu"
    assert short["../../etc"] == "etc"
    assert len({name.lower() for name in short.values()}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.@_-]*", name) for name in short.values())
