"""Nearest neighbours in the embedding space."""

from collections.abc import Iterable, Sequence
from operator import add
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from registry.errors import Mistake
from registry.halving import Halving
from registry.protocols import Labels, Outcome, Protocol, Split, Subject, Tell
from registry.protocols._inner import inner_folds
from registry.protocols._neighbours import Banks, unit_means
from registry.settings import Settings
from registry.standing import Objection, Standing


class Knn(Protocol["Knn.Config"]):
    """Weighted vote of the nearest training clips by cosine similarity.

    The bank holds the embeddings of the training clips, made by the same encoder. K is chosen by cross-validation
    inside the training folds: each training fold is held out in turn, and the K with the best mean of the target's
    chief metric wins; on a tie, the smaller K. Where clips have several labels, a neighbour votes for each of its
    labels. Where clips have a number, the prediction is the weighted mean of the neighbours' numbers. Where few shots
    train, a K that is larger than the number of shots is reduced to it. Lin 2022 chooses K by cross-validation and does
    not state the weighting; NPID weighs by exp(similarity / 0.07).
    """

    source: ClassVar[str] = "Wu et al. 2018 (weights); Lin 2022 (choice of K)"
    uses_embeddings = True

    class Config(Settings):
        k: list[Annotated[int, Field(ge=1)]] = Field(
            [5, 10, 20, 35, 50, 100, 200], min_length=1, description="candidates for K"
        )
        weights: Literal["exp", "uniform"] = Field("exp", description="exp(similarity / temperature), or one each")
        temperature: float = Field(0.07, gt=0, description="of exp weights")
        inputs: list[str] = Field(
            [], description="parts of the embedding, such as a multiformat's branches; all if none"
        )

    @classmethod
    def objections(cls, config: Any, standing: Standing) -> Iterable[Objection]:
        if standing.clips is not None and min(config.k) > standing.clips:
            what = f"every k of {config.k} is larger than the bank of {standing.clips} clips"
            yield Objection("k", what, "name a smaller k")

    def evaluate(self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Tell) -> list[Outcome]:
        trains = [split.train(fold) for fold in folds]
        vote = _Vote(subject, split.labels, self.config)
        chosen = _choose(split, trains, vote, self.config.k, tell)
        outcomes = []
        for fold, train, best in zip(folds, trains, chosen, strict=True):
            test = split.test(fold)
            score_NC = vote(test, [train], [[best]])[0][best].numpy()
            outcomes.append(
                Outcome(
                    fold=fold,
                    clips=test.numpy(),
                    scores=score_NC,
                    epochs=[],
                    predicted=split.labels.target.predict(score_NC)[None],
                    chosen={"k": best},
                )
            )
            tell(f"fold {fold}: k {best}")
        return outcomes


class _Vote:
    """The votes of the nearest clips.

    Args:
        subject: with embeddings.
        labels: of all clips.
        config: the weights of votes.
    """

    def __init__(self, subject: Subject, labels: Labels, config: Knn.Config) -> None:
        self.subject, self.labels, self.config = subject, labels, config
        self.label_N = labels.label_N.to(subject.device)
        self.unit_ND = unit_means(subject, len(labels.label_N), config.inputs)
        self.halving = Halving("queries", subject.say)

    def __call__(self, queries: Tensor, banks: Sequence[Tensor], k: Sequence[Sequence[int]]) -> list[dict[int, Tensor]]:
        """Scores ``[n, C]`` of some clips by the votes of their nearest in each bank, for several K from one search.

        Args:
            queries: positions of the clips.
            banks: positions of the clips that vote.
            k: for each bank, the numbers of neighbours that vote.
        """
        search = Banks(self.unit_ND, banks, list(map(max, k)), self.subject.device)
        scores: list[dict[int, Tensor]] = [{} for _ in banks]

        def vote(row_B: Tensor) -> None:
            for b, (similarity_BK, nearest_BK) in enumerate(search.nearest(self.unit_ND[queries[row_B]])):
                weight_BK = self._weights(similarity_BK)
                for one in k[b]:
                    vote_BC = self._counted(nearest_BK[:, :one], weight_BK[:, :one])
                    if one not in scores[b]:
                        scores[b][one] = self.subject.scratch(len(queries), vote_BC.shape[1], dtype=vote_BC.dtype)
                    scores[b][one][row_B[0] : row_B[-1] + 1] = vote_BC.cpu()

        for row_B in torch.arange(len(queries)).split(search.queries_at_once):
            self.halving(vote, row_B)
        return scores

    def _weights(self, similarity_BK: Tensor) -> Tensor:
        if self.config.weights == "uniform":
            return torch.ones_like(similarity_BK)
        return ((similarity_BK - 1) / self.config.temperature).exp()  # minus 1: same order, no overflow

    def _counted(self, nearest_BK: Tensor, weight_BK: Tensor) -> Tensor:
        return self.labels.target.vote(self.label_N, nearest_BK, weight_BK, self.labels.classes)


