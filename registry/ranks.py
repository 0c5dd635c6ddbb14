"""Several processes that train one method together: each is a rank, and computes a share of the encoder's work.

Every rank has the whole batch, and computes everything alike: views, heads, losses, queues, banks, clusters. Only what
``divided`` computes is shared out by rows, and then gathered on every rank. Going backward, the gather sums over
ranks. So a share's gradient is ``world`` times as large as its part of one device's gradient, and every other gradient
is that of one device. ``average``, the mean over ranks, makes both the gradient of one device.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn.modules.batchnorm import _BatchNorm

from registry.errors import Mistake
from registry.norm_groups import by_groups
from registry.shares import as_share

Compute = Callable[[Tensor], Tensor]


def directly(compute: Compute, x: Tensor) -> Tensor:
    """Calls it."""
    return compute(x)


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that train together; by default it is alone.

    Args:
        rank: from 0 on.
        world: how many there are.
        on_host: their group for small tensors on the CPU.
    """

    rank: int = 0
    world: int = 1
    on_host: dist.ProcessGroup | None = None

    def divided(
        self,
        compute: Compute,
        x: Tensor,
        net: nn.Module,
        groups: Sequence[int],
        call: Callable[[Compute, Tensor], Tensor] = directly,
    ) -> Tensor:
        """``compute(x)``, of which each rank computes its share of the rows, as one device would compute it.

        Batch norms see all rows of a group, and what is drawn at random for a row is what one device draws for it. If
        ``world`` does not divide the rows, every rank computes all of them.

        Args:
            compute: from rows to rows.
            x: the rows, the same on every rank.
            net: has the batch norms of ``compute``.
            groups: the sizes of groups of rows; batch norms see one group at a time, in their order.
            call: calls ``compute``, perhaps a second time when it goes backward.
        """
        if self.world == 1 or len(x) % self.world:
            return call(by_groups(compute, net, groups), x)
        count = len(x) // self.world
        mine = _shares(groups, self.rank * count, count)
        whole = self._have_whole(groups, net)
        if whole:
            mine = [size for size in mine if size]
            began = [(_statistics(norm), torch.as_tensor(norm.num_batches_tracked).clone()) for norm in _norms(net)]
        part = by_groups(compute, net, mine, shared=not whole)
        computed = call(partial(as_share, part, self.rank, self.world, not whole), x.chunk(self.world)[self.rank])
        if whole:
            for norm, (before, counted) in zip(_norms(net), began, strict=True):
                self._follow_all(norm, before, counted)
        return _gathered(computed)

    def _have_whole(self, groups: Sequence[int], net: nn.Module) -> bool:
        """Whether each rank has as many whole groups, of one size, and no statistics are cumulative."""
        even = len(groups) % self.world == 0 and len(set(groups)) == 1
        return even and all(norm.momentum is not None for norm in _norms(net))

    @torch.no_grad()
    def _follow_all(self, norm: _BatchNorm, before: Tensor, counted: Tensor) -> None:
        """Lets a batch norm's statistics follow the batches of all ranks, in their order, from those before.

        A rank's batches turn statistics s into ``kept * s + new``, with the same ``kept`` on each rank.
        """
        assert norm.momentum is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        batches = torch.as_tensor(norm.num_batches_tracked) - counted
        kept = (1 - norm.momentum) ** batches
        of_ranks = [torch.empty_like(before) for _ in range(self.world)]
        dist.all_gather(of_ranks, _statistics(norm))
        merged = before
        for after in of_ranks:
            merged = kept * merged + (after - kept * before)
        # Through .data: a batch norm has saved them for its backward pass, which does not use them.
        norm.running_mean.data.copy_(merged[0])
        norm.running_var.data.copy_(merged[1])
        torch.as_tensor(norm.num_batches_tracked).add_(batches * (self.world - 1))

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces gradients by their means over ranks; a parameter without a gradient has none on any rank."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.world == 1 or not gradients:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.world
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def most(self, *numbers: int) -> list[int]:
        """The largest value on any rank, of each number. It does not wait for a GPU."""
        if self.world == 1:
            return list(numbers)
        most = torch.tensor(numbers)
        dist.all_reduce(most, dist.ReduceOp.MAX, group=self.on_host)
        return most.tolist()

    def require_alike(self, values: Sequence[float], tolerance: float, what: str) -> None:
        """Raises a Mistake on every rank if values differ between ranks by more than this share of them."""
        if self.world == 1:
            return
        mine = torch.tensor(values, dtype=torch.float64)
        every = [torch.empty_like(mine) for _ in range(self.world)]
        dist.all_gather(every, mine, group=self.on_host)
        if not all(torch.allclose(other, every[0], rtol=tolerance, atol=0, equal_nan=True) for other in every):
            told = "; ".join(f"rank {rank}: {other.tolist()}" for rank, other in enumerate(every))
            raise Mistake(
                f"{what} on the {self.world} devices of one pretraining, which should compute alike: {told}",
                fix="use the same versions, data and store on all; a method draws from torch's generator alone",
            )


ALONE = Ranks()


def _gathered(share: Tensor) -> Tensor:
    """The rows of all ranks, in their order; the gradient is the sum over ranks."""
    rows = torch.cat(all_gather(share))
    if rows.requires_grad:
        rows.register_hook(Tensor.contiguous)  # torch 2.11 mixes up the values of a gradient of another layout
    return rows


def _shares(groups: Sequence[int], first: int, count: int) -> list[int]:
    """How many of ``count`` rows from ``first`` on each group has."""
    ends = list(itertools.accumulate(groups))
    return [max(min(end, first + count) - max(end - size, first), 0) for size, end in zip(groups, ends, strict=True)]


def _norms(net: nn.Module) -> list[_BatchNorm]:
    """The batch norms of a net that keep running statistics."""
    return [m for m in net.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]


def _statistics(norm: _BatchNorm) -> Tensor:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return torch.stack([norm.running_mean, norm.running_var])
