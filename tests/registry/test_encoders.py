"""Encoders against the published counts, sizes and shapes, and behind every front end that fits them."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import Frontend, make_frontend
from registry.lookup import ENCODERS, FRONTENDS
from tests.conftest import encoders_made_here

WAVEFORM = 0  # bins of raw audio
AUDIOSET = 527


def build(reference: dict[str, Any] | str, bins: int = 64, channels: int = 1) -> Encoder:
    choice = ENCODERS.choose(reference)
    encoder: Encoder = ENCODERS.find(choice.name)(choice.settings, channels, bins)
    return encoder


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


# With AudioSet's classifier, without it, size of the embedding: Kong et al.'s code, instantiated.
PANNS = {
    "cnn6": (4_837_455, 4_304_448, 512),
    "cnn10": (5_219_279, 4_686_272, 512),
    "cnn14": (80_753_615, 75_477_440, 2048),
    "resnet22": (63_675_087, 58_398_912, 2048),
    "resnet38": (73_783_247, 68_507_072, 2048),
    "resnet54": (104_318_159, 99_041_984, 2048),
    "res1dnet31": (80_464_463, 75_188_288, 2048),
    "res1dnet51": (106_538_063, 101_261_888, 2048),
    "wavegram-cnn14": (80_991_759, 75_715_584, 2048),
    "wavegram-logmel-cnn14": (81_065_487, 75_789_312, 2048),
}
DEAD = {"wavegram-cnn14": 37_824}  # parameters of its conv_block1 and bn0, which its forward pass never uses


@pytest.mark.parametrize("name", PANNS)
def test_panns_have_the_published_counts_with_and_without_their_classifier(name: str) -> None:
    full, headless, dim = PANNS[name]
    bins = 64 if ENCODERS.find(name).takes == "spectrogram" else WAVEFORM
    with torch.device("meta"):
        without, hidden = build(name, bins), build({"name": name, "fc1": True}, bins)
        assert count(without) == headless - DEAD.get(name, 0)
        assert count(hidden) + count(nn.Linear(dim, AUDIOSET)) == full - DEAD.get(name, 0)
    assert without.embedding_dim == hidden.embedding_dim == dim


@pytest.mark.parametrize(
    ("reference", "bins", "channels", "parameters", "dim"),
    [
        ({"name": "wavegram-logmel-cnn14", "logmel": {"name": "panns", "n_mels": 128}}, WAVEFORM, 1, 75_986_560, 2048),
        ({"name": "cnn14"}, 80, 1, 75_477_440 + 32, 2048),
        ({"name": "res1dnet31", "norm": "group"}, WAVEFORM, 1, 75_188_288, 2048),
        ({"name": "conv160"}, WAVEFORM, 1, 5_254_144, 512),
        ({"name": "conv320"}, WAVEFORM, 1, 6_303_744, 512),
        ({"name": "conv640"}, WAVEFORM, 1, 7_353_344, 512),
        ({"name": "conv1280"}, WAVEFORM, 1, 8_402_944, 512),
        ({"name": "conv2560"}, WAVEFORM, 1, 9_452_544, 512),
        ({"name": "esresnet", "depth": 18}, 64, 1, 11_176_512, 512),
        ({"name": "esresnet"}, 341, 3, 23_508_032, 2048),
        ({"name": "esresnet", "attention": True}, 341, 3, 30_531_648, 2048),
        ({"name": "esresnet", "depth": 101}, 64, 1, 42_500_160, 2048),
        ({"name": "timm", "model": "resnet152"}, 64, 1, 58_143_808, 2048),
        ({"name": "timm", "model": "resnet152", "in_channels": 1}, 64, 1, 58_137_536, 2048),
        ({"name": "timm", "model": "resnet50", "in_channels": 1}, 64, 1, 23_501_760, 2048),
        ({"name": "timm", "model": "resnet18"}, 128, 3, 11_176_512, 512),
        ({"name": "timm", "model": "resnet18", "in_channels": 1}, 64, 1, 11_170_240, 512),
        ({"name": "timm", "model": "efficientnet_b0"}, 64, 1, 4_007_548, 1280),
        ({"name": "efficientnet-b0"}, 64, 1, 4_006_972, 1280),
        ({"name": "multiformat"}, WAVEFORM, 1, 75_188_288 + 75_477_440 + 32, 4096),
    ],
)
def test_trainable_parameters_and_embedding_size_are_the_published_ones(
    reference: dict[str, Any], bins: int, channels: int, parameters: int, dim: int
) -> None:
    with torch.device("meta"):
        encoder = build(reference, bins, channels)
    assert count(encoder) == parameters
    assert encoder.embedding_dim == dim


@pytest.mark.parametrize(
    ("reference", "classes", "parameters"),
    [
        ({"name": "esresnet"}, 50, 23_610_482),
        ({"name": "esresnet"}, 10, 23_528_522),
        ({"name": "esresnet", "attention": True}, 50, 30_634_098),
        ({"name": "esresnet", "attention": True}, 10, 30_552_138),
        ({"name": "timm", "model": "resnet18"}, 1000, 11_689_512),
        ({"name": "esresnet"}, 1000, 25_557_032),
        ({"name": "esresnet", "depth": 101}, 1000, 44_549_160),
        ({"name": "timm", "model": "resnet152"}, 1000, 60_192_808),
        ({"name": "timm", "model": "efficientnet_b0"}, 1000, 5_288_548),
    ],
)
def test_with_a_linear_classifier_the_counts_are_the_published_ones(
    reference: dict[str, Any], classes: int, parameters: int
) -> None:
    with torch.device("meta"):
        encoder = build(reference)
        assert count(encoder) + count(nn.Linear(encoder.embedding_dim, classes)) == parameters


@pytest.mark.parametrize(
    ("name", "length", "frames"),
    [
        ("cnn6", 301, 18),
        ("cnn10", 301, 18),
        ("cnn14", 301, 9),
        ("resnet22", 301, 9),
        ("resnet54", 301, 9),
        *((n, 48_000, 2) for n in ("res1dnet31", "res1dnet51")),
        *((n, 160_000, 7) for n in ("res1dnet31", "res1dnet51")),
        *zip(["conv160"] * 3, [16_000, 48_000, 160_000], [98, 298, 998], strict=True),
        *zip(["conv320"] * 3, [16_000, 48_000, 160_000], [48, 148, 498], strict=True),
        *zip(["conv640"] * 3, [16_000, 48_000, 160_000], [23, 73, 248], strict=True),
        *zip(["conv1280"] * 3, [16_000, 48_000, 160_000], [10, 35, 123], strict=True),
        *zip(["conv2560"] * 3, [16_000, 48_000, 160_000], [4, 16, 60], strict=True),
        ("wavegram-cnn14", 320_000, 31),
        ("wavegram-logmel-cnn14", 320_000, 31),
        ("wavegram-logmel-cnn14", 320 * 151, 4),  # the log-mel has a frame more than the wavegram
        ("resnet18-1d", 16_000, 500),
    ],
)
def test_strides_and_frame_counts(name: str, length: int, frames: int) -> None:
    with torch.device("meta"):
        takes = ENCODERS.find(name).takes
        encoder = build(name, 64 if takes == "spectrogram" else WAVEFORM)
        out = encoder(torch.empty(2, 1, 64, length) if takes == "spectrogram" else torch.empty(2, 1, length))
    assert out.shape == (2, frames, encoder.embedding_dim)


@pytest.mark.parametrize("stride", [160, 320, 640, 1280, 2560])
def test_a_plain_net_sees_what_its_published_receptive_field_says(stride: int) -> None:
    seen = {160: 475, 320: 955, 640: 1915, 1280: 3835, 2560: 7675}[stride]
    torch.manual_seed(0)
    encoder = build({"name": f"conv{stride}", "width": 16}, WAVEFORM)
    assert encoder.shortest == seen
    assert encoder(torch.randn(1, 1, seen + stride)).shape[1] == 2
    local = (layer for layer in encoder.layers if not isinstance(layer, nn.GroupNorm))  # which sees the whole window
    encoder.layers = nn.Sequential(*local)
    wave = torch.randn(1, 1, seen + stride, requires_grad=True)
    encoder(wave)[0, 0].sum().backward()
    assert wave.grad is not None
    assert torch.nonzero(wave.grad[0, 0]).max() < seen


# Small forms of every encoder: none needs more than a fraction of a second behind any front end.
SMALL: dict[str, dict[str, Any]] = {
    "esresnet": {"depth": 18, "attention": True},
    "timm": {"model": "test_resnet.r160_in1k"},
    "efficientnet-b0": {},
    "multiformat": {
        "branches": {
            "wave": {"frontend": "waveform", "encoder": {"name": "conv320", "width": 4}},
            "mel": {"frontend": "s2", "encoder": {"name": "cnn10", "width": 4}},
        }
    },
    "wavegram-logmel-cnn14": {"width": 2, "logmel": {"name": "panns", "sample_rate": 16000, "fmax": 8000.0}},
}


def small(name: str) -> dict[str, Any]:
    return {"name": name, **SMALL.get(name, {"width": 2})}


def fed_by(name: str) -> Frontend:
    """A default front end, at 16 kHz, with the statistics it may need."""
    settings = {"sample_rate": 16000, "fmax": 8000.0} if name == "panns" else {}
    settings |= {"sample_rate": 16000} if name == "esresnet" else {}
    frontend = make_frontend(FRONTENDS.choose({"name": name, **settings}))
    for normalisation in frontend.measured().values():
        normalisation.set(-8.0, 4.0)
    return frontend


def pairs() -> Iterator[tuple[str, str]]:
    """Every encoder behind every front end of its kind that has the channels it takes."""
    for encoder in encoders_made_here():
        for frontend in FRONTENDS.names():
            takes, gives = ENCODERS.find(encoder).takes, FRONTENDS.find(frontend).gives
            three = frontend in ("clar", "esresnet", "stack")
            image = encoder in ("esresnet", "timm")  # takes three channels
            few = frontend == "mfcc" and encoder in ("resnet22", "resnet38", "resnet54")  # 13 bins
            if takes == gives and (image or not three) and not few:
                yield encoder, frontend


def test_every_encoder_is_fed_by_some_front_end() -> None:
    assert {encoder for encoder, _ in pairs()} == set(encoders_made_here())
    assert {frontend for _, frontend in pairs()} == set(FRONTENDS.names())


@pytest.mark.parametrize(("name", "frontend"), list(pairs()))
def test_every_encoder_behind_every_front_end(name: str, frontend: str) -> None:
    fed = fed_by(frontend)
    torch.manual_seed(0)
    encoder = build(small(name), fed.bins, fed.channels)
    x = fed(torch.randn(3, 17_777))
    encoder.train().embed(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
    encoder.eval()
    with torch.no_grad():
        embedding_BD = encoder.embed(x)
        frames_BND = encoder(x)
        assert embedding_BD.shape == (3, encoder.embedding_dim)
        assert frames_BND.shape[0] == 3
        assert frames_BND.shape[2] == encoder.embedding_dim
        torch.testing.assert_close(encoder.embed(x[:1]), embedding_BD[:1], atol=1e-4, rtol=1e-3)
        with torch.autocast("cpu", torch.bfloat16):
            low_BD = encoder.embed(x).float()
        assert nn.functional.cosine_similarity(low_BD, embedding_BD).min() > 0.99


@pytest.mark.parametrize(("name", "heights"), [("cnn6", (1, 5, 13)), ("cnn10", (1, 5, 13)), ("cnn14", (1, 13, 31))])
def test_plain_nets_take_fewer_bins_than_they_halve(name: str, heights: tuple[int, ...]) -> None:
    """Frames are as many as with any bins, and every bin that averaging does not drop counts."""
    for bins in heights:
        torch.manual_seed(0)
        encoder = build(small(name), bins).eval()
        x = torch.randn(1, 1, bins, 200, requires_grad=True)
        out = encoder(x)
        assert out.shape == (1, 200 // encoder.shortest, encoder.embedding_dim)
        out.square().sum().backward()
        assert x.grad is not None
        assert (x.grad.abs().sum((0, 1, 3)) > 0).all()


SHORT = [name for name in encoders_made_here() if name not in ("multiformat", "esresnet", "timm", "efficientnet-b0")]


@pytest.mark.parametrize("name", SHORT)
def test_the_shortest_input_works_and_one_less_is_a_clear_mistake(name: str) -> None:
    takes = ENCODERS.find(name).takes
    encoder = build(small(name), 64 if takes == "spectrogram" else WAVEFORM).eval()
    shape = (1, 1, 64) if takes == "spectrogram" else (1, 1)
    assert encoder.embed(torch.randn(*shape, encoder.shortest)).isfinite().all()
    if encoder.shortest > 1:
        unit = "frames" if takes == "spectrogram" else "samples"
        with pytest.raises(Mistake, match=f"at least {encoder.shortest} {unit}, and got {encoder.shortest - 1}"):
            encoder.embed(torch.randn(*shape, encoder.shortest - 1))


@pytest.mark.parametrize("name", ["esresnet", "timm", "efficientnet-b0"])
def test_image_nets_take_a_single_frame(name: str) -> None:
    assert build(small(name)).eval().embed(torch.randn(1, 1, 64, 1)).isfinite().all()


def test_a_second_of_16_khz_passes_res1dnet_as_if_zeros_followed() -> None:
    encoder = build({"name": "res1dnet31", "width": 2}, WAVEFORM).eval()
    wave = torch.randn(2, 1, 16_000)
    padded = torch.cat([wave, torch.zeros(2, 1, 4476)], 2)
    assert encoder(wave).shape[1] == 1
    assert torch.equal(encoder.embed(wave), encoder.embed(padded))


@pytest.mark.parametrize(("name", "frontend"), [("cnn14", "waveform"), ("conv320", "logmel")])
def test_a_front_end_of_the_other_kind_is_refused(name: str, frontend: str) -> None:
    fed = fed_by(frontend)
    with pytest.raises(Mistake, match=f"the front end gives a {fed.gives}"):
        build(name, fed.bins, fed.channels)


@pytest.mark.parametrize(
    ("name", "bins", "channels"), [("resnet22", 31, 1), ("cnn10", 64, 3), ("efficientnet-b0", 64, 3)]
)
def test_bins_and_channels_that_do_not_fit_are_refused(name: str, bins: int, channels: int) -> None:
    with pytest.raises(Mistake, match="one channel"):
        build(name, bins, channels)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("name", ["cnn6", "conv160"])
def test_compiled_a_net_gives_the_same(name: str) -> None:
    takes = ENCODERS.find(name).takes
    encoder = build({"name": name, "width": 4}, 64 if takes == "spectrogram" else WAVEFORM).eval()
    x = torch.randn(2, 1, 64, 50) if takes == "spectrogram" else torch.randn(2, 1, 4000)
    compiled = torch.compile(encoder.embed, fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), encoder.embed(x), atol=1e-4, rtol=1e-3)


def test_panns_pool_maximum_plus_mean_over_time() -> None:
    frames = torch.tensor([[[1.0, -2.0], [3.0, 4.0]]])
    for name in ("cnn6", "cnn14", "resnet22"):
        assert build({"name": name, "width": 1}).pool(frames).tolist() == [[3 + 2, 4 + 1]]


def test_fc1_is_a_layer_after_the_pooling() -> None:
    encoder = build({"name": "cnn10", "width": 1, "fc1": True}).eval()
    assert encoder.embedding_dim == 8
    frames = torch.randn(2, 3, 8)
    expected = torch.relu((frames.amax(1) + frames.mean(1)) @ encoder.fc1.weight.T + encoder.fc1.bias)
    torch.testing.assert_close(encoder.pool(frames), expected)


def test_colas_net_pools_the_maximum_of_time_and_frequency() -> None:
    encoder = build("efficientnet-b0").eval()
    x = torch.randn(2, 1, 64, 98)
    torch.testing.assert_close(encoder.embed(x), encoder.net.forward_features(x).amax((2, 3)))


def test_esresnet_pools_as_its_frames_say() -> None:
    encoder = build({"name": "esresnet", "depth": 18}).eval()
    x = torch.randn(2, 1, 64, 100)
    timms = encoder.net.forward_head(encoder.net.forward_features(x.expand(-1, 3, -1, -1)), pre_logits=True)
    torch.testing.assert_close(encoder.embed(x), timms)


def test_a_gate_of_one_half_everywhere_is_what_zeroed_attention_gives() -> None:
    torch.manual_seed(0)
    encoder = build({"name": "esresnet", "depth": 18, "attention": True}).eval()
    for gate in encoder.gates:
        nn.init.zeros_(gate.bn.weight)  # sigmoid(0)
    x = torch.randn(2, 1, 64, 100)
    plain = encoder.net
    stages = (plain.layer1, plain.layer2, plain.layer3, plain.layer4)
    out: Tensor = plain.maxpool(plain.act1(plain.bn1(plain.conv1(x.expand(-1, 3, -1, -1)))))
    for stage in stages:
        out = stage(out) / 2
    torch.testing.assert_close(encoder.embed(x), out.mean((2, 3)) / 2)


def test_multiformat_concatenates_its_branches_in_order() -> None:
    encoder = build(small("multiformat"), WAVEFORM).eval()
    wave = torch.randn(2, 16_000)
    assert dict(encoder.parts) == {"wave": 4, "mel": 32}
    parts = []
    for views, branch in (encoder.branch("wave"), encoder.branch("mel")):
        parts.append(branch.embed(views(wave)))
    assert torch.equal(encoder.embed(wave.unsqueeze(1)), torch.cat(parts, 1))


@pytest.mark.parametrize(
    ("model", "frames"),
    [
        ("test_vit.r160_in1k", 7),
        ("test_vit3.r160_in1k", None),
        ("swin_tiny_patch4_window7_224", 7),
        ("test_convnext.r160_in1k", 3),
    ],
)
def test_timm_transformers_take_any_size(model: str, frames: int | None) -> None:
    with torch.device("meta"):
        encoder = build({"name": "timm", "model": model}).eval()
        x = torch.empty(2, 1, 64, 101)
        assert encoder.embed(x).shape == (2, encoder.embedding_dim)
        assert encoder(x).shape[2] == encoder.embedding_dim
        if frames is not None:
            assert encoder(x).shape[1] == frames


def test_unknown_timm_model_names_the_nearest() -> None:
    with pytest.raises(Mistake, match="resnet50"):
        build({"name": "timm", "model": "resnet5O"})
