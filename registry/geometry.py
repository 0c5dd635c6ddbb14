"""Measures of how embeddings lie on the sphere. They tell a useful representation from a collapsed one."""

import torch
from torch import Tensor


def deviation(z_ND: Tensor) -> Tensor:
    """Root of the total variance of unit embeddings: 1 for points all over the sphere, 0 for a single point."""
    return z_ND.var(0, correction=0).sum().sqrt()


def effective_rank(z_ND: Tensor) -> Tensor:
    """In how many directions embeddings vary: the exponential of the entropy of the centred rows' singular values.

    Between 1 and min(N - 1, D) (Roy & Vetterli 2007); 0 for a single point, NaN if a value is not finite.
    """
    if not z_ND.isfinite().all():
        return torch.tensor(torch.nan)
    value_R = torch.linalg.svdvals(z_ND.double() - z_ND.double().mean(0))
    share_R = value_R / value_R.sum().clamp_min(1e-12)
    rank: Tensor = torch.special.entr(share_R).sum().exp() * (value_R.sum() > 0)
    return rank.float()


def alignment(a_ND: Tensor, b_ND: Tensor) -> Tensor:
    """Mean squared distance of unit embeddings of two views of one clip (Wang & Isola 2020, with exponent 2)."""
    return (a_ND - b_ND).square().sum(1).mean()


def uniformity(z_ND: Tensor) -> Tensor:
    """Log of the mean of ``exp(-2 d^2)`` over pairs of unit embeddings (Wang & Isola 2020); 0 for a single point."""
    return torch.pdist(z_ND.float()).square().mul(-2).exp().mean().log()
