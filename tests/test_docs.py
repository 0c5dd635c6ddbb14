"""What the documents show, run. ``tests/pages.py`` says how."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.suite.resolve import load_suite
from tests.conftest import Answer
from tests.pages import PAGES, ROOT, Block, blocks, fault, remarks, run

DOCS = ROOT / "docs"
FIGURE = r"\d\.\d+ ± \d+\.\d+"
COMPONENTS = sorted(DOCS.glob("adding-*.md"))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).with_suffix("").as_posix().removeprefix("docs/")


def marked(page: Path) -> Any:
    return pytest.param(page, id=name_of(page), marks=[pytest.mark.slow] if "slow" in remarks(page) else [])


RUN = [marked(page) for page in PAGES if any(block.is_run for block in blocks(page))]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    outside = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    assert not re.findall(r"\n\n {4,}[a-z.].*", outside), "commands need a fence"
    faults = [f"{name_of(page)}:{block.line}: {fault(block)}" for block in blocks(page) if fault(block)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("language", "text", "marks", "told"),
    [
        ("bash", "make demo\n", (), "such commands are not run"),
        ("bash", "audiobench run esc50 --devces 8\n", ("not run: needs GPUs",), "No such option"),
        (
            "bash",
            "N=1 \\\n  audiobench data fetsch esc50 | head\n",
            ("not run: as above",),
            "No such command",
        ),
        ("bash", "audiobench --install-completion\n", ("not run: as above",), "fence it as text"),
        ("yaml", "protocols: {knn: {k: [1]}}\n", (), "a part of a suite"),
        ("yaml", "protocols: {knn: {k: [1]}\n", ("not run: as above",), "does not parse"),
        ("python", "audiobench.load('moco'\n", ("not run: as above",), "does not parse"),
        ("sh", "ls\n", (), "the fence is of sh"),
        ("bash", "audiobench leaderboard esc10 --check --output x\n", (), ""),
    ],
)
def test_a_block_that_is_not_honest_is_told(language: str, text: str, marks: tuple[str, ...], told: str) -> None:
    answer = fault(Block(1, language, text, marks))
    assert told in answer
    assert bool(told) == bool(answer)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.file.endswith(".yaml") for b in blocks(page))], ids=name_of
)
def test_suites_that_are_not_run_are_valid(page: Path, tmp_path: Path) -> None:
    (tmp_path / "suites").symlink_to(ROOT / "suites")
    suites = [block for block in blocks(page) if block.file.endswith(".yaml")]
    for block in suites:
        (tmp_path / block.file).write_text(block.text)
    for block in suites:
        if not block.is_run:
            assert load_suite(tmp_path / block.file, None, None).suite.name == Path(block.file).stem


def of_component(page: Path, answers: list[Answer], folder: Path) -> None:
    """From an empty file to a row of a leaderboard."""
    plugin = [block.file for block in blocks(page) if block.file][-2]  # before the suite
    commands = [words for block in blocks(page) if block.language == "bash" for words in block.commands]
    assert ["audiobench", "check", plugin] in [words[:3] for words in commands]
    assert re.search(FIGURE, answers[-1].out)
    assert Path(plugin).stem in answers[-1].out


def of_bringing(page: Path, answers: list[Answer], folder: Path) -> None:
    """A net that is brought in two ways has two equal rows."""
    rows = rows_of(answers[-1:])
    assert rows["exported"] == rows["class"]
    assert len(rows["class"]) == 2


def of_exporting(page: Path, answers: list[Answer], folder: Path) -> None:
    """The figures of a checkpoint and of graphs are those of the entry; a tuned model is another one."""
    rows = rows_of(answers)
    assert rows["published"] == rows["moco"]
    assert rows["pt2"] == rows["onnx"] == rows["hear"] == rows["moco"]
    z_D, tuned_D = np.load("vectors.npy")[0], np.load("tuned.npy")[0]
    assert z_D.shape == tuned_D.shape
    assert not np.array_equal(z_D, tuned_D)


def of_python(page: Path, answers: list[Answer], folder: Path) -> None:
    """Vectors are those of two files."""
    assert len(pd.read_parquet("vectors.parquet")) == len(np.load("vectors.npy")) == 2
    assert "recordings/dog.flac" in Path("vectors.paths.csv").read_text()


def of_two_machines(page: Path, answers: list[Answer], folder: Path) -> None:
    """Both folders' entries are in the one table."""
    assert set(rows_of(answers[-1:])) == {"wide", "random"}
    assert "wide" not in rows_of(answers[1:2])


