"""The checks of a judge, which is a target or a protocol's own judge, and labels for these checks."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.contracts import Broken
from registry.metrics import Answers, Judge
from registry.targets import Target

CLASSES = 3
_PERMUTATIONS = 200
_FARTHEST = 4.0  # deviations: chance is never so far from its mean


def labels_for(target: Target, clips: int) -> NDArray[Any]:
    """Labels of clips in the form of a target, the same every time: the classes in turn, or labels made from these."""
    of_class: list[Any] = [clip % CLASSES for clip in range(clips)]
    if target.by_class:
        return target.array(of_class, CLASSES)
    several = [(0,), (1,), (1, 2)]
    try:  # tuples first: a target of numbers refuses tuples, but a target of tuples may accept numbers
        return target.array([several[index] for index in of_class], CLASSES)
    except (ValueError, TypeError):
        return target.array([1.0 + 10.0 * index for index in of_class], 0)


def classes_of(label: NDArray[Any]) -> int:
    """The number of classes of labels; 0 where labels are numbers."""
    return 0 if label.dtype.kind == "f" and label.ndim == 1 else CLASSES


def distance_from_chance(judge: Judge, label: NDArray[Any], predicted_N: NDArray[Any], score_NC: NDArray[Any]) -> float:
    """How much better predictions are than chance by the chief metric, in deviations of chance.

    Chance is the figures of the same predictions with the labels in random order.
    """
    rng, chief = np.random.default_rng(0), judge.chief
    orders = [label, *(label[rng.permutation(len(label))] for _ in range(_PERMUTATIONS))]
    figures = [judge.figures(dealt, predicted_N[None], score_NC[None])[chief.name][0] for dealt in orders]
    observed, *chance = chief.merit(figures)
    return float((observed - np.mean(chance)) / max(float(np.std(chance)), 1e-9))


def require_chance(distance: float, of: str) -> str:
    """How far predictions are from chance, in words.

    Raises:
        Broken: if predictions are farther from chance than chance goes.
    """
    if not abs(distance) < _FARTHEST:
        fix = "train on what split.train gives alone, and predict from the embeddings"
        raise Broken(f"chance, within {_FARTHEST} deviations, of {of}", f"{distance:+.1f} deviations", fix)
    return f"{distance:+.1f} deviations from it"


def require_better(distance: float, of: str) -> str:
    """How much better than chance predictions are, in words.

    Raises:
        Broken: if predictions are no better than chance.
    """
    if not distance > _FARTHEST:
        fix = "check the direction of the chief metric (higher_is_better), and what is learned"
        raise Broken(f"more than chance, by {_FARTHEST} deviations, of {of}", f"{distance:+.1f} deviations", fix)
    return f"{distance:+.1f} deviations above it"


def require_names(judge: Judge) -> str:
    """The names of a judge's metrics.

    Raises:
        Broken: if there are no metrics, two metrics have one name or column, or ``meaning`` is empty.
    """
    names, columns = [metric.name for metric in judge.metrics], [metric.column for metric in judge.metrics]
    if not names or len({*names}) < len(names) or len({*columns}) < len(columns):
        raise Broken("metrics, each of a name and a column of its own", f"{names}, {columns}", "tell them apart")
    if not judge.meaning.strip():
        raise Broken("words for the note of a leaderboard", "none", 'meaning = "mean absolute error, in degrees"')
    better = {True: "higher", False: "lower"}
    return ", ".join(f"{metric.name} ({better[metric.higher_is_better]} is better)" for metric in judge.metrics)


def require_counts(judge: Judge, label: NDArray[Any], predicted_N: NDArray[Any], score_NC: NDArray[Any]) -> str:
    """Requires that a recording with a count of n gives the figures of a recording whose clips are there n times.

    Raises:
        Broken: if the figures differ, or are not of the metrics in ``metrics``.
    """
    recording_N = np.arange(len(label)) // 2
    count_R = np.random.default_rng(0).integers(0, 4, recording_N[-1] + 1)
    answers = Answers(label, predicted_N[None], score_NC[None], recording_N)
    drawn = judge.under(answers)(np.stack([np.ones_like(count_R), count_R]).astype(np.float32))
    names = [metric.name for metric in judge.metrics]
    alone = judge.chief_under(answers)(np.stack([np.ones_like(count_R), count_R]).astype(np.float32))
    if judge.chief.name in drawn and not np.array_equal(alone, drawn[judge.chief.name], equal_nan=True):
        fix = "compute both alike, or leave chief_under out"
        raise Broken(f"{judge.chief.name} of {drawn[judge.chief.name]} from chief_under", str(alone), fix)
    if {*drawn} != {*names}:
        raise Broken(f"figures of {names}", str([*drawn]), "give those that metrics names")
    repeated_M = np.repeat(np.arange(len(label)), count_R[recording_N])
    expected = {
        "every clip counts once": judge.figures(label, predicted_N[None], score_NC[None]),
        "recordings count 0 to 3 times": judge.figures(
            label[repeated_M], predicted_N[repeated_M][None], score_NC[repeated_M][None]
        ),
    }
    for draw, (case, figures) in enumerate(expected.items()):
        for name, figure_P in figures.items():
            found_P = drawn[name][:, draw]
            if figure_P.shape != (1,) or not np.allclose(found_P, figure_P, rtol=1e-5, equal_nan=True):
                fix = "weigh every clip by how often its recording is drawn: count_DR[:, answers.recording_N]"
                raise Broken(f"{name} of {figure_P} where {case}", str(found_P), fix)
    return ", ".join(f"{name} {figure_P[0]:.3f}" for name, figure_P in expected["every clip counts once"].items())
