"""What the tests of executors share: a suite whose pretrainings can be made slow, and its figures in one process."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audiobench.conftest import COMMAND
from tests.conftest import TINY

PLUGIN = '''
"""Changes nothing, and takes its time if the environment says so."""

import os
import time

from audiobench import Augmentation


class Paused(Augmentation):
    """Waits."""

    domain = "waveform"
    source = "ours"

    def apply_batch(self, x):
        time.sleep(float(os.environ.get("TEST_PAUSE_S", 0)))
        return x
'''
SUITE = (
    TINY.replace("augment: [", "plugins: [paused.py]\naugment: [paused, ")
    .replace("epochs: 2,", "epochs: 16,", 1)
    .replace("protocols: [freeze, knn]", "protocols: [knn]")
    .replace("  freeze: {epochs: 3}\n  knn", "  knn")
    .replace("  finetune: {epochs: 1, batch_size: 32}\n", "")
)


def write_suite(folder: Path) -> Path:
    (folder / "paused.py").write_text(PLUGIN)
    (folder / "tiny.yaml").write_text(SUITE)
    return folder / "tiny.yaml"


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of the suite, made by the local executor."""
    folder = tmp_path_factory.mktemp("reference")
    done = subprocess.run(
        [*COMMAND, "run", write_suite(folder), "--runs", folder / "runs"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "runs"


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a run of the suite whose pretrainings take a while; its records are in ``runs``."""
    suite = write_suite(tmp_path)

    def call(*options: str, pause_s: float) -> "subprocess.Popen[str]":
        command = [*COMMAND, "run", suite.name, "--runs", "runs", *options]
        environment = {**os.environ, "TEST_PAUSE_S": str(pause_s)}
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return call
