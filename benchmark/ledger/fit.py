"""Whether encoders, front ends, windows, weights and methods go together: found out before any work.

Nets are built on the device ``meta``, which computes shapes alone, so that any size takes no memory and little time.
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from benchmark.jobs.model import build_encoder, build_views
from registry.audio import Recordings
from registry.augmentations import Augmentation
from registry.encoders import Encoder
from registry.errors import Mistake, Mistakes
from registry.frontends import Frontend
from registry.lookup import Choice
from registry.methods import Corpus
from registry.protocols import choose_parts
from registry.targets import find_target
from registry.tasks import Task
from registry.views import Views
from registry.weights.pretrain import Pretrain

if TYPE_CHECKING:
    from benchmark.suite.resolve import ResolvedEntry
    from benchmark.suite.shots import Column

T = TypeVar("T")
_CLIPS = 2**31  # of a supposed corpus: more than any method asks for
_ONE_VALUE = "Expected more than 1 value per channel"  # torch's batch norm, of a batch that leaves it one value


def check_fit(
    entries: "Sequence[ResolvedEntry]", columns: "Mapping[str, Column]", tell: Callable[[str], None] = lambda said: None
) -> None:
    """Tries what a suite's entries are made of.

    Args:
        entries: resolved; what several share is tried once.
        columns: the protocols, by column.
        tell: told, in words, what was done to open checkpoints.

    Raises:
        Mistakes: every part that does not fit another, window that is too short, and weight file that is none.
    """
    fitting = _Fitting(tell)
    for entry in entries:
        fitting.try_entry(entry, columns)
    if fitting.mistakes:
        raise Mistakes(list(fitting.mistakes.values()))


class _Fitting:
    """Tries entries, and gathers what does not fit."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.mistakes: dict[str, Mistake] = {}
        self.built: dict[str, tuple[Frontend, Encoder] | None] = {}
        self.tried: set[str] = set()

    def try_entry(self, entry: "ResolvedEntry", columns: "Mapping[str, Column]") -> None:
        net = [entry.encoder.config, entry.frontend.config]
        key = json.dumps(net, sort_keys=True)
        if key not in self.built:
            self.built[key] = self._attempt(entry.places["encoder"], lambda: _build(entry))
        built = self.built[key]
        if built is None:
            return
        frontend, encoder = built
        self._once(
            [*net, entry.window_samples], entry.places["crop"], lambda: _embed(frontend, encoder, entry.window_samples)
        )
        weights = entry.weights
        if weights.path:
            path = weights.path
            self._once([*net, str(path)], entry.places["weights"], lambda: self._open(entry, path, encoder))
        for name in entry.protocols:
            if name in columns:
                inputs = getattr(columns[name].choice.settings, "inputs", [])
                self._once([*net, name, inputs], entry.places[name], partial(_choose, encoder, inputs))
        self._once([*net, entry.window_samples, _configs(entry.augment)], entry.places["crop"], lambda: _augment(entry))
        asked = weights.pretraining
        if asked:
            named = [asked.method.config, asked.training.canonical(), _configs(asked.augment)]
            self._once([*net, entry.window_samples, *named], entry.places["weights"], lambda: _steps(entry, asked))

    def _once(self, asked: object, where: str, action: Callable[[], object]) -> None:
        key = json.dumps([where.partition(" ")[0], asked], sort_keys=True)
        if key not in self.tried:
            self.tried.add(key)
            self._attempt(where, action)

    def _attempt(self, where: str, action: Callable[[], T]) -> T | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of copies to meta, which copy nothing
                return action()
        except NotImplementedError:
            return None  # an operation without shapes-only form: the job itself will tell
        except Mistake as mistake:
            of_file = f"{mistake.where}, named at " if Path(mistake.where).is_file() else ""
            self.mistakes.setdefault(mistake.what, Mistake(mistake.what, where=of_file + where, fix=mistake.fix))
        except (RuntimeError, ValueError, MemoryError, OverflowError) as error:
            what = (str(error) or type(error).__name__).splitlines()[0]
            self.mistakes.setdefault(what, Mistake(what, where=where))
        return None

    def _open(self, entry: "ResolvedEntry", path: Path, encoder: Encoder) -> None:
        source = entry.weights.source
        frontend = build_views(entry.frontend).frontend  # with values, which published weights are compared with
        said = source.component.load(encoder, frontend, source.build().stated(entry.encoder, 0), path)
        if said:
            self.tell(f"{path}: opened {', '.join(said)}")


