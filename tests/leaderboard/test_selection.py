"""Four rules, one run."""

import pytest

from benchmark.suite.rules import Rule
from leaderboard.selection import RULES, selected_epochs
from registry.targets.number import ERROR
from registry.targets.one_label import ACCURACY

EPOCHS = [2, 4, 6]
FIGURES = {1: [0.9, 0.2, 0.3], 2: [0.1, 0.5, 0.4], 3: [0.2, 0.8, 0.9]}  # means 0.4, 0.5, 0.533


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ("last", {1: 6, 2: 6, 3: 6}),
        ("best-mean", {1: 6, 2: 6, 3: 6}),
        ("inner", {1: 4, 2: 6, 3: 2}),  # of the other two: .3 1.3 1.3, 1.1 1.0 1.2, 1.0 .7 .7
        ("split1", {1: 2, 2: 2, 3: 2}),
    ],
)
def test_every_rule_chooses_as_it_says(rule: Rule, chosen: dict[int, int]) -> None:
    assert selected_epochs(FIGURES, EPOCHS, rule, 1, ACCURACY) == chosen


def test_the_earliest_of_equals_is_chosen() -> None:
    ties = {1: [0.1, 0.3, 0.3], 2: [0.1, 0.3, 0.3]}
    for rule in ("best-mean", "inner", "split1"):
        assert selected_epochs(ties, EPOCHS, rule, 1, ACCURACY) == {1: 4, 2: 4}


def test_what_a_fold_is_measured_at_does_not_depend_on_its_own_accuracy_under_inner() -> None:
    for own in ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0]):
        chosen = selected_epochs({**FIGURES, 3: own}, EPOCHS, "inner", 1, ACCURACY)
        assert chosen is not None
        assert chosen[3] == 2


def test_a_rule_without_its_fold_chooses_nothing() -> None:
    assert selected_epochs({2: [0.1, 0.2, 0.3]}, EPOCHS, "inner", 1, ACCURACY) is None
    assert all(rule and selected_epochs({}, EPOCHS, rule, 1, ACCURACY) is None for rule in RULES)
    assert selected_epochs({2: [0.1, 0.2, 0.3]}, EPOCHS, "split1", 1, ACCURACY) is None
    assert {r for r in RULES if selected_epochs({1: [0.1, 0.2, 0.3]}, EPOCHS, r, 1, ACCURACY)} == set(RULES) - {"inner"}


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ("last", {1: 6, 2: 6, 3: 6}),
        ("best-mean", {1: 2, 2: 2, 3: 2}),
        ("inner", {1: 2, 2: 4, 3: 4}),
        ("split1", {1: 4, 2: 4, 3: 4}),
    ],
)
def test_of_errors_the_lowest_is_chosen(rule: Rule, chosen: dict[int, int]) -> None:
    assert selected_epochs(FIGURES, EPOCHS, rule, 1, ERROR) == chosen
