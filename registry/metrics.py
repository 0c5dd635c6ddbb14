"""Metrics of predictions, and judges, which compute metrics under any counts of recordings. No torch here.

Names of dimensions: D draws, R recordings, P repeats, N clips, C classes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.float32]  # [D, R]
Figures = dict[str, NDArray[np.float64]]  # by the name of the metric, [P, D]
_SIGNIFICANT = 3
_EQUAL = 9  # digits of figures that count as equal


@dataclass(frozen=True)
class Metric:
    """A metric: how its figures are named, compared and written.

    Args:
        name: for people.
        column: the name in files.
        higher_is_better: whether a higher figure is better.
        decimals: the number of decimals of a written figure; None for quantities of any size, which get three
            significant digits.
        unit: of the figure, for an axis; may be empty.
        head: stands beside the protocol at the head of a column, if this is the column's chief metric; the name by
            default. It is empty for accuracy.
        is_shown: whether tables have a column for this metric where it is not the chief one.
    """

    name: str
    column: str
    higher_is_better: bool = True
    decimals: int | None = 3
    unit: str = "fraction"
    head: str | None = None
    is_shown: bool = True

    @property
    def sign(self) -> int:
        """1 if a higher figure is better, else -1: the figure times this is higher for the better figure."""
        return 1 if self.higher_is_better else -1

    @property
    def axis(self) -> str:
        """The name with the unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def merit(self, figures: ArrayLike) -> NDArray[np.float64]:
        """Numbers to compare figures by: higher is better, and figures that only rounding makes different are equal."""
        figure = np.asarray(figures, np.float64)
        size = float(np.nanmax(np.abs(figure), initial=0.0)) if self.decimals is None else 0.0
        merit: NDArray[np.float64] = self.sign * np.round(figure / (size or 1.0), _EQUAL)
        return merit

    def best(self, figures: ArrayLike) -> int:
        """The index of the best figure; the first where several are equal."""
        return int(np.nan_to_num(self.merit(figures), nan=-np.inf).argmax())

    def decimals_of(self, *figures: float) -> int:
        """The number of decimals for figures that stand together."""
        if self.decimals is not None:
            return self.decimals
        largest = max((abs(figure) for figure in figures if math.isfinite(figure)), default=0.0)
        return max(_SIGNIFICANT - 1 - math.floor(math.log10(largest)), 0) if largest else _SIGNIFICANT

    def write(self, *figures: float, sign: str = "") -> list[str]:
        """Writes figures that stand together, with the same number of decimals; ``sign`` is ``+`` for differences."""
        decimals = self.decimals_of(*figures)
        return [f"{figure:{sign}.{decimals}f}" for figure in figures]


@dataclass(frozen=True)
class Answers:
    """Predictions for N clips, in each of P repeats.

    Args:
        label: of the clips, in the form of ``Target.array``: ``[N]``, or ``[N, C]`` where a clip may have several.
        predicted_PN: in the form of ``Target.predict``.
        score_PNC: the scores, for judges that use them; else None.
        recording_N: number of the recording that each clip was cut from, 0 to R - 1.
    """

    label: NDArray[Any]
    predicted_PN: NDArray[Any]
    score_PNC: NDArray[Any] | None
    recording_N: NDArray[np.int64]

    @property
    def recordings(self) -> int:
        """How many recordings the clips were cut from."""
        return int(self.recording_N.max()) + 1


class Judge:
    """Contract of a judge, which computes the metrics of answers. Targets are judges; a protocol may bring another.

    ``metrics`` are the metrics that the judge computes. The chief metric comes first: it ranks entries, and chooses K
    or an epoch. ``meaning`` explains the metrics in a leaderboard's notes. ``uses_scores`` says whether the judge needs
    scores, which a record holds only of the last epoch; other judges compute their metrics from predictions.
    """

    metrics: ClassVar[tuple[Metric, ...]]
    meaning: ClassVar[str]
    uses_scores: ClassVar[bool] = False

    @property
    def chief(self) -> Metric:
        """The metric that ranks entries, and chooses K or an epoch."""
        return self.metrics[0]

    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        """A function from counts ``[D, R]`` to every metric, where each recording counts that often in a draw.

        With counts of 1 it gives the figures as they are. The bootstrap draws recordings jointly for all entries by
        such counts. A figure is NaN where the metric is not defined in a draw.
        """
        raise NotImplementedError

    def chief_under(self, answers: Answers) -> Callable[[Counts], NDArray[np.float64]]:
        """A function like that of ``under``, to the chief metric alone, ``[P, D]``.

        A judge whose other metrics take much longer gives a shorter way to the same figures.
        """
        under = self.under(answers)
        return lambda count_DR: under(count_DR)[self.chief.name]

    def undefined(self, label: NDArray[Any]) -> str:
        """Why the chief metric cannot be computed for clips with these labels; empty if it can."""
        return ""

    def cost(self, answers: Answers) -> int:
        """How many numbers one draw goes through, if that is slow, so that fewer draws are made; else 0."""
        return 0

    def figures(
        self, label: NDArray[Any], predicted_PN: NDArray[Any], score_PNC: NDArray[Any] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Each metric ``[P]``, by its name; every clip counts once."""
        figures = self.under(_whole(label, predicted_PN, score_PNC))(np.ones((1, 1), np.float32))
        return {metric: figure_P1[:, 0] for metric, figure_P1 in figures.items()}

    def chief_figure(
        self, label: NDArray[Any], predicted_PN: NDArray[Any], score_PNC: NDArray[Any] | None = None
    ) -> NDArray[np.float64]:
        """The chief metric ``[P]``; every clip counts once."""
        return self.chief_under(_whole(label, predicted_PN, score_PNC))(np.ones((1, 1), np.float32))[:, 0]


def _whole(label: NDArray[Any], predicted_PN: NDArray[Any], score_PNC: NDArray[Any] | None) -> Answers:
    """Answers for clips of one recording."""
    return Answers(label, predicted_PN, score_PNC, np.zeros(len(label), np.int64))


def mean_of_defined(of_classes: Sequence[NDArray[np.float64]], draws: int) -> NDArray[np.float64]:
    """The mean ``[D]`` over the classes whose figures are defined in a draw; NaN where no class has one."""
    figures_CD = np.stack(of_classes) if of_classes else np.empty((0, draws))
    defined_CD = np.isfinite(figures_CD)
    with np.errstate(invalid="ignore"):
        mean_D: NDArray[np.float64] = np.where(defined_CD, figures_CD, 0).sum(0) / defined_CD.sum(0)
    return mean_D
