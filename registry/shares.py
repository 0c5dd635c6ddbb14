"""Computes a share of the rows of a batch as one device would compute it among all rows.

Two things in a net look beyond a row. Batch norm takes statistics over all rows: here they are summed over ranks, as
torch's SyncBatchNorm does, which works on GPUs alone. And dropout draws for all rows in one go: here each rank draws
for all rows, from the same seed, and keeps its share.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from registry.errors import Mistake


def as_share(compute: Callable[[Tensor], Tensor], rank: int, world: int, synced: bool, share: Tensor) -> Tensor:
    """``compute(share)``, where the share is ``rank`` of ``world`` equal parts of a batch.

    Args:
        compute: from rows to rows.
        rank: of this process.
        world: how many there are.
        synced: batch norms see the rows of all ranks; else the share alone.
        share: its rows.

    Raises:
        Mistake: if it draws in a way that cannot be divided.
    """
    with _BatchNorms() if synced else nullcontext(), _Draws(len(share), rank, world):
        return compute(share)


class _BatchNorms(TorchFunctionMode):
    """In training, batch norms take the statistics of all ranks' rows."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``torch.nn.functional.batch_norm`` over the rows of all ranks; some may have none."""
    if not training:
        return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    weight = x.new_ones(x.shape[1], dtype=_wide(x).dtype) if weight is None else weight
    bias = torch.zeros_like(weight) if bias is None else bias
    normal: Tensor
    normal, mean_C, var_C, count = _Normalise.apply(x, weight, bias, eps)  # type: ignore[no-untyped-call]
    if running_mean is not None and running_var is not None:
        # Through .data, which leaves alone what torch's own batch norm has saved of an earlier call.
        running_mean.data.lerp_(mean_C.to(running_mean.dtype), momentum)
        running_var.data.lerp_((var_C * (count / (count - 1))).to(running_var.dtype), momentum)
    return normal


class _Normalise(torch.autograd.Function):
    """Gives the normalised batch, mean and biased variance of each channel, and their count; these have no gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight_C: Tensor, bias_C: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean_RC, var_RC, count_RC = torch.stack(_of_ranks(_moments(x)), 1)
        count_C = count_RC.sum(0)
        share_RC = count_RC / count_C
        mean_C = (share_RC * mean_RC).sum(0)
        var_C = (share_RC * (var_RC + (mean_RC - mean_C).square())).sum(0)
        scale_C = (var_C + eps).rsqrt()
        ctx.save_for_backward(x, weight_C, mean_C, scale_C, count_C)
        factor_C = scale_C * weight_C
        normal = torch.addcmul(_over(bias_C - mean_C * factor_C, x), _wide(x), _over(factor_C, x))
        ctx.mark_non_differentiable(mean_C, var_C, count_C)
        return normal.to(x.dtype), mean_C, var_C, count_C

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight_C, mean_C, scale_C, count_C = ctx.saved_tensors
        gradient = _wide(gradients[0])
        unit = torch.addcmul(_over(-mean_C * scale_C, x), _wide(x), _over(scale_C, x))
        of_bias_C, of_weight_C = gradient.sum(_but_channels(x)), (gradient * unit).sum(_but_channels(x))
        means = torch.stack([of_bias_C, of_weight_C]) / count_C
        dist.all_reduce(means)
        factor_C = weight_C * scale_C
        centred = torch.addcmul(_over(-factor_C * means[0], x), unit, _over(-factor_C * means[1], x))
        return centred.addcmul_(gradient, _over(factor_C, x)).to(x.dtype), of_weight_C, of_bias_C, None


def _moments(x: Tensor) -> Tensor:
    """Mean, biased variance and count ``[3, C]`` of each channel; zeros if there are no rows."""
    wide = _wide(x)
    if not len(x):
        return wide.new_zeros(3, x.shape[1])
    mean_C = wide.mean(_but_channels(x))  # in two passes: on a CPU torch.var_mean takes ten times as long
    var_C = (wide - _over(mean_C, x)).square_().mean(_but_channels(x))
    return torch.stack([mean_C, var_C, torch.full_like(mean_C, x.numel() // x.shape[1])])


def _of_ranks(mine: Tensor) -> list[Tensor]:
    of_ranks = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(of_ranks, mine)
    return of_ranks


def _but_channels(x: Tensor) -> list[int]:
    return [dim for dim in range(x.ndim) if dim != 1]


def _over(value_C: Tensor, x: Tensor) -> Tensor:
    return value_C.view(1, -1, *[1] * (x.ndim - 2))


def _wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


_FILLS = ("bernoulli_", "uniform_", "normal_", "exponential_", "random_", "cauchy_", "geometric_", "log_normal_")
_LIKE = ("rand_like", "randn_like", "randint_like")
_SIZED = ("rand", "randn", "randint", "normal")


class _Draws(TorchDispatchMode):
    """What is drawn for rows is drawn for all ranks' rows, and this rank keeps its share.

    A draw whose shape does not begin with the rows is for all rows, and alike on every rank.
    """

    def __init__(self, rows: int, rank: int, world: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rows, self.rank, self.world = rows, rank, world

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **(kwargs or {}))
        return self._drawn(func, list(args), kwargs or {})

    def _drawn(self, func: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        name, tensors = func.overloadpacket.__name__, [value for value in args if isinstance(value, Tensor)]
        if not any(self._of_rows(tensor.shape) for tensor in tensors):
            sizes = [i for i, value in enumerate(args) if isinstance(value, list | tuple) and self._of_rows(value)]
            if sizes and name in _SIZED:
                args[sizes[0]] = [args[sizes[0]][0] * self.world, *args[sizes[0]][1:]]
                return self._mine(func(*args, **kwargs))
            if not sizes and not (name == "randperm" and self._of_rows(args)):
                return func(*args, **kwargs)
        elif len(tensors) == 1:
            like = self._for_all_rows(args[0])
            if name in _FILLS:
                return args[0].copy_(self._mine(func(like, *args[1:], **kwargs)))
            if name in _LIKE or func is torch.ops.aten.bernoulli.p:
                return self._mine(func(like, *args[1:], **kwargs))
            if name == "native_dropout":
                kept = self._mine(func(like.fill_(1), *args[1:], **kwargs)[1])
                return args[0] * kept * (1 / (1 - args[1]) if args[1] < 1 else 0.0), kept
        raise Mistake(
            f"the encoder draws by {name}, and such a draw cannot be shared among devices",
            fix="pretrain it on one device",
        )

    def _of_rows(self, shape: Sequence[int]) -> bool:
        return len(shape) > 0 and shape[0] > 0 and shape[0] % self.rows == 0

    def _for_all_rows(self, share: Tensor) -> Tensor:
        """A tensor for the rows of all ranks, in the order of memory that it has on one device."""
        size = [len(share) * self.world, *share.shape[1:]]
        row = share.numel() // len(share)
        if len(share) > 1 and share.stride(0) != row:
            return share.new_empty(size)
        return share.new_empty_strided(size, [row, *share.stride()[1:]])

    def _mine(self, drawn: Tensor) -> Tensor:
        return drawn.chunk(self.world)[self.rank]
