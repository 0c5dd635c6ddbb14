"""Heads of all folds, trained together as one batched problem."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from registry.seeding import generator_for
from registry.targets import Objective

HIDDEN = 512  # of the mlp head: Wang 2021
_UPDATED_AT_ONCE = 2**16  # weights: with moments and gradients 1 MB


class FoldHeads(nn.Module):
    """One head for each fold: ``linear``, or ``mlp`` with one hidden layer of 512. Weights begin as in ``nn.Linear``.

    Args:
        kind: linear or mlp.
        dim: of the embeddings.
        outputs: how many values a head gives.
        seeds: one for each fold, so that a head does not depend on the other folds that train beside it.
    """

    def __init__(self, kind: Literal["linear", "mlp"], dim: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__()
        sizes = [dim, outputs] if kind == "linear" else [dim, HIDDEN, outputs]
        generators = [generator_for(seed, "head") for seed in seeds]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for size_in, size_out in itertools.pairwise(sizes):
            bound = size_in**-0.5
            weights = [torch.empty(size_in, size_out).uniform_(-bound, bound, generator=g) for g in generators]
            biases = [torch.empty(1, size_out).uniform_(-bound, bound, generator=g) for g in generators]
            self.weights.append(nn.Parameter(torch.stack(weights)))
            self.biases.append(nn.Parameter(torch.stack(biases)))

    def forward(self, x_FBD: Tensor) -> Tensor:
        """Outputs ``[F, B, C]``: each fold goes through its own head."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x_FBD = torch.baddbmm(bias, torch.relu(x_FBD) if i else x_FBD, weight)
        return x_FBD

    def one(self, fold: int, x_BD: Tensor) -> Tensor:
        """Outputs ``[B, C]`` of the fold at position ``fold``."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x_BD = torch.addmm(bias[fold], torch.relu(x_BD) if i else x_BD, weight[fold])
        return x_BD


class _AdamW:
    """torch's AdamW on pieces of the weights that stay in a CPU's cache from one operation to the next.

    The results are those of ``torch.optim.AdamW``, which works element by element. The class itself would load
    torch's compiler: a second, and 120 MB.

    Args:
        heads: whose weights are updated.
        learning_rate: constant.
        weight_decay: decoupled, on weights alone.
    """

    def __init__(self, heads: FoldHeads, learning_rate: float, weight_decay: float) -> None:
        self.learning_rate = learning_rate
        self.parameters = [*heads.weights, *heads.biases]
        self.decays = [weight_decay] * len(heads.weights) + [0.0] * len(heads.biases)
        self.pieces = [_pieces(parameter.detach()) for parameter in self.parameters]
        self.means = [_pieces(torch.zeros_like(parameter)) for parameter in self.parameters]
        self.squares = [_pieces(torch.zeros_like(parameter)) for parameter in self.parameters]
        self.steps = [[torch.zeros(()) for _ in pieces] for pieces in self.pieces]

    def step(self, loss: Tensor) -> None:
        """Updates the weights by the gradients of a loss."""
        for i, gradient in enumerate(torch.autograd.grad(loss, self.parameters)):
            adamw(
                self.pieces[i],
                _pieces(gradient),
                self.means[i],
                self.squares[i],
                [],
                self.steps[i],
                lr=self.learning_rate,
                weight_decay=self.decays[i],
                beta1=0.9,
                beta2=0.999,
                eps=1e-8,
                amsgrad=False,
                maximize=False,
            )


@contextmanager
def _flushed() -> Iterator[None]:
    """In this block values below 1e-38 are zero: a CPU works ten times as long on them.

    The gradients of a head that has learned its clips end there.
    """
    before = not torch.full((1,), 1e-38).mul(0.01).any()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _pieces(parameter: Tensor) -> list[Tensor]:
    return list(parameter.reshape(-1).split(_UPDATED_AT_ONCE))


def train_heads(
    heads: FoldHeads,
    examples: Callable[[int], Callable[[Tensor], Tensor]],
    label_N: Tensor,
    clip_M: Tensor,
    objective: Objective,
    rows: Sequence[Tensor],
    shift_F1D: Tensor,
    scale_F1D: Tensor,
    *,
    epochs: int,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    seeds: Sequence[int],
) -> Iterator[tuple[int, list[float]]]:
    """Trains the heads with AdamW; after every epoch yields the epoch, from 0, and the mean loss of each head.

    Adam works element by element, so each head ends where it would have ended alone.

    Args:
        heads: on the device.
        examples: gives for an epoch what takes rows ``[R]`` on the CPU, and gives a copy of their embeddings ``[R, D]``
            on the device.
        label_N: of clips, in the target's form, on the device.
        clip_M: the clip of each example, on the CPU.
        objective: of the target.
        rows: the training rows of each fold.
        shift_F1D: is subtracted from the embeddings of each fold.
        scale_F1D: then divides them.
        epochs: how many.
        steps: how many an epoch has; the rows of each fold are spread over them evenly.
        learning_rate: constant.
        weight_decay: decoupled, on weights alone.
        seeds: one for each fold, for the order of its rows.
    """
    adamw = _AdamW(heads, learning_rate, weight_decay)
    for epoch in range(epochs):
        embeddings = examples(epoch)
        orders = [
            row_M[torch.randperm(len(row_M), generator=generator_for(seed, "rows", epoch))]
            for row_M, seed in zip(rows, seeds, strict=True)
        ]
        total_F = torch.zeros(len(seeds), device=shift_F1D.device)
        for batch in zip(*(order.tensor_split(steps) for order in orders), strict=True):
            with _flushed():
                row_FB = nn.utils.rnn.pad_sequence(list(batch), batch_first=True, padding_value=-1)
                weight_FB = (row_FB >= 0).float()
                weight_FB /= weight_FB.sum(1, keepdim=True).clamp_min(1)
                row_FB = row_FB.clamp_min(0)
                x_FBD = embeddings(row_FB.flatten()).unflatten(0, row_FB.shape)
                label_FB = label_N[clip_M[row_FB].to(x_FBD.device)]
                output_FBC = heads(x_FBD.sub_(shift_F1D).div_(scale_F1D))
                loss_F = (objective.loss(output_FBC, label_FB) * weight_FB.to(x_FBD.device)).sum(1)
                adamw.step(loss_F.sum())
                total_F += loss_F.detach()
        yield epoch, (total_F / steps).tolist()
