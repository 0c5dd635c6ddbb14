"""Nearest neighbours in the embedding space."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from pydantic import Field
from torch import Tensor

from registry.errors import Mistake
from registry.protocols import Labels, Outcome, Protocol, Subject
from registry.protocols._inner import inner_folds
from registry.settings import Settings

_QUERIES_AT_ONCE = 4096


class Knn(Protocol):
    """Weighted vote of the nearest training clips by cosine similarity.

    The bank holds the embeddings of the training folds, made by the same encoder. K is chosen by cross-validation
    inside the training folds alone: each of them is held out in turn, the best mean accuracy wins, the smaller K on a
    tie. Lin 2022 chooses K by cross-validation and does not state the weighting; NPID weighs by
    exp(similarity / 0.07).
    """

    source: ClassVar[str] = "Wu et al. 2018 (weights); Lin 2022 (choice of K)"
    uses_embeddings = True

    class Config(Settings):
        k: list[int] = Field([5, 10, 20, 35, 50, 100, 200], min_length=1, description="candidates for K")
        weights: Literal["exp", "uniform"] = Field("exp", description="exp(similarity / temperature), or one each")
        temperature: float = Field(0.07, gt=0, description="of exp weights")
        inputs: list[str] = Field(
            [], description="parts of the embedding, such as a multiformat's branches; all if none"
        )

    def evaluate(
        self, subject: Subject, labels: Labels, folds: Sequence[int], seed: int, tell: Callable[[str], None]
    ) -> list[Outcome]:
        config = self.config
        assert isinstance(config, Knn.Config)
        assert subject.embeddings is not None
        embeddings = subject.embeddings.of(config.inputs)
        unit_ND = F.normalize(embeddings.mean(len(labels.label_N)).to(subject.device), dim=1)
        label_N = labels.label_N.to(subject.device)

        def votes(queries: Tensor, bank: Tensor, k: list[int]) -> dict[int, Tensor]:
            return neighbour_votes(unit_ND[queries], unit_ND[bank], label_N[bank], labels.classes, k, config)

        outcomes = []
        for fold in folds:
            train, test = labels.train(fold), labels.test(fold)
            inner = inner_folds(labels, train)
            smallest = min(len(train) - len(held_out) for held_out in inner)
            usable = [k for k in sorted(config.k) if k <= smallest]
            if not usable:
                raise Mistake(
                    f"every k of {config.k} is larger than the bank of {smallest} clips", fix="name a smaller k"
                )
            hits = dict.fromkeys(usable, 0.0)
            for held_out in inner:
                bank = train[~torch.isin(train, held_out)]
                for k, vote in votes(held_out, bank, usable).items():
                    hits[k] += (vote.argmax(1) == label_N[held_out]).double().mean().item()
            best = max(usable, key=lambda k: (round(hits[k], 9), -k))
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


def neighbour_votes(
    query_BD: Tensor, bank_ND: Tensor, label_N: Tensor, classes: int, k: Sequence[int], config: Knn.Config
) -> dict[int, Tensor]:
    """Summed votes ``[B, classes]`` of the nearest bank entries, for several K from one search.

    Args:
        query_BD: unit norm.
        bank_ND: unit norm.
        label_N: class of each bank entry.
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
            vote_BC = torch.zeros(len(query), classes, device=query.device)
            chunks[one].append(vote_BC.scatter_add_(1, label_N[nearest_BK[:, :one]], weight_BK[:, :one]))
    return {one: torch.cat(parts) for one, parts in chunks.items()}
