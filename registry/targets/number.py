"""A number a clip: regression."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from registry.metrics import Answers, Counts, Figures, Metric
from registry.targets import Objective, Target

if TYPE_CHECKING:
    from torch import Tensor

ERROR = Metric(
    "mean absolute error",
    "mean_absolute_error",
    higher_is_better=False,
    decimals=None,
    unit="units of the task's numbers",
    head="MAE",
)
R2 = Metric("R2", "r2", unit="")
_CONSTANT = 1e-12  # a variance below this share of the mean square counts as rounding


class Number(Target):
    """A number a clip, in units of its own: squared error; mean absolute error, and R2.

    Heads learn the numbers standardised by the mean and deviation of their fold's training clips; scores are in the
    task's own units. Neighbours give the weighted mean of their numbers. R2 is the share of the tested numbers'
    variance that is predicted: 0 for a prediction of their mean, negative for a worse one. It is not defined where all
    tested numbers are equal.
    """

    source: ClassVar[str] = "audiobench"
    holds = "a number a clip"
    metrics = (ERROR, R2)
    meaning = "mean absolute error (MAE) in units of the task's numbers, lower is better; and R2"

    def outputs(self, classes: int) -> int:
        return 1

    def array(self, labels: Sequence[Any], classes: int) -> NDArray[Any]:
        return np.asarray(labels, np.float64)

    def tensor(self, label: NDArray[Any]) -> "Tensor":
        import torch

        return torch.tensor(label)

    def objective(self, training: "Sequence[Tensor]") -> Objective:
        import torch

        mean_F1 = torch.stack([label_N.mean() for label_N in training]).unsqueeze(1)
        deviation_F1 = torch.stack([label_N.std(correction=0) for label_N in training]).unsqueeze(1)
        deviation_F1 = torch.where(deviation_F1 > 0, deviation_F1, torch.ones_like(deviation_F1))

        def loss(output_FB1: "Tensor", label_FB: "Tensor") -> "Tensor":
            mean, deviation = (x.to(label_FB.device, non_blocking=True) for x in (mean_F1, deviation_F1))
            return (output_FB1.squeeze(2) - ((label_FB - mean) / deviation).float()).square()

        def scores(fold: int, output_N1: "Tensor") -> "Tensor":
            return output_N1.double() * deviation_F1[fold].to(output_N1.device) + mean_F1[fold].to(output_N1.device)

        return Objective(loss, scores)

    def vote(self, label_N: "Tensor", nearest_BK: "Tensor", weight_BK: "Tensor", classes: int) -> "Tensor":
        import torch

        weight_BK = weight_BK.double().clamp_min(torch.finfo(torch.float64).tiny)  # all weights may underflow to 0
        return (label_N[nearest_BK] * weight_BK).sum(1, keepdim=True) / weight_BK.sum(1, keepdim=True)

    def predict(self, score_NC: NDArray[Any]) -> NDArray[Any]:
        predicted_N: NDArray[np.float64] = score_NC[:, 0].astype(np.float64)
        return predicted_N

    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        value_N = answers.label - answers.label.mean()  # squares of numbers far from 0 would cancel
        error_PN = answers.predicted_PN - answers.label
        rows = [np.ones(len(value_N)), value_N, value_N**2, *np.abs(error_PN), *error_PN**2]
        table_RM = np.stack([np.bincount(answers.recording_N, row, answers.recordings) for row in rows], 1)
        repeats = len(error_PN)

        def figures(count_DR: Counts) -> Figures:
            clips_D, sum_D, square_D, *errors = (count_DR.astype(np.float64) @ table_RM).T
            absolute_PD, squared_PD = np.stack(errors[:repeats]), np.stack(errors[repeats:])
            with np.errstate(invalid="ignore", divide="ignore"):
                variance_D = square_D - sum_D**2 / clips_D
                variance_D = np.where(variance_D > _CONSTANT * square_D, variance_D, np.nan)
                return {ERROR.name: absolute_PD / clips_D, R2.name: 1 - squared_PD / variance_D}

        return figures
