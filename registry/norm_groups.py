"""One pass of several groups of rows through a net, in which batch norms see one group at a time.

Outputs, gradients and running statistics are those of a pass for each group, one after the other, up to rounding. Of
all that a net computes, only batch norms may look beyond a row.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from registry.errors import Mistake

Compute = Callable[[Tensor], Tensor]


def by_groups(compute: Compute, net: nn.Module, sizes: Sequence[int], *, shared: bool = False) -> Compute:
    """``compute`` of all groups in one pass.

    Args:
        compute: from rows to rows.
        net: has the batch norms of ``compute``; their running statistics follow the groups in their order.
        sizes: of the groups, in rows.
        shared: other ranks have rows of these groups, too.

    Raises:
        Mistake: from what it gives, if a batch norm cannot tell the groups apart, or has one value alone.
    """
    if len(sizes) == 1:
        return compute

    def computed(x: Tensor) -> Tensor:
        with _ByGroups(net, sizes, shared):
            return compute(x)

    return computed


class _ByGroups(TorchFunctionMode):
    """In this block batch norms in training take the statistics of each group of rows."""

    def __init__(self, net: nn.Module, sizes: Sequence[int], shared: bool) -> None:
        super().__init__()
        self.sizes, self.shared = sizes, shared
        self.norms = {id(m.running_mean): m for m in net.modules() if isinstance(m, _BatchNorm)}

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (self._batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """``torch.nn.functional.batch_norm``, group by group."""
        running = running_mean, running_var
        if not training:
            return F.batch_norm(x, *running, weight, bias, False, momentum, eps)
        sizes, momenta = self._sizes_in(x), self._momenta(running_mean, momentum)
        if self.shared:
            parts = zip(x.split(sizes), momenta, strict=True)
            return torch.cat([F.batch_norm(part, *running, weight, bias, True, m, eps) for part, m in parts])
        if min(sizes) * x[0, 0].numel() == 1:
            raise Mistake(
                "a batch norm in the encoder sees one clip alone, which has no variance",
                where="norm_groups",
                fix="fewer norm_groups, or a larger batch_size",
            )
        weight = x.new_ones(x.shape[1], dtype=torch.promote_types(x.dtype, torch.float)) if weight is None else weight
        bias = torch.zeros_like(weight) if bias is None else bias
        normal: Tensor = _Normalise.apply(x, weight, bias, running, sizes, momenta, eps)  # type: ignore[no-untyped-call]
        return normal

    def _sizes_in(self, x: Tensor) -> list[int]:
        """The sizes of the groups in a tensor that has as many rows for each row of the net's input."""
        each, left = divmod(len(x), sum(self.sizes))
        if left:
            raise Mistake(
                f"a batch norm in the encoder sees {len(x)} rows of {sum(self.sizes)} clips, and cannot tell the "
                "clips' groups apart",
                where="norm_groups",
                fix="norm_groups: 1",
            )
        return [size * each for size in self.sizes]

    def _momenta(self, running_mean: Tensor | None, momentum: float) -> list[float]:
        """The momentum of each group, for a norm that has counted the first; it counts the others here."""
        norm = None if running_mean is None else self.norms.get(id(running_mean))
        if norm is None or norm.num_batches_tracked is None:
            return [momentum] * len(self.sizes)
        counted = norm.num_batches_tracked
        counted.add_(len(self.sizes) - 1)
        if norm.momentum is not None:
            return [momentum] * len(self.sizes)
        return [1 / (int(counted) - left) for left in reversed(range(len(self.sizes)))]


class _Normalise(torch.autograd.Function):
    """Torch's batch norm of each group, written into one tensor: to concatenate groups takes a third longer."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        running: tuple[Tensor | None, Tensor | None],
        sizes: list[int],
        momenta: list[float],
        eps: float,
    ) -> Tensor:
        normal, moments_G2C = torch.empty_like(x), weight_C.new_empty(len(sizes), 2, len(weight_C))
        groups = zip(x.split(sizes), normal.split(sizes), moments_G2C, momenta, strict=True)
        for part, out, moments_2C, momentum in groups:
            torch.native_batch_norm(part, weight_C, bias_C, *running, True, momentum, eps, out=(out, *moments_2C))
        ctx.save_for_backward(x, weight_C, moments_G2C)
        ctx.sizes, ctx.eps = sizes, eps
        return normal

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight_C, moments_G2C = ctx.saved_tensors
        of_x = torch.empty_like(x)
        of_affine_2C = weight_C.new_zeros(2, len(weight_C))
        groups = zip(*(whole.split(ctx.sizes) for whole in (gradients[0], x, of_x)), moments_G2C, strict=True)
        for gradient, part, out, moments_2C in groups:
            of_part, of_weight_C, of_bias_C = torch.ops.aten.native_batch_norm_backward(
                gradient, part, weight_C, None, None, *moments_2C, True, ctx.eps, [True, True, True]
            )
            out.copy_(of_part)
            of_affine_2C += torch.stack([of_weight_C, of_bias_C])
        return of_x, *of_affine_2C, None, None, None, None
