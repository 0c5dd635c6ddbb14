"""What the documents show, run."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Answer

PAGE = (Path(__file__).parent.parent / "docs" / "adding-a-method.md").read_text()


def test_a_method_goes_from_an_empty_file_to_its_row_in_under_40_lines(
    audiobench: Callable[..., Answer], tmp_path: Path
) -> None:
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in blocks] == ["agree.py", "mine.yaml"]
    assert sum(1 for _, text in blocks for line in text.splitlines() if line.strip()) < 40
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    (command,) = re.findall(r"^    audiobench (\S+) (\S+)", PAGE, re.MULTILINE)
    answer = audiobench(command[0], tmp_path / command[1], "--runs", tmp_path / "runs")
    assert answer.status == 0, answer.err
    row = next(line for line in answer.out.splitlines() if line.strip(" │|").startswith("agree"))
    assert re.search(r"0\.\d{3} ± 0\.\d{3}", row)


def test_the_results_are_those_of_the_committed_leaderboard() -> None:
    root = Path(__file__).parent.parent
    _, table = (root / "leaderboard" / "methods.cpu.md").read_text().split("\n", 1)
    assert table.strip() in (root / "docs" / "results.md").read_text()
