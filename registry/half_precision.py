"""Whether a CPU computes convolutions in bfloat16 rightly: with AMX torch 2.11 to 2.14 gives noise for some."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from registry.errors import Mistake

_SAME = 0.99  # cosine; that of rounding to bfloat16 is above 0.9999, that of the fault below 0.4


def require_right_convolutions() -> None:
    """Computes two convolutions that are known to go wrong.

    Raises:
        Mistake: if bfloat16 gives something else than float32.
    """
    x_BC = torch.linspace(-1, 1, 48).view(3, 16)
    image_BCFN = torch.sin(50 * x_BC[:, :, None, None] + torch.arange(44).view(22, 2))
    wave_BCT = torch.sin(50 * x_BC[:, :, None] + torch.arange(50))
    strided = torch.cos(torch.arange(16 * 16 * 9).float()).view(16, 16, 3, 3)
    grouped = torch.cos(torch.arange(16 * 8 * 16).float()).view(16, 8, 16)

    def convolved(dtype: torch.dtype) -> Tensor:
        image = F.conv2d(image_BCFN.to(dtype), strided.to(dtype), stride=2, padding=1)
        wave = F.conv1d(wave_BCT.to(dtype), grouped.to(dtype), padding=8, groups=2)
        return torch.stack([part.flatten()[:500].float() for part in (image, wave)])

    with torch.no_grad():
        cosine_2 = F.cosine_similarity(convolved(torch.bfloat16), convolved(torch.float32))
    if not bool((cosine_2 > _SAME).all()):
        raise Mistake(
            "this processor and this torch compute convolutions in bf16 wrongly (AMX)",
            fix="--precision fp32; or start Python with ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16, which must be set before "
            "torch computes anything",
        )
