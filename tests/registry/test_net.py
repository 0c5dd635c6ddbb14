"""Whole waveforms through an encoder and its front end, and the shortest that they embed."""

import pytest
import torch
from torch import Tensor

from registry import net as nets
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends import make_frontend
from registry.lookup import ENCODERS
from registry.net import Net, shortest_embedded

RATE, HOP = 8000, 160


def net(encoder: str) -> Net:
    frontend = make_frontend({"name": "logmel", "sample_rate": RATE, "hop_length": HOP, "fmax": 4000, "n_mels": 16})
    torch.manual_seed(0)
    return Net(frontend, ENCODERS.build({"name": encoder, "width": 2}, frontend.channels, frontend.bins), "whole")


@pytest.mark.parametrize("encoder", ["cnn6", "cnn10"])
@torch.no_grad()
def test_a_whole_waveform_has_the_embedding_that_the_encoder_gives_it(
    encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, wave_BT = net(encoder), 0.1 * torch.randn(5, 3 * RATE + 11, generator=torch.Generator().manual_seed(1))
    expected = whole.encoder.embed(whole.views(wave_BT))
    torch.testing.assert_close(whole(wave_BT), expected, rtol=0, atol=1e-6)
    sizes: list[int] = []
    embed = Encoder.embed

    def noting(self: Encoder, x_BCFN: Tensor) -> Tensor:
        sizes.append(len(x_BCFN))
        return embed(self, x_BCFN)

    monkeypatch.setattr(Encoder, "embed", noting)
    monkeypatch.setattr(nets, "SAMPLES_AT_ONCE", 2 * wave_BT.shape[1])
    torch.testing.assert_close(whole(wave_BT), expected, rtol=0, atol=1e-6)
    assert sizes == [2, 2, 1]


@torch.no_grad()
def test_a_waveform_that_is_too_short_is_padded_to_the_shortest_that_the_encoder_takes() -> None:
    whole = net("cnn10")
    z_1D = whole(torch.ones(1, 1))
    shortest = (whole.encoder.shortest - 1) * HOP
    padded_1T = torch.nn.functional.pad(torch.ones(1, 1), (0, shortest - 1))
    assert whole.views(padded_1T).shape[-1] == whole.encoder.shortest
    torch.testing.assert_close(z_1D, whole.encoder.embed(whole.views(padded_1T)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("error", [Mistake, RuntimeError, ValueError])
@pytest.mark.parametrize(("least", "expected"), [(1, 777), (300, 777), (777, 777), (900, 900)])
def test_the_shortest_length_is_found(error: type[Exception], least: int, expected: int) -> None:
    tried: list[int] = []

    def embed(samples: int) -> None:
        tried.append(samples)
        if samples < 777:
            raise error("too short")

    assert shortest_embedded(embed, least, RATE) == expected
    assert len(tried) <= 21


def test_what_takes_no_length_is_refused_with_its_own_words() -> None:
    def embed(samples: int) -> None:
        raise Mistake(f"{samples} samples are none of mine")

    with pytest.raises(Mistake, match="500 samples are none of mine"):
        shortest_embedded(embed, 500, RATE)


def test_the_device_meta_that_knows_no_operation_is_no_refusal() -> None:
    def embed(samples: int) -> None:
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        shortest_embedded(embed, 1, RATE)
