"""Trackers: where the scalars of running jobs go besides the records. Each is a file, found by its name.

Nothing depends on a tracker: it writes beside the records, and one that fails is left out from there, with a line.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from benchmark.store.job import AnyJob
from registry.errors import Mistake
from registry.lookup import nearest

TRACKERS = ("tensorboard", "mlflow", "wandb")
NONE = "none"
Scalars = Mapping[str, float]
Ending = Literal["done", "failed", "interrupted"]


@dataclass(frozen=True)
class Tracked:
    """A job, as trackers see it.

    Args:
        kind: pretrain or evaluate.
        key: jobs with equal keys are the same work.
        title: for people.
        suite: that is run, with its scale.
        config: the job's settings, plain data.
    """

    kind: str
    key: str
    title: str
    suite: str
    config: Mapping[str, Any]


class Tracker:
    """Contract of a tracker: it follows one job at a time. Whatever it raises, the job goes on without it.

    ``package`` is the module that must be installed. A job that was interrupted begins again with the same key, and its
    steps go on where its last checkpoint was: some of them may come a second time, and must not stand there twice.
    """

    package: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        """``folder`` is for files, if the tracker writes any and nothing else says where; it need not exist."""
        self.folder = folder

    def begin(self, job: Tracked) -> None:
        """A job starts, or goes on."""
        raise NotImplementedError

    def scalars(self, step: int, values: Scalars) -> None:
        """The scalars of a step, which is an epoch, counted from 1; steps ascend."""
        raise NotImplementedError

    def end(self, ending: Ending, figures: Scalars) -> None:
        """The job ended; ``figures`` are those of its record, none if it did not get that far."""
        raise NotImplementedError


class Tracking:
    """The trackers of a run, as one. Jobs know only this.

    Args:
        trackers: by name.
        suite: that is run, with its scale.
        tell: gets a line about a tracker that failed.
    """

    def __init__(self, trackers: Mapping[str, Tracker], suite: str, tell: Callable[[str], None]) -> None:
        self._trackers, self._suite, self._tell = dict(trackers), suite, tell

    @contextmanager
    def following(self, job: AnyJob) -> "Iterator[Callable[[Scalars], None]]":
        """Follows a job, if it is of a kind that has scalars; it gives what takes the figures of the job's record."""
        figures: dict[str, float] = {}
        if not job.tracked:
            yield figures.update
            return
        tracked = Tracked(job.kind, job.key, job.title, self._suite, job.config.canonical())
        self._each(lambda tracker: tracker.begin(tracked))
        ending: Ending = "failed"
        try:
            yield figures.update
            ending = "done"
        except KeyboardInterrupt:
            ending = "interrupted"
            raise
        finally:
            self._each(lambda tracker: tracker.end(ending, figures))

    def scalars(self, step: int, values: Scalars) -> None:
        """Hands on the scalars of a step of the current job."""
        self._each(lambda tracker: tracker.scalars(step, values))

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                call(tracker)
            except Exception as error:  # of somebody else's library
                del self._trackers[name]
                why = f"{type(error).__name__}: {error}".strip().splitlines()[0]
                self._tell(f"the tracker {name} failed, and follows nothing more in this run: {why}")


UNTRACKED = Tracking({}, "", lambda line: None)


def chosen(names: Sequence[str] | None) -> tuple[str, ...]:
    """The trackers that a user asks for, each once; TensorBoard, if it is installed, where nobody asks.

    Args:
        names: of ``TRACKERS``; ``none`` alone stands for no tracker; None where nobody asks.

    Raises:
        Mistake: if there is no such tracker, or it is not installed.
    """
    if names is None:
        return TRACKERS[:1] if find_spec(TRACKERS[0]) else ()
    if list(names) == [NONE]:
        return ()
    for name in names:
        if name not in TRACKERS:
            raise Mistake(f"no tracker is called {name!r}", where="--track", fix=nearest(name, [*TRACKERS, NONE]))
        if not find_spec(_class_of(name).package):
            what = f"the tracker {name} needs {_class_of(name).package}, which is not installed"
            raise Mistake(what, where="--track", fix=f"pip install 'audiobench[{name}]'")
    return tuple(dict.fromkeys(names))


def make_tracking(names: Sequence[str], folder: Path, suite: str, tell: Callable[[str], None]) -> Tracking:
    """The trackers with these names, each with a folder of its own below ``folder``."""
    return Tracking({name: _class_of(name)(folder / name) for name in names}, suite, tell)


def _class_of(name: str) -> type[Tracker]:
    """The tracker in ``benchmark/trackers/NAME.py``. Its file imports its package only when it begins."""
    members = vars(import_module(f".{name}", __package__)).values()
    return next(
        member
        for member in members
        if isinstance(member, type) and issubclass(member, Tracker) and member is not Tracker
    )
