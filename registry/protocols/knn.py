"""Nearest neighbours in the embedding space."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.errors import Mistake
from registry.protocols import Outcome, Protocol, Split, Subject
from registry.protocols._inner import inner_folds
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.targets import Target

_QUERIES_AT_ONCE = 4096


class Knn(Protocol["Knn.Config"]):
    """Weighted vote of the nearest training clips by cosine similarity.

    The bank holds the embeddings of the training folds, made by the same encoder. K is chosen by cross-validation
    inside the training folds alone: each of them is held out in turn, the best mean of the target's chief metric wins,
    the smaller K on a tie. Where clips have several labels a neighbour votes for each of its own; where they have a
    number, the weighted mean of the neighbours' numbers is predicted. Where few shots train, no more neighbours vote
    than a class may have in the bank: a larger K is taken as the number of shots. Lin 2022 chooses K by
    cross-validation and does not state the weighting; NPID weighs by exp(similarity / 0.07).
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
        self, subject: Subject, split: Split, folds: Sequence[int], seed: int, tell: Callable[[str], None]
    ) -> list[Outcome]:
        config = self.config
        assert subject.embeddings is not None
        labels, target = split.labels, split.labels.target
        embeddings = subject.embeddings.of(config.inputs)
        unit_ND = F.normalize(embeddings.mean(len(labels.label_N)).to(subject.device), dim=1)
        label_N = labels.label_N.to(subject.device)

        def votes(queries: Tensor, bank: Tensor, k: list[int]) -> dict[int, Tensor]:
            neighbours = unit_ND[bank], label_N[bank]
            return neighbour_votes(unit_ND[queries], *neighbours, target, labels.classes, k, config)

        outcomes = []
        for fold in folds:
            train, test = split.train(fold), split.test(fold)
            best = _choose(split, train, votes, config.k)
            score_NC = votes(test, train, [best])[best].cpu().numpy()
            outcomes.append(
                Outcome(
                    fold=fold,
                    clips=test.numpy(),
                    scores=score_NC,
                    epochs=[],
                    predicted=target.predict(score_NC)[None],
                    facts={"k": best},
                )
            )
            tell(f"fold {fold}: k {best}")
        return outcomes


def _choose(split: Split, train: Tensor, votes: Callable[..., dict[int, Tensor]], candidates: Sequence[int]) -> int:
    """The candidate with the best figure over parts of the training clips held out in turn; one alone as it is.

    Where few shots train it is the smallest, if nothing can be held out or too little is left for any of them.
    """
    label_N, target = split.labels.label_N, split.labels.target
    if split.shots is not None:
        candidates = sorted({min(k, split.shots, len(train)) for k in candidates})
    inner = inner_folds(split, train) if len(candidates) > 1 else []
    undefined = [target.undefined(label_N[part].numpy()) for part in inner]
    inner = [part for part, why in zip(inner, undefined, strict=True) if not why]
    smallest = min((len(train) - len(held_out) for held_out in inner), default=len(train))
    usable = [k for k in sorted(candidates) if k <= smallest]
    if split.shots is not None and not (inner and usable):
        return candidates[0]
    if len(candidates) > 1 and not inner:
        raise Mistake(f"no K can be chosen inside the training folds: of each, {undefined[0]}", fix="name one k")
    if not usable:
        raise Mistake(f"every k of {candidates} is larger than the bank of {smallest} clips", fix="name a smaller k")
    total = dict.fromkeys(usable, 0.0)
    for held_out in inner:
        bank = train[~torch.isin(train, held_out)]
        for k, vote in votes(held_out, bank, usable).items():
            total[k] += target.figure(label_N[held_out].numpy(), vote.cpu().numpy())
    return list(total)[target.chief.best(list(total.values()))]  # of equal ones the smallest


def neighbour_votes(
    query_BD: Tensor,
    bank_ND: Tensor,
    label_N: Tensor,
    target: Target,
    classes: int,
    k: Sequence[int],
    config: Knn.Config,
) -> dict[int, Tensor]:
    """Scores ``[B, C]`` by the votes of the nearest bank entries, for several K from one search.

    Args:
        query_BD: unit norm.
        bank_ND: unit norm.
        label_N: of each bank entry.
        target: counts the votes.
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
        for one in k:
            chunks[one].append(target.vote(label_N, nearest_BK[:, :one], weight_BK[:, :one], classes))
    return {one: torch.cat(parts) for one, parts in chunks.items()}
