"""Groups of clips in one pass are as groups in passes of their own."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.lookup import ENCODERS
from registry.methods import _passes
from registry.norm_groups import by_groups
from tests.registry.test_methods import method

NETS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "cnn6": ({"name": "cnn6", "width": 2, "dropout": 0.0}, (1, 32, 40)),
    "resnet18-1d": ({"name": "resnet18-1d", "width": 2}, (1, 4000)),
    "timm resnet18": ({"name": "timm", "model": "resnet18", "in_channels": 1}, (1, 32, 40)),
    "timm's own batch norm": ({"name": "timm", "model": "efficientnet_b0", "in_channels": 1}, (1, 32, 40)),
    "group norm": ({"name": "conv320", "width": 8}, (1, 4000)),
}
SIZES = {"even": [4, 4, 4], "uneven": [5, 5, 2]}


def encoder_of(name: str) -> tuple[Encoder, Tensor]:
    torch.manual_seed(0)
    settings, shape = NETS[name]
    encoder: Encoder = ENCODERS.build(settings, 1, shape[1] if len(shape) > 2 else 0).double().train()
    for module in encoder.modules():
        if hasattr(module, "drop_prob"):
            vars(module)["drop_prob"] = 0.0  # of whole paths, at random
    x = torch.randn(12, *shape, dtype=torch.float64)
    return encoder, x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def outcome(encoder: nn.Module, z_BD: Tensor) -> dict[str, Tensor]:
    """Embeddings, gradients of a loss that weighs every value differently, and running statistics."""
    weight_BD = torch.linspace(-1, 1, z_BD.numel(), dtype=z_BD.dtype).view_as(z_BD)
    (z_BD * weight_BD).sum().backward()
    gradients = {f"{name}.grad": p.grad for name, p in encoder.named_parameters() if p.grad is not None}
    return {"z": z_BD.detach().double(), **gradients, **dict(encoder.named_buffers())}


def require_equal(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert got.keys() == expected.keys()
    scale = max(float(x.abs().max()) for name, x in expected.items() if name.endswith(".grad"))
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-9, atol=1e-12 * scale, msg=name)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", NETS)
def test_one_pass_gives_what_a_pass_a_group_gives(name: str, sizes: list[int]) -> None:
    encoder, x = encoder_of(name)
    one = deepcopy(encoder)
    passes = torch.cat([encoder.embed(part) for part in x.split(sizes)])
    got = by_groups(one.embed, one, sizes)(x)
    require_equal(outcome(one, got), outcome(encoder, passes))


@pytest.mark.parametrize("momentum", [0.3, None], ids=["exponential", "cumulative"])
@pytest.mark.parametrize("tracked", [True, False], ids=["running statistics", "none"])
def test_running_statistics_follow_the_groups_in_their_order(momentum: float | None, tracked: bool) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(3, momentum=momentum, track_running_stats=tracked, affine=False).double()
    one, x = deepcopy(norm), torch.randn(9, 3, 5, dtype=torch.float64) * torch.arange(1, 10).view(9, 1, 1)
    for _ in range(2):
        passes = torch.cat([norm(part) for part in x.split([4, 3, 2])])
        torch.testing.assert_close(by_groups(one, one, [4, 3, 2])(x), passes)
    for (name, got), expected in zip(one.named_buffers(), norm.buffers(), strict=True):
        torch.testing.assert_close(got, expected, msg=name)
    if tracked:
        assert one.num_batches_tracked == 6


def test_a_norm_that_is_frozen_sees_no_groups() -> None:
    norm = nn.BatchNorm1d(3).eval()
    x = torch.randn(6, 3)
    assert torch.equal(by_groups(norm, norm, [3, 3])(x), norm(x))
    assert norm.num_batches_tracked == 0


def test_rows_of_several_windows_of_a_clip_stay_in_its_group() -> None:
    norm = nn.BatchNorm1d(3).double()
    x = torch.randn(6, 2, 3, dtype=torch.float64)

    def windows(x_BWD: Tensor) -> Tensor:
        normal_BWD: Tensor = norm(x_BWD.flatten(0, 1)).view_as(x_BWD)
        return normal_BWD

    got = by_groups(windows, norm, [4, 2])(x)
    torch.testing.assert_close(got, torch.cat([windows(x[:4]), windows(x[4:])]))


def test_rows_that_are_no_clips_are_refused() -> None:
    norm = nn.BatchNorm1d(3)
    with pytest.raises(Mistake, match="sees 5 rows of 6 clips"):
        by_groups(lambda x: norm(x[:5]), norm, [3, 3])(torch.randn(6, 3))


def test_a_group_of_one_value_is_refused() -> None:
    norm = nn.BatchNorm1d(3)
    with pytest.raises(Mistake, match="sees one clip alone"):
        by_groups(norm, norm, [2, 2, 1])(torch.randn(5, 3))


@pytest.mark.parametrize("chunk", [None, 2, 5, 8, 10])
def test_moco_computes_groups_in_chunks(chunk: int | None) -> None:
    """Whole groups share a chunk where they fit; a larger group is cut, as its own batch would be."""
    encoder, x = encoder_of("resnet18-1d")
    plain = deepcopy(encoder)
    moco = method("moco", encoder, queue_size=12, norm_groups=3)
    moco.chunk = chunk
    got = moco.embed(x, groups=3)
    parts = [part for group in x.chunk(3) for part in group.split(chunk or 12)]
    require_equal(outcome(encoder, got), outcome(plain, torch.cat([plain.embed(part) for part in parts]).float()))


def test_a_pass_has_the_groups_that_fit() -> None:
    assert _passes([3, 3, 2], 8) == [[3, 3, 2]]
    assert _passes([3, 3, 2], 6) == [[3, 3], [2]]
    assert _passes([3, 3, 2], 5) == [[3], [3, 2]]
    assert _passes([5, 5], 2) == [[2], [2], [1], [2], [2], [1]]
    assert _passes([10], 4) == [[4], [4], [2]]


def test_under_autocast_statistics_are_those_of_the_groups() -> None:
    encoder, x = encoder_of("timm resnet18")
    encoder, x = encoder.float(), x.float()
    one = deepcopy(encoder)
    with torch.autocast("cpu", torch.bfloat16):
        passes = torch.cat([encoder.embed(part) for part in x.split([4, 4, 4])])
        got = by_groups(one.embed, one, [4, 4, 4])(x)
    assert torch.nn.functional.cosine_similarity(got.float(), passes.float()).min() > 0.999
    for (name, a), b in zip(one.named_buffers(), encoder.buffers(), strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=0.05, atol=0.02, msg=name)
