"""What the tests of commands share: one finished run."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TINY

COMMAND = [sys.executable, "-m", "audiobench"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tiny suite, run once: its file and its records, which no test may change."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(TINY)
    done = subprocess.run(
        [*COMMAND, "run", folder / "tiny.yaml", "--runs", folder / "runs"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Tiny · sounds" in done.stdout
    assert "pretrain moco on sounds: loss" in done.stderr
    return folder / "tiny.yaml", folder / "runs"
