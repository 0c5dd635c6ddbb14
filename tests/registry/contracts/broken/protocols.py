"""Protocols of which each fails the one check that it is called after."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from registry.metrics import Answers, Counts, Figures, Judge, Metric
from registry.protocols import Outcome, Protocol, Split, Subject

Tell = Callable[[str], None]


class _Centroid(Protocol):
    """The nearest mean of a class."""

    source: ClassVar[str] = "ours"
    uses_embeddings = True

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        assert subject.embeddings is not None
        z_ND = subject.embeddings.mean(len(split.labels.label_N))
        outcomes = []
        for fold in folds:
            test = split.test(fold)
            score_NC = self.scores(z_ND, split, fold).numpy()
            tell(f"fold {fold}")
            outcomes.append(Outcome(fold, test.numpy(), score_NC, [], split.labels.target.predict(score_NC)[None]))
        return outcomes

    def scores(self, z_ND: Tensor, split: Split, fold: int) -> Tensor:
        return _nearness(z_ND, split, split.train(fold), split.test(fold))


def _nearness(z_ND: Tensor, split: Split, train: Tensor, test: Tensor) -> Tensor:
    labels = split.labels
    mean_CD = torch.stack([z_ND[train][labels.label_N[train] == c].mean(0) for c in range(labels.classes)])
    return -torch.cdist(z_ND[test], mean_CD)


class Whole(_Centroid):
    """Keeps its contract."""

    name = "whole"


class Swapped(_Centroid):
    """Gives the second fold first."""

    name = "gives_an_outcome_a_fold"

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        first, *others = super().evaluate(subject, split, folds, seed, tell)
        return [*others[:1], first, *others[1:]]


class Doubled(_Centroid):
    """Gives two rows of predictions, and names no epoch."""

    name = "predicts_every_clip"

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        outcomes = super().evaluate(subject, split, folds, seed, tell)
        return [replace(own, predicted=own.predicted.repeat(2, 0)) for own in outcomes]


class Otherwise(_Centroid):
    """Predicts another class of the first clip than its scores say."""

    name = "predicts_by_its_scores"

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        outcomes = super().evaluate(subject, split, folds, seed, tell)
        for own in outcomes:
            own.predicted[0, 0] = (own.predicted[0, 0] + 1) % split.labels.classes
        return outcomes


class Indifferent(_Centroid):
    """Predicts the first class."""

    name = "tells_what_embeddings_tell"

    def scores(self, z_ND: Tensor, split: Split, fold: int) -> Tensor:
        return torch.tensor([2.0, 1, 1]).repeat(len(split.test(fold)), 1)


class ByPlace(_Centroid):
    """Knows in which order the classes come."""

    name = "stays_at_chance"

    def scores(self, z_ND: Tensor, split: Split, fold: int) -> Tensor:
        return torch.eye(3)[split.test(fold) % 3]


class Unseeded(_Centroid):
    """Draws from NumPy's generator."""

    name = "repeats_itself"

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        times = 1 + np.random.rand()
        outcomes = super().evaluate(subject, split, folds, seed, tell)
        return [replace(own, scores=own.scores * times) for own in outcomes]


class Peeking(_Centroid):
    """Looks at the label of the first clip that is tested."""

    name = "looks_at_no_test_label"

    def scores(self, z_ND: Tensor, split: Split, fold: int) -> Tensor:
        return super().scores(z_ND, split, fold) * (1 + split.labels.label_N[split.test(fold)[0]])


class Greedy(_Centroid):
    """Trains on all other folds, whatever the shots."""

    name = "trains_on_the_shots_alone"

    def scores(self, z_ND: Tensor, split: Split, fold: int) -> Tensor:
        every = torch.nonzero(split.labels.fold_N != fold).squeeze(1)
        return _nearness(z_ND, split, every, split.test(fold))


class Together(_Centroid):
    """Divides by the number of folds."""

    name = "folds_stand_alone"

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        outcomes = super().evaluate(subject, split, folds, seed, tell)
        return [replace(own, scores=own.scores / len(folds)) for own in outcomes]


class Mute(_Centroid):
    """Tells nothing."""

    name = "says_how_far_it_is"

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        return super().evaluate(subject, split, folds, seed, lambda *told: None)


class _Hits(Judge):
    """The share of clips that are predicted."""

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("hits", "hits"),)
    meaning: ClassVar[str] = "the share of clips that are predicted"

    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        hit_PN = answers.predicted_PN == answers.label

        def figures(count_DR: Counts) -> Figures:
            weight_DN = count_DR[:, answers.recording_N].astype(np.float64)
            return {"hits": hit_PN @ weight_DN.T / weight_DN.sum(1)}

        return figures


class Judged(_Centroid):
    """Keeps its contract, with a metric of its own."""

    name = "whole-2"
    judge = _Hits()


class _Twice(_Hits):
    metrics = (Metric("hits", "hits"), Metric("hits", "misses"))


class Ambiguous(_Centroid):
    """Calls two metrics the same."""

    name = "names_its_metrics"
    judge = _Twice()


class _Fixed(_Hits):
    def under(self, answers: Answers) -> Callable[[Counts], Figures]:
        found = super().under(answers)
        return lambda count_DR: found(np.ones_like(count_DR))


class Uncounted(_Centroid):
    """Has figures that do not depend on what is drawn."""

    name = "counts_recordings"
    judge = _Fixed()