def of_interrupted(page: Path, answers: list[Answer], folder: Path) -> None:
    """The second run does what is left, and the third nothing."""
    assert "pretrain moco" in answers[2].err
    assert "pretrain moco" not in answers[3].err
    assert answers[2].out == answers[3].out


def rows_of(answers: list[Answer]) -> dict[str, list[str]]:
    told = [line for answer in answers for line in answer.out.splitlines() if re.search(FIGURE, line)]
    return {line.strip("|").split()[0]: re.findall(FIGURE, line) for line in told}


FURTHER: dict[str, Callable[[Path, list[Answer], Path], None]] = {
    **{name_of(page): of_component for page in COMPONENTS},
    "bringing-a-model": of_bringing,
    "exporting": of_exporting,
    "python": of_python,
    "how-to/two-machines": of_two_machines,
    "how-to/interrupted-run": of_interrupted,
}


@pytest.mark.parametrize("page", RUN)
def test_a_page_runs(
    page: Path, audiobench: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, _ = run(page, tmp_path, audiobench, monkeypatch)
    if name_of(page) in FURTHER:
        FURTHER[name_of(page)](page, answers, tmp_path)


def test_a_method_takes_under_40_lines() -> None:
    files = [block for block in blocks(DOCS / "adding-a-method.md") if block.file]
    assert [block.file for block in files] == ["agree.py", "mine.yaml"]
    assert sum(1 for block in files for line in block.text.splitlines()[1:] if line.strip()) < 40


def test_every_link_within_the_documents_leads_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\(([^)#:]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_contributors_find_every_page_of_components() -> None:
    for page in COMPONENTS:
        assert f"(docs/{page.name})" in (ROOT / "CONTRIBUTING.md").read_text(), page.name
        assert f"({page.name})" in (DOCS / "components.md").read_text(), page.name


def board_of_records(audiobench: Callable[..., Answer], suite: str, *arguments: str) -> str:
    return audiobench("leaderboard", suite, "--scale", "cpu", "--runs", ROOT / "leaderboard/records", *arguments).out


@pytest.mark.slow
def test_the_models_of_others_have_the_figures_that_the_records_give(audiobench: Callable[..., Answer]) -> None:
    board = json.loads(board_of_records(audiobench, "pretrained", "--format", "json"))
    readme = (ROOT / "README.md").read_text()
    header, _, *rows = next(part for part in readme.split("\n\n") if part.startswith("| frozen ")).splitlines()
    shown: dict[tuple[str, str], str] = {}
    for row in rows:
        entry, *figures = (cell.strip() for cell in row.strip("|").split("|"))
        shown |= {(entry, task.strip()): figure for task, figure in zip(header.split("|")[2:-1], figures, strict=True)}
    told = {}
    for cell in board["cells"]:
        figure = f"{cell['mean']:.3f}"
        told[cell["entry"], cell["task"], cell["protocol"]] = f"**{figure}**" if cell["rank"]["first"] == 1 else figure
    assert shown == {(entry, task): figure for (entry, task, protocol), figure in told.items() if protocol == "freeze"}


def test_the_leaderboard_is_the_one_that_the_records_give(audiobench: Callable[..., Answer]) -> None:
    given = board_of_records(audiobench, "esc10")
    assert given == (ROOT / "leaderboard" / "esc10.cpu.md").read_text()
    table, _, rest = given.split("## esc10\n\n")[1].partition("\n\n")
    shown = (DOCS / "results.md").read_text()
    assert table in shown
    assert rest[rest.index("- Accuracy") :] in shown


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Cell by cell, in this process: a kernel would be another dependency, and knows no more."""
    import matplotlib

    matplotlib.use("agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "tutorial"}
    cells = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    for i, cell in enumerate(cells):
        assert not cell.get("outputs"), "outputs are not committed: they would go stale"
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"tutorial.ipynb, cell {i}", "exec"), names)
    assert set(names["board"]["entry"]) == {"simclr", "wide", "random"}
    assert names["board"]["low"].notna().all()
    assert names["z"].shape == (1, names["net"].embedding_dim)
    assert "pretrain simclr on sounds" in capsys.readouterr().out  # as the records tell it
