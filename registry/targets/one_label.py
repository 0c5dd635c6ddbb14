"""One label of several classes."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from registry.metrics import Answers, Counts, Figures, Metric
from registry.targets import Objective, Target

if TYPE_CHECKING:
    from torch import Tensor

ACCURACY = Metric("accuracy", "accuracy", head="")
MACRO_F1 = Metric("macro F1", "macro_f1", is_shown=False)


class OneLabel(Target):
    """One label a clip: cross-entropy; accuracy, and F1 averaged over the classes that clips have.

    A label is an index into the task's classes. Neighbours vote for their class.
    """

    source: ClassVar[str] = "Lin 2022 (accuracy)"
    holds = "one label a clip"
    by_class = True
    metrics = (ACCURACY, MACRO_F1)
    meaning = "accuracy"

    def array(self, labels: Sequence[Any], classes: int) -> NDArray[Any]:
        return np.asarray(labels, np.int64)

    def tensor(self, label: NDArray[Any]) -> "Tensor":
        import torch

        return torch.tensor(label)

    def objective(self, training: "Sequence[Tensor]") -> Objective:
        from registry.losses import cross_entropy

        return Objective(cross_entropy, lambda fold, output_NC: output_NC)

    def vote(self, label_N: "Tensor", nearest_BK: "Tensor", weight_BK: "Tensor", classes: int) -> "Tensor":
        vote_BC = weight_BK.new_zeros(len(nearest_BK), classes)
        return vote_BC.scatter_add_(1, label_N[nearest_BK], weight_BK)

    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        recordings, classes = answers.recordings, int(max(answers.label.max(), answers.predicted_PN.max())) + 1
        place_N = answers.recording_N * classes

        def counted(class_N: NDArray[np.int64], weight_N: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
            """``[R, C]`` how many clips of each recording have a class."""
            counts = np.bincount(place_N + class_N, weight_N, recordings * classes)
            return counts.reshape(recordings, classes).astype(np.float32)

        labelled_RC = counted(answers.label)
        tables = []  # of each repeat, side by side [R, 3 C]: right, labelled plus guessed, labelled
        for predicted_N in answers.predicted_PN:
            right_RC = counted(answers.label, (predicted_N == answers.label).astype(np.float64))
            tables.append(np.concatenate([right_RC, labelled_RC + counted(predicted_N), labelled_RC], 1))

        def figures(count_DR: Counts) -> Figures:
            accuracy, f1 = [], []
            for table_RC in tables:
                right_DC, both_DC, labelled_DC = np.split(count_DR @ table_RC, 3, axis=1)
                accuracy.append(right_DC.sum(1, dtype=np.float64) / labelled_DC.sum(1))
                f1_DC = 2 * right_DC / np.maximum(both_DC, 1)
                f1.append(f1_DC.sum(1, dtype=np.float64) / (labelled_DC > 0).sum(1))
            return {ACCURACY.name: np.stack(accuracy), MACRO_F1.name: np.stack(f1)}

        return figures

    def chief_under(self, answers: Answers) -> Callable[[Counts], NDArray[np.float64]]:
        """Accuracy without the counts by class: sums of whole numbers, so equal to that of ``under``."""
        recordings, repeats = answers.recordings, len(answers.predicted_PN)
        clips_R1 = np.bincount(answers.recording_N, minlength=recordings)[:, None]
        place_PN = answers.recording_N * repeats + np.arange(repeats)[:, None]
        right_PN = answers.predicted_PN == answers.label
        right_RP = np.bincount(place_PN[right_PN], minlength=recordings * repeats).reshape(recordings, repeats)
        table_RM = np.concatenate([right_RP, clips_R1], 1).astype(np.float32)

        def accuracy(count_DR: Counts) -> NDArray[np.float64]:
            count_MD = table_RM.T @ count_DR.T
            accuracy_PD: NDArray[np.float64] = np.divide(count_MD[:-1], count_MD[-1], dtype=np.float64)
            return accuracy_PD

        return accuracy
