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


def test_every_link_within_the_documents_leads_somewhere() -> None:
    root = Path(__file__).parent.parent
    for page in [root / "README.md", *(root / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
