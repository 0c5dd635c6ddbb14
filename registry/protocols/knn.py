"""Nearest neighbours in the embedding space."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.errors import Mistake
from registry.metrics import figure, rankable
from registry.protocols import Labels, Outcome, Protocol, Subject
from registry.protocols._inner import inner_folds
from registry.settings import Settings
from registry.standing import Objection, Standing

_QUERIES_AT_ONCE = 4096


class Knn(Protocol["Knn.Config"]):
    """Weighted vote of the nearest training clips by cosine similarity.

    The bank holds the embeddings of the training folds, made by the same encoder. K is chosen by cross-validation
    inside the training folds alone: each of them is held out in turn, the best mean accuracy wins, the smaller K on a
    tie. Where clips have several labels a neighbour votes for each of its own, and the mean average precision chooses.
    Of few shots no more neighbours vote than a class may have in the bank: a larger K is taken as the number of shots.
    Lin 2022 chooses K by cross-validation and does not state the weighting; NPID weighs by
    exp(similarity / 0.07).
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

    def evaluate(
        self, subject: Subject, labels: Labels, folds: Sequence[int], seed: int, tell: Callable[[str], None]
    ) -> list[Outcome]:
        config = self.config
        assert subject.embeddings is not None
        embeddings = subject.embeddings.of(config.inputs)
        unit_ND = F.normalize(embeddings.mean(len(labels.label_N)).to(subject.device), dim=1)
        label_N = labels.label_N.to(subject.device)

        def votes(queries: Tensor, bank: Tensor, k: list[int]) -> dict[int, Tensor]:
            return neighbour_votes(unit_ND[queries], unit_ND[bank], label_N[bank], labels.classes, k, config)

        outcomes = []
        for fold in folds:
            train, test = labels.train(fold), labels.test(fold)
            best = _choose(labels, train, votes, config.k)
            scores_NC = votes(test, train, [best])[best]
            outcomes.append(
                Outcome(
                    fold=fold,
                    clips=test.numpy(),
                    scores=scores_NC.float().cpu().numpy(),
                    epochs=[],
                    predicted=scores_NC.argmax(1, keepdim=True).T.cpu().numpy(),
                    facts={"k": best},
                )
            )
            tell(f"fold {fold}: k {best}")
        return outcomes


def _choose(labels: Labels, train: Tensor, votes: Callable[..., dict[int, Tensor]], candidates: Sequence[int]) -> int:
    """The candidate with the best figure over parts of the training clips held out in turn; one alone as it is.

    Of few shots the smallest, where nothing can be held out or too little is left for any of them.
    """
    if labels.shots is not None:
        candidates = sorted({min(k, labels.shots, len(train)) for k in candidates})
    inner = inner_folds(labels, train) if len(candidates) > 1 else []
    inner = [part for part in inner if not labels.several or len(rankable(labels.label_N[part].numpy()))]
    smallest = min((len(train) - len(held_out) for held_out in inner), default=len(train))
    usable = [k for k in sorted(candidates) if k <= smallest]
    if labels.shots is not None and not (inner and usable):
        return candidates[0]
    if len(candidates) > 1 and not inner:
        raise Mistake("no part of the training folds has clips with a class and clips without", fix="name one k")
    if not usable:
        raise Mistake(f"every k of {candidates} is larger than the bank of {smallest} clips", fix="name a smaller k")
    total = dict.fromkeys(usable, 0.0)
    for held_out in inner:
        bank = train[~torch.isin(train, held_out)]
        for k, vote in votes(held_out, bank, usable).items():
            total[k] += figure(labels.label_N[held_out].numpy(), vote.cpu().numpy())
    return max(usable, key=lambda k: (round(total[k], 9), -k))


def neighbour_votes(
    query_BD: Tensor, bank_ND: Tensor, label_N: Tensor, classes: int, k: Sequence[int], config: Knn.Config
) -> dict[int, Tensor]:
    """Summed votes ``[B, classes]`` of the nearest bank entries, for several K from one search.

    Args:
        query_BD: unit norm.
        bank_ND: unit norm.
        label_N: class of each bank entry, or ``[N, classes]`` of zeros and ones.
        classes: how many.
        k: how many neighbours vote.
        config: weighting.
    """
    chunks: dict[int, list[Tensor]] = {one: [] for one in k}
    for query in query_BD.split(_QUERIES_AT_ONCE):
        similarity_BK, nearest_BK = (query @ bank_ND.T).topk(max(k), dim=1)
        weight_BK = torch.ones_like(similarity_BK)
        if config.weights == "exp":
            weight_BK = ((similarity_BK - 1) / config.temperature).exp()  # minus 1: same order, no overflow
        votes = _shared_votes if label_N.ndim > 1 else _votes
        for one in k:
            chunks[one].append(votes(label_N, nearest_BK[:, :one], weight_BK[:, :one], classes))
    return {one: torch.cat(parts) for one, parts in chunks.items()}


def _votes(label_N: Tensor, nearest_BK: Tensor, weight_BK: Tensor, classes: int) -> Tensor:
    """Votes ``[B, classes]`` of neighbours with one label each."""
    vote_BC = torch.zeros(len(nearest_BK), classes, device=nearest_BK.device)
    return vote_BC.scatter_add_(1, label_N[nearest_BK], weight_BK)


def _shared_votes(label_NC: Tensor, nearest_BK: Tensor, weight_BK: Tensor, classes: int) -> Tensor:
    """Votes ``[B, classes]`` of neighbours that vote for each of their labels."""
    vote_BC = torch.zeros(len(nearest_BK), classes, device=nearest_BK.device)
    for nearest_B, weight_B in zip(nearest_BK.T, weight_BK.T, strict=True):  # all at once would need [B, K, classes]
        vote_BC.addcmul_(label_NC[nearest_B], weight_B.unsqueeze(1))
    return vote_BC
