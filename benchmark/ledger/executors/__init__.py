"""Executors: who does the jobs of a plan, and where. Each is a file in this folder, found by its name."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.ledger.work import Became, Work
from benchmark.progress import Progress
from benchmark.store.job import AnyJob, Environment
from registry.errors import Mistake
from registry.lookup import nearest


@dataclass(frozen=True)
class Options:
    """Which executor, and what it is told.

    Args:
        executor: its name.
        at_once: how many jobs it may have at once; None: as many as it likes.
        address: of a Ray cluster; None: a Ray of this machine.
        slurm: parameters of ``sbatch`` by name, or by kind of job and name: ``time``, ``pretrain.gres``.
    """

    executor: str = "local"
    at_once: int | None = None
    address: str | None = None
    slurm: Mapping[str, str] = field(default_factory=dict)


class Executor(ABC):
    """Takes jobs that are ready, and says what became of them.

    Args:
        work: on the plan.
        jobs: that it will be given, unless a job that they need fails.
        options: for this executor.
        progress: shows what happens.

    Raises:
        Mistake: before any work, if it cannot do these jobs.
    """

    heeds: frozenset[str] = frozenset()  # the names of the ``Options`` that are for it
    most = 500  # jobs at once, unless the options say otherwise

    def __init__(self, work: Work, jobs: Sequence[AnyJob], options: Options, progress: Progress) -> None:
        self.work, self.progress = work, progress
        self.room = options.at_once or self.most

    @abstractmethod
    def take(self, jobs: Sequence[AnyJob]) -> None:
        """Takes jobs whose needs are done. It does not wait for them."""

    @abstractmethod
    def ended(self) -> Iterable[tuple[AnyJob, Became]]:
        """The jobs that ended since the last call, and what became of them. It waits for one, but not for long."""

    def environment(self) -> Environment | None:
        """Where every job is done; None if that may be anywhere."""
        return None

    def close(self) -> None:  # noqa: B027 - an executor may have nothing to do
        """Asks the jobs that still run to stop; a pretraining leaves its checkpoint."""


def parameters(given: Sequence[str]) -> dict[str, str]:
    """Parameters of ``sbatch`` from their form on the command line, ``NAME=VALUE``.

    Raises:
        Mistake: if one has another form.
    """
    for text in given:
        if not text.partition("=")[0]:
            raise Mistake(f"--slurm {text!r} has no name", fix="write NAME=VALUE, as in --slurm partition=gpu")
    return {name: value for name, _, value in (text.partition("=") for text in given)}


def find_executor(options: Options) -> type[Executor]:
    """The executor of a name: the class in ``benchmark/ledger/executors/NAME.py``.

    Raises:
        Mistake: if there is none, or an option is not one of this executor.
    """
    known = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
    if options.executor not in known:
        raise Mistake(f"no executor is called {options.executor!r}", fix=nearest(options.executor, known))
    kind = _executor_in(options.executor)
    for name in ("at_once", "address", "slurm"):
        if getattr(options, name) and name not in kind.heeds:
            heed = [other for other in known if name in _executor_in(other).heeds]
            option = f"--{name.replace('_', '-')}"
            raise Mistake(
                f"the executor {options.executor} has no {option}",
                fix=f"leave it out, or --executor {' or '.join(heed)}",
            )
    if options.at_once is not None and options.at_once < 1:
        raise Mistake(f"--at-once is {options.at_once}, and an executor needs at least 1")
    return kind


def _executor_in(name: str) -> type[Executor]:
    members = vars(importlib.import_module(f"{__name__}.{name}")).values()
    return next(
        member
        for member in members
        if isinstance(member, type) and issubclass(member, Executor) and member is not Executor
    )
