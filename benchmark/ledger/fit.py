"""Checks before any work that encoders, front ends, windows, weights and methods fit together.

Nets are built on the device ``meta``, which computes only shapes: a net of any size takes no memory and little time.
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

from benchmark.jobs.embedding import in_one_piece
from benchmark.jobs.model import build_encoder, build_views
from benchmark.ledger.fits import Fits
from registry.audio import Recordings
from registry.augmentations import Augmentation
from registry.encoders import Encoder
from registry.errors import Mistake, Mistakes
from registry.frontends import Frontend
from registry.lookup import Choice
from registry.methods import Corpus
from registry.net import shortest_embedded
from registry.protocols import choose_parts
from registry.targets import find_target
from registry.tasks import Task
from registry.views import Views
from registry.weights.own import OwnWeights, brought
from registry.weights.pretrain import Pretrain
from registry.windows import Window

if TYPE_CHECKING:
    from benchmark.suite.resolved import ResolvedEntry
    from benchmark.suite.shots import Column

T = TypeVar("T")
_CLIPS = 2**31  # of an imagined corpus: more than any method asks for
_ONE_VALUE = "Expected more than 1 value per channel"  # torch's batch norm says this of a batch with one value


def check_fit(
    entries: "Sequence[ResolvedEntry]",
    columns: "Mapping[str, Column]",
    tell: Callable[[str], None] = lambda line: None,
    known: Fits | None = None,
) -> None:
    """Tries the components of a suite's entries.

    Args:
        entries: resolved; a combination that several entries share is tried once.
        columns: the protocols, by column.
        tell: gets a line that says how a checkpoint was opened.
        known: the combinations that fit, and are not tried again. Files of weights always are.

    Raises:
        Mistakes: for every component that does not fit another, every window that is too short, and every file that
            holds no weights.
    """
    fitting = _Fitting(tell, known or Fits())
    for entry in entries:
        fitting.try_entry(entry, columns)
    if fitting.mistakes:
        raise Mistakes(list(fitting.mistakes.values()))
    fitting.known.keep()


class _Fitting:
    """Tries entries, and collects mistakes."""

    def __init__(self, tell: Callable[[str], None], known: Fits) -> None:
        self.tell, self.known = tell, known
        self.mistakes: dict[str, Mistake] = {}
        self.built: dict[str, tuple[Frontend, Encoder] | None] = {}
        self.tried: set[str] = set()

    def try_entry(self, entry: "ResolvedEntry", columns: "Mapping[str, Column]") -> None:
        net: list[object] = [entry.encoder.config, entry.frontend.config]
        weights, window = entry.weights, entry.window_samples
        if brought(entry.encoder.component):
            if not weights.missing:
                self._once([*net, str(weights.path), window], entry.places["encoder"], lambda: self._bring(entry))
            return

        def once(combination: list[object], place: str, action: Callable[[Frontend, Encoder], object]) -> None:
            """Tries something with the net, if the net can be built, unless it is known to fit."""
            tried = [*net, *combination]
            if self.known.has(tried):
                return
            if self._once(tried, entry.places[place], lambda: self._with_net(net, entry, action)):
                self.known.add(tried)

        once(["embed", window], "crop", lambda frontend, encoder: _embed(frontend, encoder, window, "meta"))
        if weights.path:
            self._once(
                [*net, str(weights.path)],
                entry.places["weights"],
                lambda: self._with_net(net, entry, partial(self._open, entry)),
            )
        for name in entry.protocols:
            if name in columns:
                inputs = getattr(columns[name].choice.settings, "inputs", [])
                once(["parts", inputs], name, partial(_choose, inputs))
        if window != "whole":  # protocols that augment were refused
            once(["augment", window, _configs(entry.augment)], "crop", lambda *_: _augment(entry, window))
        pretraining = weights.pretraining
        if pretraining:
            named = [pretraining.method.config, pretraining.training.canonical(), _configs(pretraining.augment)]
            asked = ["steps", entry.pretraining_samples, pretraining.corpus.config, *named]
            once(asked, "weights", lambda *_: _steps(entry, pretraining))

    def _with_net(
        self, net: list[object], entry: "ResolvedEntry", action: Callable[[Frontend, Encoder], object]
    ) -> None:
        """Does something with an entry's net, which is built at its first use; nothing if it cannot be built."""
        key = json.dumps(net, sort_keys=True)
        if key not in self.built:
            self.built[key] = self._attempt(entry.places["encoder"], lambda: _build(entry))
        built = self.built[key]
        if built:
            action(*built)

    def _once(self, combination: list[object], where: str, action: Callable[[], object]) -> bool:
        """Tries a combination, unless it was tried at this place. Returns whether it was tried now."""
        key = json.dumps([where.partition(" ")[0], combination], sort_keys=True)
        is_new = key not in self.tried
        if is_new:
            self.tried.add(key)
            self._attempt(where, action)
        return is_new

    def _attempt(self, where: str, action: Callable[[], T]) -> T | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns that a copy to meta copies nothing
                return action()
        except NotImplementedError:
            return None  # meta does not know this operation: the job itself will show a mistake
        except Mistake as mistake:
            of_file = f"{mistake.where}, named at " if Path(mistake.where).is_file() else ""
            self.mistakes.setdefault(mistake.what, Mistake(mistake.what, where=of_file + where, fix=mistake.fix))
        except (RuntimeError, ValueError, MemoryError, OverflowError) as error:
            what = (str(error) or type(error).__name__).splitlines()[0]
            self.mistakes.setdefault(what, Mistake(what, where=where))
        return None

    def _bring(self, entry: "ResolvedEntry") -> None:
        """Loads a model that brings its weights, and embeds silence: the model may accept only one length."""
        frontend = build_views(entry.frontend).frontend
        encoder = build_encoder(entry.encoder, frontend)
        OwnWeights.load(encoder, frontend, {}, entry.weights.path)
        self._attempt(entry.places["crop"], lambda: _embed(frontend, encoder, entry.window_samples, "cpu"))

    def _open(self, entry: "ResolvedEntry", built: Frontend, encoder: Encoder) -> None:
        source, path = entry.weights.source, entry.weights.path
        assert path
        frontend = build_views(entry.frontend).frontend  # with real values: published weights are compared with them
        changes = source.component.load(encoder, frontend, source.build().stated(entry.encoder, 0), path)
        if changes:
            self.tell(f"{path}: opened {', '.join(changes)}")