def _configs(choices: Sequence[Choice[Augmentation]]) -> list[Mapping[str, Any]]:
    return [choice.config for choice in choices]


def _views(entry: "ResolvedEntry", augment: Sequence[Choice[Augmentation]] = ()) -> Views:
    """On torch's default device, with statistics as if they had been measured."""
    views = build_views(entry.frontend, augment)
    for normalisation in views.frontend.measured().values():
        normalisation.set(0.0, 1.0)
    return views


def _build(entry: "ResolvedEntry") -> tuple[Frontend, Encoder]:
    with torch.device("meta"):
        frontend = _views(entry).frontend
        return frontend, build_encoder(entry.encoder, frontend).eval()


@torch.no_grad()
def _embed(frontend: Frontend, encoder: Encoder, samples: int) -> None:
    with torch.device("meta"):
        encoder.embed(frontend(torch.empty(2, samples)))


def _choose(encoder: Encoder, inputs: Sequence[str]) -> None:
    choose_parts(torch.empty(1, encoder.embedding_dim, device="meta"), encoder.parts, inputs)


def _augment(entry: "ResolvedEntry") -> None:
    """Augmentations on windows: what they say of them counts, and what the device meta cannot do does not."""
    with torch.device("meta"):
        views = _views(entry, entry.augment)
        _only_mistakes(lambda: views(torch.empty(2, entry.window_samples)))


def _steps(entry: "ResolvedEntry", asked: Pretrain.Config) -> None:
    """A step of a method, without augmentations where the device meta can do one of them not."""
    if not _step(entry, asked, asked.augment):
        _step(entry, asked, ())


def _step(entry: "ResolvedEntry", asked: Pretrain.Config, augment: Sequence[Choice[Augmentation]]) -> bool:
    """One step of a method on a supposed corpus: what it says counts, and what the device meta cannot do does not."""
    training, task = asked.training, asked.corpus.component
    target, classes = find_target(task.target or Task.target), len(task.classes) or 2
    none, batch = target.tensor(target.array([], classes)), training.batch_size
    with torch.device("meta"):
        views = _views(entry, augment)
        encoder = build_encoder(entry.encoder, views.frontend)
        label_N = torch.zeros(_CLIPS, *none.shape[1:], dtype=none.dtype)
        silence = Recordings(np.zeros(1, np.int16), np.array([0, 1]), views.frontend.sample_rate)

        def step() -> None:
            method = asked.method.build(encoder, views, _Supposed(silence, label_N, classes, target))
            method.chunk = training.chunk
            method(torch.empty(batch, method.windows, entry.window_samples), torch.zeros(batch, dtype=torch.long))

        return _only_mistakes(step)


def _only_mistakes(action: Callable[[], object]) -> bool:
    """Whether something went through to its end.

    Raises:
        Mistake: if it does, or a batch norm has too little to learn from.
    """
    try:
        action()
    except Mistake:
        raise
    except ValueError as error:
        if _ONE_VALUE in str(error):
            what = "a batch norm has one value a channel to learn its statistics from"
            raise Mistake(what, fix="use a larger batch_size or longer windows") from error
    except Exception:  # values that the device meta has none of: the job itself will tell
        return False
    else:
        return True
    return False


@dataclass(frozen=True)
class _Supposed(Corpus):
    """A corpus of more clips than there are."""

    def __len__(self) -> int:
        return _CLIPS
