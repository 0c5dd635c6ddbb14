"""What the documents show, run."""

import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Answer

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("adding-*.md"))
FIGURE = r"\d\.\d+ ± \d+\.\d+"


def blocks(page: Path) -> list[tuple[str, str]]:
    """Name and text of every file that a page shows."""
    return re.findall(r"```\w+\n# (\S+)\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_goes_from_an_empty_file_to_a_row_of_a_leaderboard(
    page: Path, audiobench: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = blocks(page)
    for name, text in files:
        (tmp_path / name).write_text(text)
    entry = Path(files[-2][0]).stem  # of the plugin, which stands before the suite
    commands = [line.split() for line in re.findall(r"^    ((?:audiobench|python) [^#\n]*)", page.read_text(), re.M)]
    assert ["audiobench", "check", f"{entry}.py"] in [command[:3] for command in commands]
    for program, *arguments in commands:
        if program == "python":
            runpy.run_path(str(tmp_path / arguments[0]))
            continue
        answer = audiobench(*arguments)
        assert answer.status == 0, answer.out + answer.err
    assert re.search(FIGURE, answer.out)
    assert entry in answer.out


def test_a_method_takes_under_40_lines() -> None:
    files = blocks(ROOT / "docs" / "adding-a-method.md")
    assert [name for name, _ in files] == ["agree.py", "mine.yaml"]
    assert sum(1 for _, text in files for line in text.splitlines() if line.strip()) < 40


def test_every_link_within_the_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_page_is_linked_from_the_readme_and_for_contributors() -> None:
    for page in PAGES:
        for of in ("README.md", "CONTRIBUTING.md"):
            assert f"(docs/{page.name})" in (ROOT / of).read_text(), f"{of}: {page.name}"


def test_a_net_is_brought_in_two_ways_to_equal_rows(
    audiobench: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs" / "bringing-a-model.md"
    monkeypatch.chdir(tmp_path)
    for name, text in blocks(page):
        (tmp_path / name).write_text(text)
    for line in re.findall(r"^    ((?:audiobench|python) [^#\n]*)", page.read_text(), re.M):
        program, *arguments = shlex.split(line)
        if program == "python":
            subprocess.run([sys.executable, *arguments], check=True, cwd=tmp_path)
            continue
        answer = audiobench(*arguments)
        assert answer.status == 0, answer.out + answer.err
    rows = {line.split()[0]: re.findall(FIGURE, line) for line in answer.out.splitlines() if re.search(FIGURE, line)}
    assert rows["exported"] == rows["class"]
    assert len(rows["class"]) == 2
    sys.modules.pop("net")


@pytest.mark.slow
def test_a_model_is_exported_used_and_tuned(
    audiobench: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("transformers", "onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    page = ROOT / "docs" / "exporting.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    for name, text in blocks(page):
        (tmp_path / name).write_text(text)
    lines = re.findall(r"^    ((?:audiobench|python) [^#\n]*)", page.read_text(), re.M)
    rows: dict[str, list[str]] = {}
    for program, *arguments in [shlex.split(line) for line in lines if "ENTRY" not in line]:
        if program == "python":
            runpy.run_path(str(tmp_path / arguments[0]))
            continue
        answer = audiobench(*arguments)
        assert answer.status == 0, answer.out + answer.err
        told = [line for line in answer.out.splitlines() if re.search(FIGURE, line)]
        rows |= {line.split()[0]: re.findall(FIGURE, line) for line in told}
    assert rows["published"] == rows["moco"]  # the figures of the checkpoint are those of the entry
    assert rows["pt2"] == rows["onnx"] == rows["hear"] == rows["moco"]
    z_D, tuned_D = np.load("vectors.npy")[0], np.load("tuned.npy")[0]
    assert z_D.shape == tuned_D.shape
    assert not np.array_equal(z_D, tuned_D)


@pytest.mark.parametrize("page", ["bringing-a-model", "exporting"])
def test_a_page_is_linked_from_the_readme(page: str) -> None:
    assert f"(docs/{page}.md)" in (ROOT / "README.md").read_text()
