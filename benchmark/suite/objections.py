"""Asks components whether they can work where a suite puts them. Each objection names the setting that it is about."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.errors import Mistake
from registry.lookup import Choice
from registry.standing import Objection, Standing
from registry.targets import Target, find_target
from registry.tasks import Clip, Task
from registry.training import Pretraining

if TYPE_CHECKING:
    from benchmark.suite.resolved import ResolvedWeights
    from benchmark.suite.shots import Column
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.methods import Method
    from registry.protocols import Protocol


@dataclass(frozen=True)
class Listed:
    """A task and its clips; None where the clips cannot be listed, because the data are elsewhere."""

    task: Task
    clips: Sequence[Clip] | None


class Listings:
    """Lists the clips of tasks, each once.

    Args:
        data: the folder of data sets.
    """

    def __init__(self, data: Path | None) -> None:
        self.data = data
        self._known: dict[str, Listed] = {}

    def of(self, choice: Choice[Task]) -> Listed:
        """The task that a suite names, with its clips."""
        asked = json.dumps(choice.config, sort_keys=True)
        if asked not in self._known:
            task = choice.build()
            try:
                self._known[asked] = Listed(task, task.clips(self.data))
            except Mistake:  # the plan gives the reason, and the jobs that it blocks
                self._known[asked] = Listed(task, None)
        return self._known[asked]


def of_method(
    method: "Choice[Method]", training: Pretraining, frontend: "Choice[Frontend] | None", corpus: Listed | None
) -> Iterable[Objection]:
    """What a method objects to in its training, front end and corpus."""
    known = Standing()
    if corpus:
        known = Standing(clips=_usable(corpus), classes=_classes(corpus), target=_target(corpus))
    gives = frontend.component.gives if frontend else None
    standing = Standing(gives, training.batch_size, training.chunk, known.clips, known.classes, known.target)
    return method.component.objections(method.settings, standing)


def of_encoder(encoder: "Choice[Encoder]", frontend: "Choice[Frontend]") -> Iterable[Objection]:
    """What an encoder objects to in its front end."""
    standing = Standing(frontend.component.gives)
    return encoder.component.objections(encoder.settings, standing)


def of_training(encoder: "Choice[Encoder]", protocols: "Iterable[Choice[Protocol]]") -> Iterable[Objection]:
    """The objections of an encoder without gradients to protocols that would train it."""
    for protocol in protocols:
        if protocol.component.trains_encoder and not encoder.component.gives_gradients:
            what = f"{encoder.name} gives no gradients, so that {protocol.name} cannot train it"
            yield Objection("name", what, "leave it out here: protocols: [freeze, knn]")


def of_whole_clips(columns: "Iterable[Column]", weights: "ResolvedWeights") -> Iterable[Objection]:
    """The objections of protocols and of a pretraining that cut windows of one length to whole clips."""
    for name in dict.fromkeys(column.protocol for column in columns if column.choice.build().uses_model):
        what = f"the protocol {name} trains on windows of one length, and with crop: whole there are none"
        fix = "give the entry a crop in seconds, or protocols on embeddings: knn, and freeze without augment"
        yield Objection("crop", what, fix)
    if weights.pretraining and not weights.pretraining.crop:
        what = "a pretraining learns from windows of one length, and with crop: whole it has none"
        yield Objection("crop", what, "give the pretraining a crop of its own: pretrain: {crop: 1.0}")


def of_protocol(protocol: "Choice[Protocol]", task: Listed) -> Iterable[Objection]:
    """What a protocol objects to in a task."""
    standing = Standing(clips=_fewest_training(task), classes=_classes(task), target=_target(task))
    return protocol.component.objections(protocol.settings, standing)


def _usable(corpus: Listed) -> int | None:
    """How many clips of a corpus can be pretrained on; recordings that ``exclude`` names still count here."""
    if corpus.clips is None:
        return None
    tested = sum(clip.fold in corpus.task.folds for clip in corpus.clips)
    return len(corpus.clips) - (tested if tested < len(corpus.clips) else 0)


def _fewest_training(task: Listed) -> int | None:
    """The smallest number of training clips, over the folds that are tested."""
    if task.clips is None or not task.task.folds:
        return None
    return min(sum(clip.fold != fold for clip in task.clips) for fold in task.task.folds)


def _classes(listed: Listed) -> int | None:
    """How many classes there are. A task that reads its classes from files knows them once its clips are listed."""
    known = listed.clips is not None or listed.task.classes
    return len(listed.task.classes) if known else None


def _target(listed: Listed) -> Target | None:
    """What is predicted of a clip; of a task whose files tell, it is known once its clips are listed."""
    return find_target(listed.task.target) if listed.task.target else None
