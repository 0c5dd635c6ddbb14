"""Does jobs in Slurm, through submitit. A job waits here, not in Slurm, until what it needs is done.

Slurm's own dependencies (``afterok``) would leave jobs behind that can never start once a needed job has failed, and
would be lost when an interrupted job is submitted again under another number.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from benchmark.jobs import KINDS
from benchmark.ledger.executors import Executor, Options
from benchmark.ledger.executors._process import do_in_process, require_any_gpu
from benchmark.ledger.work import Became, Work
from benchmark.progress import Progress
from benchmark.store.job import AnyJob
from registry.errors import Interrupted, Mistake

_LOOK_SECONDS = 1.0  # between looks for results
_ASK_SECONDS = 10.0  # between questions to Slurm
_LATE_SECONDS = 60.0  # after which NFS shows what another machine wrote, as it is usually mounted
_REFUSED_SECONDS = 60.0
_RUNNING = {
    "PENDING",
    "CONFIGURING",
    "RUNNING",
    "COMPLETING",
    "SUSPENDED",
    "STOPPED",
    "RESIZING",
    "REQUEUED",
    "SIGNALING",
}
_OVER = {
    "TIMEOUT": "its time was over",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node did not start",
    "PREEMPTED": "another job needed its place",
    "GONE": "Slurm no longer knows the job",
    "CANCELLED": "cancelled in Slurm",
}


@dataclass
class _Submitted:
    """A job in Slurm.

    Args:
        job: of the plan.
        paths: submitit's, of its result and logs.
        over: when it was first seen to be over, without a result; seconds of a clock.
    """

    job: AnyJob
    paths: Any
    over: float | None = None


class Slurm(Executor):
    """Submits jobs that are ready together as arrays, one for each kind, and reads their results from RUNS/slurm."""

    heeds = frozenset({"at_once", "slurm"})

    def __init__(self, work: Work, jobs: Sequence[AnyJob], options: Options, progress: Progress) -> None:
        super().__init__(work, jobs, options, progress)
        require_any_gpu(work, "Slurm")
        try:
            from submitit import SlurmExecutor
        except ImportError:
            raise Mistake("the executor slurm needs submitit", fix="pip install 'audiobench[slurm]'") from None
        self.parameters = {kind: _of_kind(kind, options.slurm) for kind in dict.fromkeys(job.kind for job in jobs)}
        for kind, parameters in self.parameters.items():
            _try(kind, parameters)
        self.folder = (work.store.root / "slurm" / f"{time.strftime('%Y%m%d-%H%M%S')}.{token_hex(2)}").absolute()
        self.folder.mkdir(parents=True)
        self.executor = SlurmExecutor
        self.submitted: dict[str, _Submitted] = {}  # by Slurm's number
        self.refused: list[tuple[AnyJob, Became]] = []
        self.states: dict[str, str] = {}
        self.asked = 0.0
        self.answers = True
        self.all_well = True

    def take(self, jobs: Sequence[AnyJob]) -> None:
        for kind in dict.fromkeys(job.kind for job in jobs):
            self._submit(kind, [job for job in jobs if job.kind == kind])

    def ended(self) -> Iterator[tuple[AnyJob, Became]]:
        ended, self.refused = self.refused, []
        if not ended:
            time.sleep(_LOOK_SECONDS)
        if time.monotonic() - self.asked > _ASK_SECONDS:
            self._ask()
        list(self.folder.iterdir())  # makes NFS look for new files
        for number, submitted in list(self.submitted.items()):
            became = self._became(number, submitted)
            if became:
                del self.submitted[number]
                ended.append((submitted.job, became))
        for job, became in ended:
            self.all_well &= became.how == "done"
            yield job, became

    def close(self) -> None:
        """Cancels the jobs that are left, unless a signal besides Ctrl-C's ended the command: it did not mean them."""
        stop = sys.exception()
        if self.submitted and isinstance(stop, Interrupted) and stop.number != signal.SIGINT:
            self.progress.say(f"{len(self.submitted)} jobs go on in Slurm; the same command waits for them")
        elif self.submitted:
            subprocess.run(["scancel", *self.submitted], check=False)
            self.progress.say(f"{len(self.submitted)} jobs are cancelled in Slurm; the same command goes on from here")
        elif self.all_well:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):  # other runs have their logs there
                self.folder.parent.rmdir()

    def _submit(self, kind: str, jobs: Sequence[AnyJob]) -> None:
        """Submits jobs of one kind; what Slurm refuses has failed."""
        from submitit.core.utils import FailedJobError

        slurm, parameters = self.executor(folder=self.folder), self.parameters[kind]
        cpus = parameters.get("cpus-per-task")
        slurm.update_parameters(
            job_name=f"audiobench {kind}",
            time=None,  # the partition's
            array_parallelism=len(jobs),
            additional_parameters=parameters,
            srun_args=[f"--cpus-per-task={cpus}"] if cpus else [],  # srun takes it from sbatch no more, since 22.05
        )
        try:
            with slurm.batch():
                made = [slurm.submit(do_in_process, self.work.arguments(job), str(Path.cwd()), {}) for job in jobs]
        except (FailedJobError, subprocess.CalledProcessError) as error:
            self.refused += [
                (job, Became("failed", f"Slurm refuses the job: {_last_line(str(error))}")) for job in jobs
            ]
            return
        self.submitted |= {of.job_id: _Submitted(job, of.paths) for job, of in zip(jobs, made, strict=True)}

    def _ask(self) -> None:
        """Asks Slurm for the states of all jobs of this user; without an answer the last ones stay."""
        self.asked = time.monotonic()
        asked = subprocess.run(
            ["squeue", "--noheader", "--array", "--me", "--states=all", "--format=%i %T"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode:
            if self.answers:
                self.progress.say(f"Slurm does not answer: {_first_line(asked.stderr)}; asking again")
        else:
            told = dict(line.split() for line in asked.stdout.splitlines())
            self.states = {number: told.get(number, "GONE") for number in self.submitted}
        self.answers = asked.returncode == 0

    def _became(self, number: str, submitted: _Submitted) -> Became | None:
        """What became of a job; None if it is not over, or its result may still come."""
        state, result = self.states.get(number, "PENDING"), _result(submitted.paths)
        if result and (result.how != "interrupted" or state not in _RUNNING):
            cancelled = result.how == "interrupted" and state == "CANCELLED"
            result = Became("failed", _OVER[state]) if cancelled else result
            if result.how != "done" or self.work.store.arrived(submitted.job):
                return result
        elif result or state in _RUNNING:
            return None
        now = time.monotonic()
        submitted.over = submitted.over or now
        may_be_late = now - submitted.over < _LATE_SECONDS
        if result is None and state in _OVER and not (state == "GONE" and may_be_late):
            return Became("failed" if state == "CANCELLED" else "interrupted", _OVER[state])
        if may_be_late:
            return None
        if result:
            what = "Slurm did the job, and its result is not here"
        else:
            what = f"Slurm says that the job is {state.lower()}, and it left no result"
        log = submitted.paths.stderr
        fix = "name a folder that all nodes share, --runs DIR; or see why in the log"
        return Became("failed", str(Mistake(f"{what}: {_end_of(log)}", where=str(log), fix=fix)))


def _of_kind(kind: str, given: Mapping[str, str]) -> dict[str, str | bool]:
    """The parameters of ``sbatch`` for jobs of a kind; a name without a value is a flag.

    Jobs are not requeued by Slurm, which waits for minutes before: they are submitted again from here.
    """
    of_all = {name: value for name, value in given.items() if name.split(".")[0] not in KINDS}
    of_kind = {name.partition(".")[2]: value for name, value in given.items() if name.split(".")[0] == kind}
    return {"no-requeue": True, **{name: value or True for name, value in {**of_all, **of_kind}.items()}}


def _try(kind: str, parameters: Mapping[str, str | bool]) -> None:
    """Asks Slurm whether it would take a job, and submits nothing."""
    flags = [f"--{name}" if value is True else f"--{name}={value}" for name, value in parameters.items()]
    command = ["sbatch", "--test-only", *flags, "--wrap=true"]
    try:
        tried = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_REFUSED_SECONDS)
    except FileNotFoundError:
        raise Mistake("there is no Slurm here: sbatch is not found", fix="run on a machine that submits jobs") from None
    except subprocess.TimeoutExpired:
        raise Mistake(f"Slurm does not answer within {_REFUSED_SECONDS:.0f} s", fix="try sinfo") from None
    if tried.returncode:
        given = " ".join(flag for flag in flags if flag != "--no-requeue")
        raise Mistake(
            f"Slurm refuses {kind} jobs: {_first_line(tried.stderr)}",
            where=f"sbatch {given}".strip(),
            fix="correct --slurm NAME=VALUE; sinfo lists the partitions",
        )


def _result(paths: Any) -> Became | None:
    """What the process of a job left, if it came to its end."""
    from submitit.core.utils import pickle_load

    try:
        how, result = pickle_load(paths.result_pickle)
    except FileNotFoundError:
        return None
    if how == "success":
        assert isinstance(result, Became)
        return result
    if "UncompletedJobError" in result:  # a signal came before the job's process had begun
        return Became("interrupted", "interrupted")
    return Became("failed", f"the node cannot do jobs: {_last_line(result)}")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing"


def _end_of(log: Path) -> str:
    try:
        return _last_line(log.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return "there is no log"
