"""Targets: what a task asks to predict of a clip. A leaderboard uses them without torch, so they load torch late."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from registry.errors import Mistake
from registry.lookup import PROTOCOLS, TARGETS, AnyComponent, Kind, nearest
from registry.metrics import Judge
from registry.settings import Component, Settings

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """How the heads of F folds, which may train together, learn a target.

    Args:
        loss: from outputs ``[F, B, C]`` and labels ``[F, B]`` or ``[F, B, C]``, the loss of each example ``[F, B]``.
        scores: from the index of a fold and the outputs ``[N, C]`` of its head, the scores ``[N, C]``.
    """

    loss: "Callable[[Tensor, Tensor], Tensor]"
    scores: "Callable[[int, Tensor], Tensor]"


class Target(Component[Settings], Judge):
    """Contract of a target: the form of labels, how they are learned, how scores become predictions, and their metrics.

    ``holds`` says in words what a clip has. ``by_class`` says whether every clip has exactly one class: then labels are
    class indices, few shots are drawn by class, inner folds are stratified by class, and there are figures by class.
    """

    holds: ClassVar[str]
    by_class: ClassVar[bool] = False

    def __init__(self, config: Settings | None = None) -> None:
        self.config = config or Settings()

    @property
    def every_epoch(self) -> bool:
        """Whether a protocol evaluates test clips after every epoch, or only after the last, which has scores."""
        return not self.uses_scores

    def outputs(self, classes: int) -> int:
        """The number of values that a head gives; 0 where there is nothing to learn from."""
        return classes

    def array(self, labels: Sequence[Any], classes: int) -> NDArray[Any]:
        """Makes an array of the labels of clips, which come in the form of a table, one for each clip."""
        raise NotImplementedError

    def listed(self, label: NDArray[Any]) -> Sequence[Any]:
        """The labels of an array in the form of a table."""
        return list(label)

    def tensor(self, label: NDArray[Any]) -> "Tensor":
        """The labels of an array in the form for training."""
        raise NotImplementedError

    def objective(self, training: "Sequence[Tensor]") -> Objective:
        """The objective that heads minimise.

        Args:
            training: for each fold, the labels of the training clips.
        """
        raise NotImplementedError

    def vote(self, label_N: "Tensor", nearest_BK: "Tensor", weight_BK: "Tensor", classes: int) -> "Tensor":
        """Scores ``[B, C]`` by the labels of the nearest clips, each with its weight."""
        raise NotImplementedError

    def predict(self, score_NC: NDArray[Any]) -> NDArray[Any]:
        """Predictions ``[N]`` from scores: by default the class with the highest score."""
        predicted_N: NDArray[np.int64] = score_NC.argmax(1)
        return predicted_N

    def figure(self, label: NDArray[Any], score_NC: NDArray[Any]) -> float:
        """The chief metric of scores."""
        figures = self.figures(label, self.predict(score_NC)[None], score_NC[None])
        return float(figures[self.chief.name][0])


def find_target(name: str) -> Target:
    """A target by its name.

    Raises:
        Mistake: if no target has that name; the target's plugin may not be loaded.
    """
    _require(TARGETS, name)
    return TARGETS.build(name)


def find_judge(reference: str) -> Judge:
    """The judge that a record names: ``targets/one-label``, or ``protocols/NAME`` of a protocol that brings its own.

    Raises:
        Mistake: if there is no such judge; its plugin may not be loaded.
    """
    kind, name = reference.split("/", 1)
    if kind == TARGETS.folder:
        return find_target(name)
    _require(PROTOCOLS, name)
    judge = PROTOCOLS.find(name).judge
    if judge is None:
        raise Mistake(f"the protocol {name} brings no metrics any more", fix="run the suite again")
    return judge


def _require(kind: Kind[AnyComponent], name: str) -> None:
    if name not in kind.names():
        hint = f"{nearest(name, kind.names())}; of a plugin load the file: --plugin FILE"
        raise Mistake(f"no {kind.singular} is called {name!r}", fix=hint)
