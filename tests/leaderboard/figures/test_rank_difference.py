from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import rankdata

from leaderboard.figures import rank_difference
from leaderboard.figures.rank_difference import MeanRanks, groups
from leaderboard.statistics import friedman
from tests.leaderboard.figures.gallery import data_of

# Demsar 2006, Table 6 and Figure 1a: four classifiers on 14 data sets, Nemenyi's critical difference 1.25.
DEMSAR = MeanRanks(["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"], [3.143, 2.000, 2.893, 1.964], 1.25)


def bars(figure: Figure) -> list[tuple[float, float]]:
    lines = [data_of(line) for line in figure.axes[0].lines if line.get_label() == "no difference"]
    return [(first, last) for (first, _), (last, _) in lines]


def test_each_name_hangs_from_its_mean_rank_the_better_half_at_the_left() -> None:
    axes = rank_difference.draw(DEMSAR).axes[0]
    lines = [line for line in axes.lines if line.get_label() in DEMSAR.entries]
    hangs = {line.get_label(): [x for x, _ in data_of(line)] for line in lines}
    assert {entry: x[0] for entry, x in hangs.items()} == dict(zip(DEMSAR.entries, DEMSAR.mean_ranks, strict=True))
    assert {entry for entry, x in hangs.items() if x[-1] < 1} == {"C4.5+m", "C4.5+m+cf"}
    written = [text.get_text() for text in axes.texts]
    assert "C4.5+m+cf  1.96" in written
    assert "2.89  C4.5+cf" in written


def test_demsars_four_classifiers_do_not_differ_at_5_percent_and_are_two_groups_at_10() -> None:
    assert bars(rank_difference.draw(DEMSAR)) == [(1.964, 3.143)]
    assert bars(rank_difference.draw(MeanRanks(DEMSAR.entries, DEMSAR.mean_ranks, 1.12))) == [
        (1.964, 2.893),
        (2.893, 3.143),
    ]


def test_bars_join_exactly_the_pairs_that_do_not_differ() -> None:
    rng = np.random.default_rng(0)
    rank_E = rankdata(rng.normal(size=(6, 30)), axis=1).mean(0)
    for difference in (0.0, 1.0, 4.0, 40.0):
        joined = groups(rank_E.tolist(), difference)
        for a in rank_E:
            for b in rank_E:
                if a < b:
                    assert any(low <= a and b <= high for low, high in joined) == (b - a < difference)
        assert len(set(joined)) == len(joined)


def test_bars_on_one_level_do_not_touch() -> None:
    ranks = MeanRanks([f"e{i}" for i in range(30)], [1 + 0.9 * i for i in range(30)], 3.0)
    lines = [line for line in rank_difference.draw(ranks).axes[0].lines if line.get_label() == "no difference"]
    assert len(lines) == 27
    taken = sorted((y, start, end) for (start, y), (end, _) in map(data_of, lines))
    for (y, _, end), (next_y, start, _) in pairwise(taken):
        assert y != next_y or end < start


def test_the_critical_difference_is_drawn_to_scale_or_said_to_be_wider() -> None:
    axes = rank_difference.draw(DEMSAR).axes[0]
    (ruler,) = [line for line in axes.lines if line.get_label() == "critical difference"]
    assert data_of(ruler)[1][0] - data_of(ruler)[0][0] == pytest.approx(1.25)
    axes = rank_difference.draw(MeanRanks(["a", "b"], [1.0, 2.0], 9.0)).axes[0]
    assert any("wider" in text.get_text() for text in axes.texts)


@pytest.mark.parametrize("entries", [1, 2, 3, 30])
def test_any_number_of_entries_is_named(entries: int) -> None:
    names = [f"e{i}" for i in range(entries)]
    axes = rank_difference.draw(MeanRanks(names, [float(i + 1) for i in range(entries)], 2.0)).axes[0]
    written = " ".join(text.get_text() for text in axes.texts).split()
    assert set(names) <= set(written)


def test_words_give_the_best_and_how_many_do_not_differ() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.8, 0.7, 0.2], [0.7, 0.6, 0.5]])
    test = friedman(scores)
    words = rank_difference.alt(MeanRanks(["a", "b", "c"], test.mean_ranks, test.critical_difference))
    assert "a has the best, 1.00; of the others 1 lie within" in words