def _choose(split: Split, trains: Sequence[Tensor], vote: _Vote, candidates: Sequence[int], tell: Tell) -> list[int]:
    """For each test fold, whose training clips are given, the K with the best mean figure over its inner folds."""
    label_N, target = split.labels.label_N, split.labels.target
    asked = [_candidates(split, train, candidates) for train in trains]
    # Clips that are inner folds of several test folds are compared with the others once.
    of_clips: dict[bytes, list[tuple[int, int]]] = {}
    for f, (inner, _) in enumerate(asked):
        for i, held_out in enumerate(inner):
            of_clips.setdefault(held_out.numpy().tobytes(), []).append((f, i))
    figures: dict[tuple[int, int], list[float]] = {}
    for places in of_clips.values():
        held_out = asked[places[0][0]][0][places[0][1]]
        banks = [trains[f][~torch.isin(trains[f], held_out)] for f, _ in places]
        label = label_N[held_out].numpy()
        for place, scores in zip(places, vote(held_out, banks, [asked[f][1] for f, _ in places]), strict=True):
            figures[place] = [target.figure(label, scores[k].numpy()) for k in asked[place[0]][1]]
        tell(f"k chosen with {len(held_out)} clips held out")
    chosen = []
    for f, (inner, usable) in enumerate(asked):
        total = [0.0] * len(usable)
        for i in range(len(inner)):  # one after the other: ``sum`` rounds otherwise, and a tie would be none
            total = list(map(add, total, figures[f, i]))
        chosen.append(usable[target.chief.best(total)])  # on a tie, the smallest
    return chosen


def _candidates(split: Split, train: Tensor, candidates: Sequence[int]) -> tuple[list[Tensor], list[int]]:
    """The inner folds, which are held out in turn, and the candidates for K that the bank which is left is enough for.

    There are no inner folds where nothing is to be chosen: a single candidate is taken as it is. Where few shots train,
    the smallest candidate is taken if there is no inner fold, or if every candidate is larger than the bank.

    Raises:
        Mistake: if no inner fold has a figure, or every candidate is larger than the bank that is left.
    """
    label_N, target = split.labels.label_N, split.labels.target
    if split.shots is not None:
        candidates = sorted({min(k, split.shots, len(train)) for k in candidates})
    inner = inner_folds(split, train) if len(candidates) > 1 else []
    undefined = [target.undefined(label_N[held_out].numpy()) for held_out in inner]
    inner = [held_out for held_out, why in zip(inner, undefined, strict=True) if not why]
    smallest = min((len(train) - len(held_out) for held_out in inner), default=len(train))
    usable = [k for k in sorted(candidates) if k <= smallest]
    if split.shots is not None and not (inner and usable):
        return [], [candidates[0]]
    if len(candidates) > 1 and not inner:
        raise Mistake(f"no K can be chosen inside the training folds: of each, {undefined[0]}", fix="name one k")
    if not usable:
        raise Mistake(f"every k of {candidates} is larger than the bank of {smallest} clips", fix="name a smaller k")
    return inner, usable