def _configs(choices: Sequence[Choice[Augmentation]]) -> list[Mapping[str, Any]]:
    return [choice.config for choice in choices]


def _views(entry: "ResolvedEntry", augment: Sequence[Choice[Augmentation]] = ()) -> Views:
    """Views on torch's default device, with statistics of 0 and 1 in place of the measured ones."""
    views = build_views(entry.frontend, augment)
    for normalisation in views.frontend.measured().values():
        normalisation.set(0.0, 1.0)
    return views


def _build(entry: "ResolvedEntry") -> tuple[Frontend, Encoder]:
    with torch.device("meta"):
        frontend = _views(entry).frontend
        return frontend, build_encoder(entry.encoder, frontend).eval()


@torch.no_grad()
def _embed(frontend: Frontend, encoder: Encoder, window: Window, device: str) -> None:
    """Embeds silent windows. Of whole clips it is not known yet how long they are: two lengths are tried."""
    encoder.eval()
    rate = frontend.sample_rate

    def embed(samples: int) -> None:
        with torch.device(device), in_one_piece(window, "a clip of silence", samples / rate):
            encoder.embed(frontend(torch.zeros(2, samples)))

    if window == "whole":
        embed(shortest_embedded(embed, rate, rate) * 7 // 4)
    else:
        embed(window)


def _choose(inputs: Sequence[str], frontend: Frontend, encoder: Encoder) -> None:
    choose_parts(torch.empty(1, encoder.embedding_dim, device="meta"), encoder.parts, inputs)


def _augment(entry: "ResolvedEntry", samples: int) -> None:
    """Tries the augmentations on windows. Only their mistakes count, not the operations that meta does not know."""
    with torch.device("meta"):
        views = _views(entry, entry.augment)
        _only_mistakes(lambda: views(torch.empty(2, samples)))


def _steps(entry: "ResolvedEntry", pretraining: Pretrain.Config) -> None:
    """Tries a step of a method; without augmentations, if meta does not know one of them."""
    if not _step(entry, pretraining, pretraining.augment):
        _step(entry, pretraining, ())


def _step(entry: "ResolvedEntry", pretraining: Pretrain.Config, augment: Sequence[Choice[Augmentation]]) -> bool:
    """Tries one step of a method on an imagined corpus. Returns whether it went through; only mistakes count."""
    training, task = pretraining.training, pretraining.corpus.component
    target, classes = find_target(task.target or Task.target), len(task.classes) or 2
    none, batch = target.tensor(target.array([], classes)), training.batch_size
    with torch.device("meta"):
        views = _views(entry, augment)
        encoder = build_encoder(entry.encoder, views.frontend)
        label_N = torch.zeros(_CLIPS, *none.shape[1:], dtype=none.dtype)
        silence = Recordings(np.zeros(1, np.int16), np.array([0, 1]), views.frontend.sample_rate)

        def step() -> None:
            method = pretraining.method.build(encoder, views, _Imagined(silence, label_N, classes, target))
            method.chunk = training.chunk
            method(torch.empty(batch, method.windows, entry.pretraining_samples), torch.zeros(batch, dtype=torch.long))

        return _only_mistakes(step)


def _only_mistakes(action: Callable[[], object]) -> bool:
    """Whether an action went through to its end.

    Raises:
        Mistake: if the action raises one, or if a batch norm has only one value to learn from.
    """
    try:
        action()
    except Mistake:
        raise
    except ValueError as error:
        if _ONE_VALUE in str(error):
            what = "a batch norm has one value a channel to learn its statistics from"
            raise Mistake(what, fix="use a larger batch_size or longer windows") from error
    except Exception:  # meta has no values to compute with: the job itself will show a mistake
        return False
    else:
        return True
    return False


@dataclass(frozen=True)
class _Imagined(Corpus):
    """A corpus that claims to have many clips."""

    def __len__(self) -> int:
        return _CLIPS
