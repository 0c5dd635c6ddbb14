"""Encoders against the published counts, sizes and shapes."""

from pathlib import Path

import pytest
import torch

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.lookup import choose, find


def build(reference: dict[str, object], bins: int = 64) -> Encoder:
    choice = choose("encoders", reference)
    encoder: Encoder = find("encoders", choice.name)(choice.settings, 1, bins)
    return encoder


@pytest.mark.parametrize(
    ("reference", "parameters", "dim"),
    [
        ({"name": "cnn10"}, 4_686_272, 512),
        ({"name": "esresnet", "depth": 18}, 11_176_512, 512),
        ({"name": "esresnet"}, 23_508_032, 2048),
        ({"name": "esresnet", "depth": 101}, 42_500_160, 2048),
        ({"name": "esresnet", "depth": 152}, 58_143_808, 2048),
        ({"name": "timm", "model": "resnet50", "in_channels": 1}, 23_501_760, 2048),
        ({"name": "timm", "model": "resnet18", "in_channels": 1}, 11_170_240, 512),
        ({"name": "timm", "model": "efficientnet_b0"}, 4_007_548, 1280),
        ({"name": "timm", "model": "efficientnet_b0", "in_channels": 1}, 4_006_972, 1280),
    ],
)
def test_trainable_parameters_and_embedding_size_are_the_published_ones(
    reference: dict[str, object], parameters: int, dim: int
) -> None:
    with torch.device("meta"):
        encoder = build(reference)
    assert sum(p.numel() for p in encoder.parameters() if p.requires_grad) == parameters
    assert encoder.embedding_dim == dim


def test_cnn10_gives_18_frames_for_three_seconds() -> None:
    encoder = build({"name": "cnn10"}).eval()
    frames = encoder(torch.randn(2, 1, 64, 301))
    assert frames.shape == (2, 18, 512)


def test_cnn10_pools_maximum_plus_mean_over_time() -> None:
    encoder = build({"name": "cnn10", "width": 1})
    frames = torch.tensor([[[1.0, -2.0], [3.0, 4.0]]])
    assert encoder.pool(frames).tolist() == [[3 + 2, 4 + 1]]


@pytest.mark.parametrize(
    "reference",
    [
        {"name": "cnn10", "width": 2},
        {"name": "esresnet", "depth": 18},
        {"name": "esresnet", "depth": 18, "bands": "split"},
        {"name": "timm", "model": "tf_efficientnet_lite0"},
    ],
)
def test_a_batch_of_one_with_odd_sizes_embeds_and_trains(reference: dict[str, object]) -> None:
    encoder = build(reference, bins=37).eval()
    x = torch.randn(1, 1, 37, 53)
    embedding = encoder.embed(x)
    assert embedding.shape == (1, encoder.embedding_dim)
    assert torch.equal(embedding, encoder.embed(x))
    encoder.train().embed(x.repeat(4, 1, 1, 1)).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_esresnet_pools_as_its_frames_say() -> None:
    encoder = build({"name": "esresnet", "depth": 18}).eval()
    x = torch.randn(2, 1, 64, 100)
    own = encoder.net.forward_head(encoder.net.forward_features(x.expand(-1, 3, -1, -1)), pre_logits=True)
    torch.testing.assert_close(encoder.embed(x), own)


def test_split_bands_stack_the_lowest_first() -> None:
    encoder = build({"name": "esresnet", "depth": 18, "bands": "split"}, bins=65)
    seen: list[torch.Tensor] = []

    def watch(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return torch.zeros(1, 512, 1, 1)

    encoder.net.forward_features = watch
    encoder(torch.arange(65.0).view(1, 1, 65, 1).expand(1, 1, 65, 40))
    assert seen[0].shape == (1, 3, 21, 40)
    assert seen[0][0, :, 0, 0].tolist() == [0, 21, 42]


def test_too_few_frames_is_a_clear_mistake() -> None:
    with pytest.raises(Mistake, match="at least 16 frames, and got 15"):
        build({"name": "cnn10"})(torch.randn(1, 1, 64, 15))


def test_unknown_timm_model_names_the_nearest() -> None:
    with pytest.raises(Mistake, match="resnet50"):
        build({"name": "timm", "model": "resnet5O"})


@pytest.mark.real
def test_local_imagenet_weights_load_and_change_the_embedding(lite0_weights: Path) -> None:
    from safetensors.torch import load_file

    encoder = build({"name": "timm", "model": "tf_efficientnet_lite0"})
    encoder.load_imagenet(lite0_weights)
    state, file = encoder.net.state_dict(), load_file(lite0_weights)
    assert set(file) - set(state) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(state[name], file[name]) for name in state)


@pytest.mark.real
def test_weights_of_another_architecture_are_refused(lite0_weights: Path) -> None:
    with pytest.raises(Mistake, match="do not load"):
        build({"name": "timm", "model": "resnet18"}).load_imagenet(lite0_weights)
