"""Targets: what a task asks to predict of a clip. A finished suite's leaderboard asks them, so they load torch late."""

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
        loss: of outputs ``[F, B, C]`` and labels ``[F, B]`` or ``[F, B, C]``, that of each example ``[F, B]``.
        scores: of a fold's place and the outputs ``[N, C]`` of its head, the scores ``[N, C]``.
    """

    loss: "Callable[[Tensor, Tensor], Tensor]"
    scores: "Callable[[int, Tensor], Tensor]"


class Target(Component[Settings], Judge):
    """Contract of a target: the form of labels, how they are learned, how scores become predictions, and their metrics.

    ``holds`` says in words what a clip has. ``by_class`` says whether that is one class: then labels are class indices,
    few shots are drawn and inner folds stratified class by class, and figures and confusions of classes can be told.
    """

    holds: ClassVar[str]
    by_class: ClassVar[bool] = False

    def __init__(self, config: Settings | None = None) -> None:
        self.config = config or Settings()

    @property
    def every_epoch(self) -> bool:
        """Whether a protocol evaluates test clips after every epoch, or after the last alone, where it has scores."""
        return not self.uses_scores

    def outputs(self, classes: int) -> int:
        """How many values a head gives; 0 where there is nothing to learn from."""
        return classes

    def array(self, labels: Sequence[Any], classes: int) -> NDArray[Any]:
        """Labels as a table holds them, one a clip, as the array that everything else takes."""
        raise NotImplementedError

    def listed(self, label: NDArray[Any]) -> Sequence[Any]:
        """An array's labels as a table holds them."""
        return list(label)

    def tensor(self, label: NDArray[Any]) -> "Tensor":
        """An array's labels for training."""
        raise NotImplementedError

    def objective(self, training: "Sequence[Tensor]") -> Objective:
        """What heads minimise.

        Args:
            training: the labels of the clips that train, of each fold.
        """
        raise NotImplementedError

    def vote(self, label_N: "Tensor", nearest_BK: "Tensor", weight_BK: "Tensor", classes: int) -> "Tensor":
        """Scores ``[B, C]`` by the labels of the nearest clips, each with its weight."""
        raise NotImplementedError

    def predict(self, score_NC: NDArray[Any]) -> NDArray[Any]:
        """What is predicted ``[N]``, from scores: the class with the highest."""
        predicted_N: NDArray[np.int64] = score_NC.argmax(1)
        return predicted_N

    def figure(self, label: NDArray[Any], score_NC: NDArray[Any]) -> float:
        """The chief metric of scores."""
        found = self.figures(label, self.predict(score_NC)[None], score_NC[None])
        return float(found[self.chief.name][0])


def find_target(name: str) -> Target:
    """A target by its name.

    Raises:
        Mistake: if no target has that name, as of a plugin that is not loaded.
    """
    _require(TARGETS, name)
    return TARGETS.build(name)


def find_judge(reference: str) -> Judge:
    """The judge that a record names: ``targets/one-label``, or ``protocols/NAME`` of a protocol that brings its own.

    Raises:
        Mistake: if there is none, as of a plugin that is not loaded.
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
