"""What a judge keeps, whether a target or what a protocol brings of its own, and labels to judge by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from registry.contracts import Broken
from registry.metrics import Answers, Judge
from registry.targets import Target

CLASSES = 3
_PERMUTATIONS = 200
_FARTHEST = 4.0  # deviations from chance that chance itself does not reach


def labels_for(target: Target, clips: int) -> NDArray[Any]:
    """Labels of clips, the same every time, in the form that a target takes: classes in turn, or what follows them."""
    of_class: list[Any] = [clip % CLASSES for clip in range(clips)]
    if target.by_class:
        return target.array(of_class, CLASSES)
    several = [(0,), (1,), (1, 2)]
    try:  # tuples first: who takes numbers refuses them, while tuples may be made of anything
        return target.array([several[own] for own in of_class], CLASSES)
    except (ValueError, TypeError):
        return target.array([1.0 + 10.0 * own for own in of_class], 0)


def classes_of(label: NDArray[Any]) -> int:
    """How many classes labels are of; 0 of numbers."""
    return 0 if label.dtype.kind == "f" and label.ndim == 1 else CLASSES


def distance_from_chance(judge: Judge, label: NDArray[Any], predicted_N: NDArray[Any], score_NC: NDArray[Any]) -> float:
    """How much better predictions are than chance by the chief metric, in deviations of what chance gives.

    Chance is the same predictions, judged by labels that were dealt out anew.
    """
    rng, chief = np.random.default_rng(0), judge.chief
    dealt = [label, *(label[rng.permutation(len(label))] for _ in range(_PERMUTATIONS))]
    figures = [judge.figures(own, predicted_N[None], score_NC[None])[chief.name][0] for own in dealt]
    observed, *chance = chief.merit(figures)
    return float((observed - np.mean(chance)) / max(float(np.std(chance)), 1e-9))


def require_chance(distance: float, of: str) -> str:
    """How far predictions are from chance, in words.

    Raises:
        Broken: if that is farther than chance goes.
    """
    if not abs(distance) < _FARTHEST:
        fix = "train on what split.train gives alone, and predict from the embeddings"
        raise Broken(f"chance, within {_FARTHEST} deviations, of {of}", f"{distance:+.1f} deviations", fix)
    return f"{distance:+.1f} deviations from it"


def require_better(distance: float, of: str) -> str:
    """How much better than chance predictions are, in words.

    Raises:
        Broken: if that is no more than chance gives.
    """
    if not distance > _FARTHEST:
        fix = "check the direction of the chief metric (higher_is_better), and what is learned"
        raise Broken(f"more than chance, by {_FARTHEST} deviations, of {of}", f"{distance:+.1f} deviations", fix)
    return f"{distance:+.1f} deviations above it"


def require_names(judge: Judge) -> str:
    """The names of a judge's metrics.

    Raises:
        Broken: if there are none, or two of one name, or it says nothing of what they mean.
    """
    names, columns = [own.name for own in judge.metrics], [own.column for own in judge.metrics]
    if not names or len({*names}) < len(names) or len({*columns}) < len(columns):
        raise Broken("metrics, each of a name and a column of its own", f"{names}, {columns}", "tell them apart")
    if not judge.meaning.strip():
        raise Broken("words for the note of a leaderboard", "none", 'meaning = "mean absolute error, in degrees"')
    return ", ".join(f"{own.name} ({'higher' if own.higher_is_better else 'lower'} is better)" for own in judge.metrics)


def require_counts(judge: Judge, label: NDArray[Any], predicted_N: NDArray[Any], score_NC: NDArray[Any]) -> str:
    """That figures under counts are those of clips that are there as often.

    Raises:
        Broken: if they are not, or the figures are not those that ``metrics`` names.
    """
    recording_N = np.arange(len(label)) // 2
    count_R = np.random.default_rng(0).integers(0, 4, recording_N[-1] + 1)
    answers = Answers(label, predicted_N[None], score_NC[None], recording_N)
    drawn = judge.under(answers)(np.stack([np.ones_like(count_R), count_R]).astype(np.float32))
    if {*drawn} != {own.name for own in judge.metrics}:
        raise Broken(
            f"figures of {[own.name for own in judge.metrics]}", str([*drawn]), "give those that metrics names"
        )
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
