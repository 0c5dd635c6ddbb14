"""Statistics of predictions: what a difference is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000
ALPHA = 0.05
BLOCK = 2**22  # clips drawn at once: some 100 MB

Correct = Mapping[int, NDArray[np.float64]]  # for each fold, how often each of its clips was right


@dataclass(frozen=True)
class Interval:
    """An accuracy, or a paired difference of accuracies, and its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_difference(
    correct: Mapping[int, NDArray[np.float64]], control: Mapping[int, NDArray[np.float64]], seed: int = 0
) -> Interval:
    """Mean over folds of the difference in accuracy on the same clips, with a stratified bootstrap interval.

    Clips are drawn with replacement within each fold, all folds together, and both systems see the same draw.

    Args:
        correct: for each fold, ``[n]`` how often each test clip was right (0 or 1; a fraction over several seeds).
        control: the same clips, in the same order.
        seed: of the draws.

    Raises:
        ValueError: if the folds or clips differ.
    """
    observed, drawn = _differences(correct, control, seed)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(observed, float(low), float(high))


def _differences(correct: Correct, control: Correct, seed: int) -> tuple[float, NDArray[np.float64]]:
    """The difference in accuracy, and its bootstrap draws ``[DRAWS]``."""
    _same_clips([correct, control])
    rng = np.random.default_rng(seed)
    observed, drawn = [], np.zeros(DRAWS)
    for fold in sorted(correct):
        difference_N = correct[fold] - control[fold]
        observed.append(difference_N.mean())
        # Clips with equal differences are interchangeable: counts of distinct values are all that a draw changes.
        values, counts = np.unique(difference_N, return_counts=True)
        shares = counts / counts.sum()
        drawn += rng.multinomial(len(difference_N), shares, DRAWS) @ values / len(difference_N)
    return float(np.mean(observed)), drawn / len(observed)


def _same_clips(corrects: Sequence[Correct]) -> None:
    clips = [{fold: len(right_N) for fold, right_N in correct.items()} for correct in corrects]
    if any(own != clips[0] for own in clips):
        raise ValueError("a paired difference needs the same clips in the same folds")


def accuracy(correct: Mapping[int, NDArray[np.float64]]) -> Interval:
    """Mean over folds of the accuracy, with the interval that :func:`paired_difference` has."""
    return paired_difference(correct, {fold: np.zeros_like(own) for fold, own in correct.items()})


