"""The checks of a target, on 60 clips of three classes, or with numbers or several labels made from the classes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from registry import contracts
from registry.contracts import Broken
from registry.contracts._judges import (
    classes_of,
    distance_from_chance,
    labels_for,
    require_better,
    require_counts,
    require_names,
)
from registry.targets import Target

_CLIPS, _FOLDS, _STEPS, _RATE = 60, 2, 300, 0.1


class Specimen(contracts.Specimen[Target]):
    """A target and labels of clips, which heads without a model learn: every clip has outputs that are trained."""

    target: Target
    label: NDArray[Any]

    def prepare(self) -> None:
        self.target = self.choice.build()
        self.label = labels_for(self.target, _CLIPS)
        self.classes = classes_of(self.label)

    def learned(self) -> tuple[Tensor, list[float], NDArray[Any]]:
        """Losses ``[F, B]`` at the beginning, their means by step, and the scores ``[N, C]`` at the end."""
        label_N = self.target.tensor(self.label)
        objective = self.target.objective([label_N] * _FOLDS)
        outputs = self.target.outputs(self.classes)
        torch.manual_seed(0)
        output_FNC = torch.randn(_FOLDS, _CLIPS, outputs, requires_grad=True)
        optimizer, means = torch.optim.Adam([output_FNC], _RATE), []
        first = torch.empty(0)
        for step in range(_STEPS):
            loss_FN = objective.loss(output_FNC, torch.stack([label_N] * _FOLDS))
            first = loss_FN.detach() if step == 0 else first
            optimizer.zero_grad()
            loss_FN.mean().backward()
            optimizer.step()
            means.append(float(loss_FN.detach().mean()))
        return first, means, objective.scores(1, output_FNC[1].detach()).numpy()


def keeps_labels(specimen: Specimen) -> str:
    """Labels are the same after they were written to a table and read again."""
    target = specimen.target
    again = target.array(target.listed(specimen.label), specimen.classes)
    if again.dtype != specimen.label.dtype or not np.array_equal(again, specimen.label):
        raise Broken(
            f"labels {specimen.label[:3].tolist()}", str(again[:3].tolist()), "let listed undo what array does"
        )
    return f"{specimen.label.dtype} {list(specimen.label.shape)}"


def loses_by_example(specimen: Specimen) -> str:
    """The loss of outputs is a finite number of every example of every fold, and falls as outputs learn."""
    first, means, _ = specimen.learned()
    if first.shape != (_FOLDS, _CLIPS) or not first.isfinite().all():
        given = f"{list(first.shape)}" + ("" if first.isfinite().all() else ", not all finite")
        raise Broken(f"finite losses [{_FOLDS}, {_CLIPS}]", given, "average over outputs, and not over examples")
    if not means[-1] < means[0]:
        raise Broken(
            "a loss that falls", f"{means[0]:.3g} to {means[-1]:.3g}", "let the loss be least where outputs fit"
        )
    return f"{means[0]:.3g} to {means[-1]:.3g}"


def predicts_what_is_learned(specimen: Specimen) -> str:
    """What outputs have learned is predicted better than chance by the chief metric."""
    _, _, score_NC = specimen.learned()
    predicted_N = specimen.target.predict(score_NC)
    if predicted_N.shape != (_CLIPS,):
        raise Broken(
            f"a prediction of each of {_CLIPS} clips", str(list(predicted_N.shape)), "predict one value a clip"
        )
    return require_better(
        distance_from_chance(specimen.target, specimen.label, predicted_N, score_NC), "what is learned"
    )


def neighbours_vote(specimen: Specimen) -> str:
    """The labels of the nearest clips, each with its weight, give scores that predict better than chance."""
    label_N = specimen.target.tensor(specimen.label)
    same_N = torch.arange(_CLIPS).view(-1, 3).roll(1, 0).flatten()  # the clip of the same class before
    nearest_BK = torch.stack([same_N, same_N.roll(1)], 1)
    weight_BK = torch.tensor([1.0, 0.01]).expand(_CLIPS, 2)
    score_NC = specimen.target.vote(label_N, nearest_BK, weight_BK, specimen.classes).numpy()
    if score_NC.ndim != 2 or len(score_NC) != _CLIPS:
        raise Broken(f"scores [{_CLIPS}, C]", str(list(score_NC.shape)), "give a row of scores a clip")
    predicted_N = specimen.target.predict(score_NC)
    return require_better(distance_from_chance(specimen.target, specimen.label, predicted_N, score_NC), "votes")


def names_its_metrics(specimen: Specimen) -> str:
    """Its metrics have names of their own, and words for the note below a leaderboard."""
    return require_names(specimen.target)


def counts_recordings(specimen: Specimen) -> str:
    """Its figures where a recording counts twice are those of its clips there twice: so intervals are drawn."""
    rng = np.random.default_rng(1)
    outputs = specimen.target.outputs(specimen.classes)
    score_NC = rng.normal(size=(_CLIPS, outputs)).astype(np.float32)
    return require_counts(specimen.target, specimen.label, specimen.target.predict(score_NC), score_NC)
