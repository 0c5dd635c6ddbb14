"""Bundles of torchaudio: a tiny one whose weights lie in torch.hub's cache, as torchaudio itself keeps them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, pad

from registry.contracts import findings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.lookup import ENCODERS

RATE = 8000
_WAVES: dict[str, Any] = {
    "extractor_conv_layer_config": [(8, 60, 40), (8, 40, 20)],
    "extractor_conv_bias": False,
    "encoder_embed_dim": 16,
    "encoder_projection_dropout": 0.1,
    "encoder_pos_conv_kernel": 4,
    "encoder_pos_conv_groups": 2,
    "encoder_num_layers": 3,
    "encoder_num_heads": 2,
    "encoder_attention_dropout": 0.1,
    "encoder_ff_interm_features": 16,
    "encoder_ff_interm_dropout": 0.1,
    "encoder_dropout": 0.1,
    "encoder_layer_drop": 0.9,
    "aux_num_out": None,
}
_GROUP = {"extractor_mode": "group_norm", "encoder_layer_norm_first": False}
_LAYER = {"extractor_mode": "layer_norm", "encoder_layer_norm_first": True}
_WAVLM = {"encoder_num_buckets": 8, "encoder_max_distance": 20}
BUNDLES: dict[str, tuple[str, dict[str, Any]]] = {
    "TINY_BASE": ("Wav2Vec2", {**_WAVES, **_GROUP}),
    "TINY_LARGE": ("Wav2Vec2", {**_WAVES, **_LAYER}),
    "TINY_WAVLM": ("WavLM", {**_WAVES, **_GROUP, **_WAVLM}),
}


def tiny_bundles(monkeypatch: pytest.MonkeyPatch, home: Path) -> dict[str, Any]:
    """Bundles of each kind in torchaudio, with drawn weights in a cache of torch.hub."""
    from torchaudio import pipelines
    from torchaudio.pipelines._wav2vec2.utils import _get_model

    monkeypatch.setenv("TORCH_HOME", str(home))
    (home / "hub" / "checkpoints").mkdir(parents=True)
    made = {}
    for name, (kind, settings) in BUNDLES.items():
        torch.manual_seed(4)
        bundle = pipelines.Wav2Vec2Bundle(f"{name}.pth", settings, RATE, name == "TINY_LARGE", kind)
        torch.save(_get_model(kind, settings).state_dict(), home / "hub" / "checkpoints" / f"{name}.pth")
        monkeypatch.setattr(pipelines, name, bundle, raising=False)
        made[name] = bundle
    return made


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    return tiny_bundles(monkeypatch, tmp_path)


def loaded(name: str, **settings: Any) -> Encoder:
    encoder = ENCODERS.build({"name": "torchaudio", "bundle": name, **settings}, 1, 0).eval()
    encoder.load_own(None)
    return encoder


def clips(samples: int) -> Tensor:
    return 0.2 * torch.randn(3, 1, samples, generator=torch.Generator().manual_seed(2)) + 0.1


@pytest.mark.parametrize("name", BUNDLES)
@torch.no_grad()
def test_a_bundle_gives_what_it_gives_when_it_is_called(bundles: dict[str, Any], name: str) -> None:
    wave_B1T = clips(RATE)
    model = bundles[name].get_model()
    layers = [torch.cat(one) for one in zip(*(model.extract_features(wave)[0] for wave in wave_B1T), strict=True)]
    torch.testing.assert_close(loaded(name)(wave_B1T), layers[-1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(loaded(name, layer=2).embed(wave_B1T), layers[1].mean(1), atol=1e-5, rtol=1e-4)
    assert loaded(name).own_rate(loaded(name).config, None) == RATE


@torch.no_grad()
def test_a_clip_is_normalised_by_itself(bundles: dict[str, Any]) -> None:
    wave_B1T = clips(RATE) * torch.tensor([1.0, 0.1, 0.01])[:, None, None]
    model = bundles["TINY_LARGE"].get_model()
    expected = model.model.extract_features(layer_norm(wave_B1T[:, 0], (RATE,)))[0][-1]
    over_the_batch = model.extract_features(wave_B1T[:, 0])[0][-1]
    torch.testing.assert_close(loaded("TINY_LARGE")(wave_B1T), expected, atol=1e-5, rtol=1e-4)
    assert (over_the_batch - expected).abs().max() > 0.01


@pytest.mark.parametrize("name", BUNDLES)
@torch.no_grad()
def test_a_padded_clip_embeds_as_it_does_alone(bundles: dict[str, Any], name: str) -> None:
    encoder, wave_B1T = loaded(name), clips(RATE)
    padded_B1T = torch.cat([wave_B1T[:1], pad(wave_B1T[1:2, :, :3000], (0, RATE - 3000)), wave_B1T[2:]])
    lengths = (RATE, 3000, RATE)
    alone_BD = torch.cat([encoder.embed(wave_B1T[i : i + 1, :, :n]) for i, n in enumerate(lengths)])
    torch.testing.assert_close(encoder.embed(padded_B1T), alone_BD, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_keep_the_contract_of_encoders(bundles: dict[str, Any], name: str) -> None:
    found = findings(ENCODERS, {"name": "torchaudio", "bundle": name, "layer": 2})
    assert [str(one) for one in found if one.state == "failed"] == []


def test_a_layer_a_bundle_and_weights_that_are_not_there(
    bundles: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Mistake, match="layers 1 to 3, and not 4"):
        loaded("TINY_BASE", layer=4)
    with pytest.raises(Mistake, match="no bundle of speech features called 'WAV2VEC2_BAS'") as told:
        loaded("WAV2VEC2_BAS")
    assert "did you mean WAV2VEC2_BASE" in told.value.fix
    (tmp_path / "hub" / "checkpoints" / "TINY_BASE.pth").unlink()

    def no_network(*args: Any, **how: Any) -> None:
        raise OSError("<urlopen error no network>")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    with pytest.raises(Mistake, match=r"TINY_BASE are not in torch.hub's cache, and cannot be fetched: .*no network"):
        loaded("TINY_BASE")
