"""The executor ``ray``, on a real Ray of two nodes on this machine."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audiobench.test_check import PLUGIN
from tests.audiobench.test_run import results
from tests.benchmark.ledger.executors.processes import ancestors, calling, having, planned, wait_until

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes as Linux lists them")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without cores, and two nodes with a core each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("TEST_PAUSE_S", "0.05")  # for the jobs: Ray hands the environment of its nodes on
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    yield made
    made.shutdown()


@pytest.mark.slow
@pytest.mark.alone
def test_a_run_goes_on_when_a_node_is_killed(reference: Path, cluster: Any, start: Start, tmp_path: Path) -> None:
    running = start("--executor", "ray", "--address", cluster.address, pause_s=0.05)
    runs = tmp_path / "runs"
    wait_until(lambda: any(runs.glob("plans/*.json")))
    pretrain = planned(runs, "pretrain")
    working = wait_until(lambda: [process for key in pretrain for process in calling("job", key, "runs")])
    raylets = {node.all_processes["raylet"][0].process.pid: node for node in cluster.worker_nodes}
    (killed,) = {raylets[process] for process in ancestors(working[0]) if process in raylets}
    cluster.remove_node(killed, allow_graceful=False)
    _, told = running.communicate(timeout=240)
    assert running.returncode == 0, told
    assert "; it runs again" in told
    assert results(runs) == results(reference)
    assert not calling("job", "--runs", "runs")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide a folder from a node")
@pytest.mark.parametrize(
    ("hidden", "told"),
    [("runs", "does not see the store runs"), ("plugins", "does not see {folder}/plugins/louder.py")],
)
def test_a_node_that_lacks_a_file_is_named_before_any_work(
    hidden: str, told: str, cluster: Any, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("runs", "plugins"):
        (tmp_path / folder).mkdir()
    (tmp_path / "plugins" / "louder.py").write_text(PLUGIN)
    monkeypatch.setenv("TEST_NODE", hidden)
    node = shlex.join(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--address", cluster.address, "--num-cpus=1"]
    )
    hide = f"mount -t tmpfs none {shlex.quote(str(tmp_path / hidden))}"
    try:
        subprocess.run(["unshare", "--mount", "sh", "-c", f"{hide} && {node}"], check=True, capture_output=True)
        monkeypatch.delenv("TEST_NODE")
        running = start("--executor", "ray", "--address", cluster.address, "--plugin", "plugins/louder.py", pause_s=0)
        _, error = running.communicate(timeout=120)
        assert running.returncode == 2, error
        assert told.format(folder=tmp_path) in error
        assert not list((tmp_path / "runs").glob("pack"))
    finally:
        for process in having("TEST_NODE", hidden):
            os.kill(process, signal.SIGKILL)
