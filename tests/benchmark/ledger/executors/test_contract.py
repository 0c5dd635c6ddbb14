"""How any executor is given jobs, and what is made of its answers."""

import builtins
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.ledger.execute import run_jobs
from benchmark.ledger.executors import Executor, Options, find_executor, parameters
from benchmark.ledger.executors.slurm import Slurm
from benchmark.ledger.forecast import keep
from benchmark.ledger.request import Request
from benchmark.ledger.schedule import Ending
from benchmark.ledger.work import Became, Work
from benchmark.progress import Progress
from benchmark.store.job import AnyJob, Environment, Forecast
from benchmark.store.store import Store
from benchmark.tally import Counts, Tally
from registry.errors import Interrupted, Mistake
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]


class Pretending(Executor):
    """Does nothing, says what it is told to say, and notes which jobs it was given together."""

    def __init__(
        self, work: Work, jobs: Sequence[AnyJob], says: Callable[[AnyJob], Became], at_once: int = 500
    ) -> None:
        super().__init__(work, jobs, Options(at_once=at_once), Progress())
        self.says, self.given, self.closed = says, list[list[str]](), False

    def take(self, jobs: Sequence[AnyJob]) -> None:
        self.given.append([job.title for job in jobs])
        self.taken = list(jobs)

    def ended(self) -> Iterable[tuple[AnyJob, Became]]:
        taken, self.taken = self.taken, []
        return [(job, self.says(job)) for job in taken]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def work(tiny: Path, tmp_path: Path) -> Work:
    tiny.write_text(TINY.replace("  finetune: {epochs: 1, batch_size: 32}\n", ""))
    request = Request(tiny, None, None)
    store = Store(tmp_path / "runs")
    return Work(request, request.plan(store), store)


def run(
    work: Work,
    says: Callable[[AnyJob], Became],
    at_once: int = 500,
    watch: Callable[[Tally], None] = lambda tally: None,
) -> tuple[Ending, Pretending]:
    jobs = list(work.plan.jobs.values())
    executor = Pretending(work, jobs, says, at_once)
    return run_jobs(jobs, executor, watch), executor


