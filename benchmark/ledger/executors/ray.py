"""Does jobs as tasks of Ray: on all devices of this machine, or of a cluster."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any

from benchmark.ledger.executors import Executor, Options
from benchmark.ledger.executors._process import do_in_process, require_any_gpu
from benchmark.ledger.work import Became, Work
from benchmark.progress import Progress
from benchmark.store.files import write_text
from benchmark.store.job import AnyJob
from benchmark.suite.document import SHIPPED
from registry.errors import Mistake

# Shares of a GPU, and cores. Four embeddings or evaluations fit on a GPU beside each other.
NEEDS = {"pack": (0.0, 4), "measure": (0.0, 1), "pretrain": (1.0, 4), "embed": (0.25, 1), "evaluate": (0.25, 1)}
_WAIT_SECONDS = 1.0
_ANSWER_SECONDS = 30.0
_STOP_SECONDS = 25.0


class Ray(Executor):
    """Starts a Ray on this machine, or connects to a cluster, and gives each job a task when it is ready."""

    heeds = frozenset({"at_once", "address"})

    def __init__(self, work: Work, jobs: Sequence[AnyJob], options: Options, progress: Progress) -> None:
        super().__init__(work, jobs, options, progress)
        require_any_gpu(work, "Ray")
        try:
            import ray
        except ImportError:
            raise Mistake("the executor ray needs Ray", fix="pip install 'audiobench[ray]'") from None
        self.ray = ray
        self.tasks: dict[Any, AnyJob] = {}  # by Ray's reference
        _connect(ray, options.address)
        try:
            self.nodes = [node for node in ray.nodes() if node["Alive"]]
            self._require_shared()
            self.cores, gpus = self._most("CPU"), self._most("GPU") if work.device != "cpu" else 0
            self._require_gpus(gpus, max(work.devices_of(job) for job in jobs))
            self.on_gpus = gpus > 0
        except BaseException:
            ray.shutdown()
            raise

    def take(self, jobs: Sequence[AnyJob]) -> None:
        environment = {name: os.environ[name] for name in ("OMP_NUM_THREADS",) if name in os.environ}
        for job in jobs:
            gpu, cores = (need * self.work.devices_of(job) for need in NEEDS[job.kind])
            task = self.ray.remote(do_in_process).options(
                name=job.title,
                num_cpus=min(cores, self.cores),
                num_gpus=gpu if self.on_gpus else 0,
                max_retries=0,  # an interrupted job is given again from here, so that it is told
            )
            self.tasks[task.remote(self.work.arguments(job), str(Path.cwd()), environment)] = job

    def ended(self) -> Iterator[tuple[AnyJob, Became]]:
        over, _ = self.ray.wait(list(self.tasks), num_returns=1, timeout=_WAIT_SECONDS)
        for task in over:
            job = self.tasks.pop(task)
            yield job, self._became(task, job)

    def close(self) -> None:
        for task in self.tasks:
            self.ray.cancel(task)
        if self.tasks:
            self.progress.say(f"{len(self.tasks)} jobs are cancelled in Ray; the same command goes on from here")
            self.ray.wait(list(self.tasks), num_returns=len(self.tasks), timeout=_STOP_SECONDS)
        self.ray.shutdown()

    def _became(self, task: Any, job: AnyJob) -> Became:
        from ray.exceptions import RayError, RayTaskError

        try:
            became: Became = self.ray.get(task)
        except RayTaskError as error:
            return Became("failed", f"the node cannot do jobs: {_last_line(str(error))}")
        except RayError as error:
            return Became("interrupted", f"lost ({type(error).__name__})")
        return became

    def _most(self, resource: str) -> int:
        """How much of a resource the best node has."""
        return int(max(node["Resources"].get(resource, 0) for node in self.nodes))

    def _require_gpus(self, most: int, devices: int) -> None:
        """Refuses jobs that would wait forever, since no node has so many GPUs; most is what the best one has."""
        if self.work.device == "cuda" and not most:
            raise Mistake("no node of the Ray cluster has a GPU", fix="use --device cpu")
        if 0 < most < devices:
            what = (
                f"a pretraining needs {devices} GPUs of one node, and no node of the Ray cluster has more than {most}"
            )
            raise Mistake(what, fix=f"use --devices {most}")

    def _require_shared(self) -> None:
        """Refuses a cluster in which a node does not see the store, the suite, the data or the plugins."""
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        request, store = self.work.request, self.work.store.root
        sign = store.absolute() / ".partial" / f"sign.{token_hex(8)}"
        paths = [sign, Path.cwd(), *request.plugin_files(), *map(Path, self.work.plan.files.values())]
        paths += [] if request.suite.is_relative_to(SHIPPED) else [request.suite]
        paths += [request.data] if request.data else []
        write_text(sign, "")
        try:
            asked = [
                self.ray.remote(missing)
                .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
                .remote([str(path.absolute()) for path in paths])
                for node in self.nodes
            ]
            for node, task in zip(self.nodes, asked, strict=True):
                name = node["NodeManagerHostname"]
                try:
                    lacks = self.ray.get(task, timeout=_ANSWER_SECONDS)
                except RayError as error:
                    raise Mistake(
                        f"node {name} cannot do jobs: {_last_line(str(error))}",
                        fix="install this audiobench, and what it needs, in the Python of Ray on every node",
                    ) from None
                if str(sign) in lacks:
                    raise Mistake(f"node {name} does not see the store {store}", fix="name a shared folder: --runs DIR")
                if lacks:
                    raise Mistake(
                        f"node {name} does not see {lacks[0]}", fix="put it into a folder that all nodes share"
                    )
        finally:
            sign.unlink(missing_ok=True)


def missing(paths: Sequence[str]) -> list[str]:
    """Those of some paths that the machine that calls this does not see."""
    return [path for path in paths if not Path(path).exists()]


def _connect(ray: Any, address: str | None) -> None:
    """Connects to the cluster of an address, or starts a Ray on this machine.

    Raises:
        Mistake: if the cluster does not answer in half a minute.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")  # a task without a GPU sees none
    fix = "ray status on its head node tells its address: --address HOST:6379, or ray://HOST:10001 from outside"
    if address and ":" in address and "://" not in address:  # ray.init itself would try for minutes
        command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
        try:
            subprocess.run(  # nosec B603 # a list of arguments, and no shell
                command, capture_output=True, text=True, check=True, timeout=_ANSWER_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise Mistake(f"no Ray cluster answers at {address} within {_ANSWER_SECONDS:.0f} s", fix=fix) from None
        except subprocess.CalledProcessError as error:
            raise Mistake(f"no Ray cluster answers at {address}: {_last_line(error.stderr)}", fix=fix) from None
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise Mistake(f"no Ray cluster answers at {address}: {_last_line(str(error))}", fix=fix) from None


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing"
