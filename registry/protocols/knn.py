"""Nearest neighbours in the embedding space."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.errors import Mistake
from registry.protocols import Outcome, Protocol, Split, Subject, Tell
from registry.protocols._inner import inner_folds
from registry.settings import Settings
from registry.standing import Objection, Standing
from registry.targets import Target

_QUERIES_AT_ONCE = 4096


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
                    chosen={"k": best},
                )
            )
            tell(f"fold {fold}: k {best}")
        return outcomes


def _choose(split: Split, train: Tensor, votes: Callable[..., dict[int, Tensor]], candidates: Sequence[int]) -> int:
    """The K, of the candidates, with the best mean figure over the inner folds, which are held out in turn.

    A single candidate is taken as it is. Where few shots train, the smallest candidate is taken if there is no inner
    fold, or if every candidate is larger than the bank that is left.

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
    return list(total)[target.chief.best(list(total.values()))]  # on a tie, the smallest


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
        label_N: the label of each bank entry.
        target: counts the votes.
        classes: the number of classes.
        k: each number of neighbours that vote.
        config: the weights of votes.
    """
    chunks: dict[int, list[Tensor]] = {one: [] for one in k}
    for query in query_BD.split(_QUERIES_AT_ONCE):
        similarity_BK, nearest_BK = (query @ bank_ND.T).topk(max(k), dim=1)
        weight_BK = torch.ones_like(similarity_BK)
        if config.weights == "exp":
            weight_BK = ((similarity_BK - 1) / config.temperature).exp()  # minus 1: same order, no overflow
        for one in k:
            chunks[one].append(target.vote(label_N, nearest_BK[:, :one], weight_BK[:, :one], classes))
    return {one: torch.cat(votes) for one, votes in chunks.items()}