@pytest.mark.parametrize(("number", "cancelled"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_jobs_in_slurm_are_cancelled_by_ctrl_c_alone(
    number: int, cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[list[str]]()
    monkeypatch.setattr(subprocess, "run", lambda command, check: asked.append(command))
    slurm = Slurm.__new__(Slurm)
    vars(slurm).update(submitted={"7": None}, progress=Progress())
    with pytest.raises(Interrupted):  # noqa: PT012
        try:
            raise Interrupted(number)
        finally:
            slurm.close()
    assert asked == [["scancel", "7"]] * cancelled


def test_jobs_are_given_together_when_what_they_need_is_done(work: Work) -> None:
    ending, executor = run(work, lambda job: Became("done", ""))
    assert [sorted(titles) for titles in executor.given] == [
        ["pack sounds"],
        ["embed sounds with random", "pretrain moco on sounds", "pretrain npid on sounds"],
        ["embed sounds with moco", "embed sounds with npid", "freeze random on sounds", "knn random on sounds"],
        ["freeze moco on sounds", "freeze npid on sounds", "knn moco on sounds", "knn npid on sounds"],
    ]
    assert (ending.done, ending.failed, ending.skipped) == (12, {}, [])
    assert executor.closed


def test_an_executor_never_has_more_jobs_than_it_may(work: Work) -> None:
    ending, executor = run(work, lambda job: Became("done", ""), at_once=1)
    assert [len(titles) for titles in executor.given] == [1] * 12
    assert [titles[0] for titles in executor.given] == [job.title for job in work.plan.jobs.values()]
    assert ending.done == 12


def test_what_needs_a_failed_job_is_skipped_and_the_rest_goes_on(work: Work) -> None:
    ending, _ = run(work, lambda job: Became("failed" if job.title.startswith("pretrain moco") else "done", "why"))
    assert ending.failed == {"pretrain moco on sounds": "why"}
    assert ending.skipped == ["embed sounds with moco", "freeze moco on sounds", "knn moco on sounds"]
    assert ending.done == 8


def test_whoever_watches_is_told_how_the_jobs_stand_with_any_executor(work: Work) -> None:
    told: list[Tally] = []
    run(work, lambda job: Became("failed" if job.title.startswith("pretrain moco") else "done", "why"), 2, told.append)
    assert [of.all for of in told[0].kinds.values()] == [1, 2, 3, 6]
    assert (told[0].all.running, told[0].all.to_come) == (1, 11)
    assert max(tally.all.running for tally in told) == 2
    assert {tally.all.all for tally in told} == {12}
    assert told[-1].kinds["evaluate"] == Counts(done=4, failed=2)
    assert told[-1].all == Counts(done=8, failed=4)
    titles = {running.title for tally in told for running in tally.running.values()}
    skipped = {"embed sounds with moco", "freeze moco on sounds", "knn moco on sounds"}
    assert titles == {job.title for job in work.plan.jobs.values()} - skipped


def test_forecasts_tell_what_is_left_and_only_those_of_this_machine_where_it_does_all(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Forecast(seconds=10.0, cpu_seconds=10.0, peak_memory={}, disk=0)
    here = Environment(versions={}, device="a", device_type="cpu", precision="fp32", threads=1, commit=None)
    for job in work.plan.jobs.values():
        keep(work.store, job, said, here)
    told: list[Tally] = []
    for environment in (None, here, here.model_copy(update={"device": "b"})):
        monkeypatch.setattr(Pretending, "environment", lambda self, given=environment: given)
        run(work, lambda job: Became("failed", ""), 1, told.append)
        first = told[0]
        told.clear()
        known = environment is None or environment == here
        assert (first.expected, first.by, first.unknown) == ((110.0, "forecasts", 0) if known else (0.0, "", 11))


def test_an_interrupted_job_runs_again_while_it_leaves_new_checkpoints(work: Work) -> None:
    times = 0

    def says(job: AnyJob) -> Became:
        nonlocal times
        if not job.title.startswith("pretrain moco") or times == 10:
            return Became("done", "")
        times += 1
        checkpoint = work.store.checkpoint(job)
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.write_text(str(times))
        os.utime(checkpoint, (times, times))
        return Became("interrupted", "its time was over")

    ending, _ = run(work, says)
    assert (times, ending.done, ending.failed) == (10, 12, {})


def test_an_interrupted_job_that_gets_nowhere_fails_in_the_end(work: Work) -> None:
    ending, executor = run(work, lambda job: Became("interrupted" if job.kind == "pack" else "done", "its node failed"))
    assert executor.given == [["pack sounds"]] * 4
    assert ending.failed == {"pack sounds": "its node failed, 4 times in a row without a new checkpoint"}
    assert len(ending.skipped) == 11


def test_an_executor_is_closed_whatever_happens(work: Work) -> None:
    def says(job: AnyJob) -> Became:
        raise KeyboardInterrupt

    jobs = list(work.plan.jobs.values())
    executor = Pretending(work, jobs, says, at_once=500)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, executor)
    assert executor.closed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options("lokal"), "no executor is called 'lokal'"),
        (Options("local", at_once=2), "the executor local has no --at-once"),
        (Options("local", address="here"), "the executor local has no --address"),
        (Options("slurm", address="here"), "the executor slurm has no --address"),
        (Options("ray", slurm={"time": "60"}), "the executor ray has no --slurm"),
        (Options("ray", at_once=0), "--at-once is 0"),
    ],
)
def test_an_option_of_another_executor_is_refused(options: Options, told: str) -> None:
    with pytest.raises(Mistake, match=told):
        find_executor(options)


def test_parameters_of_sbatch_have_names() -> None:
    assert parameters(["time=60", "pretrain.gres=gpu:a=1", "exclusive"]) == {
        "time": "60",
        "pretrain.gres": "gpu:a=1",
        "exclusive": "",
    }
    with pytest.raises(Mistake, match="'=60' has no name"):
        parameters(["=60"])


@pytest.mark.parametrize(("executor", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_an_executor_whose_package_is_missing_names_the_extra(
    executor: str, package: str, tiny: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    answer = audiobench("run", tiny, "--runs", tiny.parent / "runs", "--executor", executor)
    assert answer.status == 2
    assert f"pip install 'audiobench[{executor}]'" in answer.err


def test_ray_and_slurm_choose_the_gpu(work: Work) -> None:
    pytest.importorskip("ray")
    for name in ("ray", "slurm"):
        with pytest.raises(Mistake, match="chooses the GPU of each job, and --device is cuda:1"):
            find_executor(Options(name))(replace(work, device="cuda:1"), [], Options(name), Progress())