def draws(corrects: Sequence[Correct], seed: int = 0) -> NDArray[np.float64]:
    """Bootstrap draws of many entries' accuracies, ``[entries, DRAWS]``, in [0, 1]; every entry sees the same clips.

    Clips are drawn as :func:`paired_difference` draws them, so the difference of two rows is a draw of a paired
    difference. A draw depends on the seed and the folds' sizes alone: other entries do not change an entry's row.

    Args:
        corrects: for each entry, what :func:`paired_difference` takes.
        seed: of the draws.

    Raises:
        ValueError: if the folds or clips differ.
    """
    _same_clips(corrects)
    rng = np.random.default_rng(seed)
    drawn_ED = np.zeros((len(corrects), DRAWS))
    for fold in sorted(corrects[0]):
        right_EN = np.stack([correct[fold] for correct in corrects])
        n = right_EN.shape[1]
        rows = max(1, BLOCK // n)
        for start in range(0, DRAWS, rows):
            size = min(rows, DRAWS - start)
            # Each draw counts in a range of its own, so that one bincount serves the block.
            clip = rng.integers(n, size=(size, n))
            clip += n * np.arange(size)[:, None]
            count_DN = np.bincount(clip.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
            drawn_ED[:, start : start + size] += right_EN @ count_DN.T / n
    return drawn_ED / len(corrects[0])


def paired_p(correct: Correct, control: Correct, seed: int = 0) -> float:
    """Two-sided p-value of no difference in accuracy, from the paired bootstrap; at least 1 / (DRAWS + 1).

    The draws scatter about the observed difference. Moved to zero they stand for the null, and p is the share, the
    observation counted in, at least as far from zero as what was observed (Davison and Hinkley 1997, section 4.4).

    Raises:
        ValueError: if the folds or clips differ.
    """
    return _centred_p(*_differences(correct, control, seed))


def _centred_p(observed: float, drawn: NDArray[np.float64]) -> float:
    # Accuracies are coarse, so draws often lie exactly as far as the observation: rounding must not part them.
    extreme = np.abs(drawn - observed) >= abs(observed) - 1e-9
    return float((1 + extreme.sum()) / (1 + len(drawn)))


def pairwise_p(corrects: Sequence[Correct], seed: int = 0) -> NDArray[np.float64]:
    """``[entries, entries]`` p-values of :func:`paired_p` for every pair, adjusted by :func:`holm`; 1 on the diagonal.

    A bootstrap's p-value has a floor, so with more than 32 entries (500 pairs) none could fall to 0.05.

    Raises:
        ValueError: if the folds or clips differ.
    """
    drawn_ED = draws(corrects, seed)
    mean_E = [np.mean([right_N.mean() for right_N in correct.values()]) for correct in corrects]
    pairs = list(combinations(range(len(corrects)), 2))
    adjusted = holm([_centred_p(float(mean_E[a] - mean_E[b]), drawn_ED[a] - drawn_ED[b]) for a, b in pairs])
    p_EE = np.ones((len(corrects), len(corrects)))
    for (a, b), p in zip(pairs, adjusted, strict=True):
        p_EE[a, b] = p_EE[b, a] = p
    return p_EE


def mcnemar(correct: Correct, control: Correct) -> float:
    """Exact two-sided p-value of McNemar's test: of the clips that one alone has right, each has half (1947).

    All folds' clips count together, so its null is that of accuracy over clips.

    Raises:
        ValueError: if the folds or clips differ, or a clip is partly right, as the mean over seeds is.
    """
    from scipy.stats import binomtest

    _same_clips([correct, control])
    own, other = (np.concatenate([system[fold] for fold in sorted(correct)]) for system in (correct, control))
    if not np.isin([own, other], (0, 1)).all():
        raise ValueError("McNemar's test needs clips that are right or wrong: one seed")
    alone, other_alone = int((own > other).sum()), int((own < other).sum())
    return float(binomtest(alone, alone + other_alone).pvalue) if alone + other_alone else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """P-values adjusted for how many there are, in their order, so that the family-wise error holds (Holm 1979)."""
    p_M = np.asarray(p, dtype=np.float64)
    order = np.argsort(p_M)
    stepped = np.maximum.accumulate(p_M[order] * np.arange(len(p_M), 0, -1))
    adjusted = np.empty_like(p_M)
    adjusted[order] = np.minimum(stepped, 1)
    return [float(value) for value in adjusted]


@dataclass(frozen=True)
class Rank:
    """The ranks, counted from 1, that an entry may have within noise."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def ranks(means: Sequence[float], p_EE: NDArray[np.float64]) -> list[Rank]:
    """Each entry's ranks: behind the entries significantly better (p <= 0.05), before those significantly worse.

    Args:
        means: of the entries, in any order; higher is better.
        p_EE: ``[entries, entries]`` adjusted p-values, as :func:`pairwise_p` has them.
    """
    mean_E = np.asarray(means)
    apart_EE = p_EE <= ALPHA
    better_E = (apart_EE & (mean_E[None, :] > mean_E[:, None])).sum(1)
    worse_E = (apart_EE & (mean_E[None, :] < mean_E[:, None])).sum(1)
    return [Rank(1 + int(b), len(mean_E) - int(w)) for b, w in zip(better_E, worse_E, strict=True)]


@dataclass(frozen=True)
class Friedman:
    """Whether entries differ across tasks, and by how much mean ranks must (Demsar 2006, JMLR 7).

    Args:
        statistic: Friedman's chi-squared, corrected for ties.
        p: of no entry differing.
        mean_ranks: of each entry over tasks; 1 is the best.
        critical_difference: Nemenyi's, of two mean ranks, at 0.05.
    """

    statistic: float
    p: float
    mean_ranks: list[float]
    critical_difference: float


def friedman(scores: NDArray[np.float64]) -> Friedman:
    """Friedman's test with Nemenyi's critical difference.

    Args:
        scores: ``[tasks, entries]``, higher is better; every entry on every task.

    Raises:
        ValueError: with fewer than three entries or two tasks, or where a score is missing.
    """
    from scipy.stats import friedmanchisquare, rankdata

    tasks, entries = scores.shape
    if entries < 3 or tasks < 2 or not np.isfinite(scores).all():
        raise ValueError(f"Friedman's test needs three entries on the same two tasks or more, got {scores.shape}")
    rank_TE = rankdata(-scores, axis=1)
    if (rank_TE == rank_TE[0, 0]).all():  # every entry ties on every task: scipy would divide by zero
        statistic, p = 0.0, 1.0
    else:
        statistic, p = map(float, friedmanchisquare(*scores.T))
    return Friedman(statistic, p, [float(rank) for rank in rank_TE.mean(0)], critical_difference(entries, tasks))


def critical_difference(entries: int, tasks: int) -> float:
    """Nemenyi's critical difference of two mean ranks at 0.05, from the studentised range (Demsar 2006)."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - ALPHA, entries, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(entries * (entries + 1) / (6 * tasks)))
