"""What predictions are worth: metrics, and judges that compute them under any counts of recordings. No torch here.

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
    """A figure that predictions have.

    Args:
        name: as people read it.
        column: as files name it.
        higher_is_better: whether a higher figure is the better one.
        decimals: how many a figure is written with; None for quantities of any size, which get three
            significant digits.
        unit: of the figure, as an axis names it; may be empty.
        head: what stands beside the protocol above a column whose chief metric it is; the name by default. It is empty
            for accuracy, which goes without saying.
        is_shown: whether it has a column of its own in tables, where it is not the chief metric.
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
        """What makes higher the better figure, as a factor."""
        return 1 if self.higher_is_better else -1

    @property
    def axis(self) -> str:
        """The name with the unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def merit(self, figures: ArrayLike) -> NDArray[np.float64]:
        """What is higher for the better figure, and equal where rounding alone tells figures apart."""
        figure = np.asarray(figures, np.float64)
        size = float(np.nanmax(np.abs(figure), initial=0.0)) if self.decimals is None else 0.0
        found: NDArray[np.float64] = self.sign * np.round(figure / (size or 1.0), _EQUAL)
        return found

    def best(self, figures: ArrayLike) -> int:
        """The place of the best of some figures, of equal ones the first."""
        return int(np.nan_to_num(self.merit(figures), nan=-np.inf).argmax())

    def decimals_of(self, *figures: float) -> int:
        """With how many decimals figures are written that stand together."""
        if self.decimals is not None:
            return self.decimals
        largest = max((abs(figure) for figure in figures if math.isfinite(figure)), default=0.0)
        return max(_SIGNIFICANT - 1 - math.floor(math.log10(largest)), 0) if largest else _SIGNIFICANT

    def write(self, *figures: float, sign: str = "") -> list[str]:
        """Figures that stand together, all with as many decimals; ``sign`` is ``+`` for differences."""
        decimals = self.decimals_of(*figures)
        return [f"{figure:{sign}.{decimals}f}" for figure in figures]


@dataclass(frozen=True)
class Answers:
    """What was predicted for N clips, in each of P repeats.

    Args:
        label: of the clips, as ``Target.array`` gives it: ``[N]``, or ``[N, C]`` where a clip may have several.
        predicted_PN: as ``Target.predict`` gives it.
        score_PNC: read for judges that use scores, else None.
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
    """Contract of a judge, which says what answers are worth: a target, or what a protocol brings of its own.

    ``metrics`` are what it computes, the chief one first, by which entries are ranked and K or an epoch is chosen;
    ``meaning`` is what a leaderboard says of them. ``uses_scores`` says whether it needs the scores, which a record
    holds of the last epoch alone; other judges compute their metrics from what was predicted.
    """

    metrics: ClassVar[tuple[Metric, ...]]
    meaning: ClassVar[str]
    uses_scores: ClassVar[bool] = False

    @property
    def chief(self) -> Metric:
        """The metric that ranks and chooses."""
        return self.metrics[0]

    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        """Every metric of answers when each recording counts as often as ``[D, R]`` says; ones give what is observed.

        So the bootstrap can draw recordings jointly for all entries. NaN where a metric is not defined in a draw.
        """
        raise NotImplementedError

    def undefined(self, label: NDArray[Any]) -> str:
        """Why the chief metric cannot be computed for clips with these labels, whatever is predicted; else empty."""
        return ""

    def cost(self, answers: Answers) -> int:
        """How many numbers a draw goes through where that takes long, so that fewer are drawn; else 0."""
        return 0

    def figures(
        self, label: NDArray[Any], predicted_PN: NDArray[Any], score_PNC: NDArray[Any] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Each metric ``[P]`` by its name, every clip counting once."""
        whole = Answers(label, predicted_PN, score_PNC, np.zeros(len(label), np.int64))
        found = self.under(whole)(np.ones((1, 1), np.float32))
        return {metric: figure_P1[:, 0] for metric, figure_P1 in found.items()}


def mean_of_defined(of_classes: Sequence[NDArray[np.float64]], draws: int) -> NDArray[np.float64]:
    """The mean ``[D]`` over the classes whose figures are defined in a draw; NaN where none is."""
    figures_CD = np.stack(of_classes) if of_classes else np.empty((0, draws))
    defined_CD = np.isfinite(figures_CD)
    with np.errstate(invalid="ignore"):
        mean_D: NDArray[np.float64] = np.where(defined_CD, figures_CD, 0).sum(0) / defined_CD.sum(0)
    return mean_D
