"""The executor ``slurm``, on a real Slurm of two nodes on this machine."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.audiobench.test_run import results
from tests.benchmark.ledger.executors.processes import ancestors, calling, having, planned, wait_until
from tests.conftest import SHARED

pytest.importorskip("submitit")
SCRIPT = SHARED / "slurm" / "one-node.sh"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Slurm's folder. It has two nodes, n1 and n2, and misses a dead one after some seconds."""
    if not SCRIPT.is_file():
        pytest.skip(f"no {SCRIPT}, which starts a Slurm")
    if os.geteuid() or not (shutil.which("slurmctld") and shutil.which("munged")):
        pytest.skip("needs root, and Debian's slurm-wlm and munge")
    folder = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        started = subprocess.run(["bash", SCRIPT, "start", folder, "2"], capture_output=True, text=True, check=False)
        try:
            assert started.returncode == 0, started.stdout + started.stderr
            with (folder / "slurm.conf").open("a") as conf:
                conf.write("SlurmdTimeout=5\n")
            ask("scontrol", "reconfigure")
            yield folder
        finally:
            ask("scancel", "--me")
            subprocess.run(["bash", SCRIPT, "stop", folder], check=False)


def ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def running_on(node: str, name: str) -> list[str]:
    """The numbers of the jobs of a name that run on a node."""
    return ask(
        "squeue", "--noheader", "--array", "--states=R", f"--nodelist={node}", f"--name={name}", "--format=%i"
    ).split()


def kill_node(slurm: Path, node: str) -> None:
    """Ends a node as a failure of its power would: its daemon, and all that it runs, at once."""
    daemon = int((slurm / f"slurmd-{node}.pid").read_text())
    of_jobs = having("SLURMD_NODENAME", node)
    for process in {daemon, *of_jobs, *(parent for job in of_jobs for parent in stepds_of(job))}:
        os.kill(process, signal.SIGKILL)


def stepds_of(process: int) -> list[int]:
    """The daemons of a job's steps, among the ancestors of one of its processes."""
    commands = {parent: Path(f"/proc/{parent}/cmdline") for parent in ancestors(process) if parent}
    return [parent for parent, command in commands.items() if b"slurmstepd" in command.read_bytes()]


@pytest.mark.slow
@pytest.mark.alone
def test_a_run_goes_on_when_nodes_fail_and_jobs_are_cancelled(
    reference: Path, slurm: Path, start: Start, tmp_path: Path
) -> None:
    one_core = ("--executor", "slurm", "--slurm", "cpus-per-task=1")  # each node has one, as OMP_NUM_THREADS says
    running = start(*one_core, pause_s=0.1)
    pretrain = "audiobench pretrain"
    (on_first,) = wait_until(lambda: running_on("n1", pretrain))
    wait_until(lambda: running_on("n2", pretrain))
    keys = planned(tmp_path / "runs", "pretrain")
    wait_until(lambda: all(calling("job", key) for key in keys))
    ask("scontrol", "update", "nodename=n1", "state=drain", "reason=test")
    ask("scancel", on_first)
    kill_node(slurm, "n2")
    wait_until(lambda: "n2 down" in ask("sinfo", "--noheader", "--Node", "--format=%N %T").replace("*", ""))
    assert not running_on("n1", pretrain), "a drained node took a job"
    ask("scontrol", "update", "nodename=n1", "state=resume")
    _, told = running.communicate(timeout=240)
    assert running.returncode == 1, told
    assert "its node failed; it runs again" in told
    assert "failed: cancelled in Slurm" in told
    assert "1 of 9 jobs failed" in told

    subprocess.run(["slurmd", "-N", "n2"], check=True)
    short = ("--slurm", "pretrain.time=1", "--slurm", "pretrain.signal=USR2@55")
    again = start(*one_core, *short, pause_s=0.12)
    _, told = again.communicate(timeout=300)
    assert again.returncode == 0, told
    assert ": interrupted; it runs again" in told
    assert results(tmp_path / "runs") == results(reference)
    assert (tmp_path / "runs" / "slurm").exists()  # the logs of the first run stay, for what failed in it
