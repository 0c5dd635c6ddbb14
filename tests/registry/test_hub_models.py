"""Models of transformers: they give what transformers gives, and a padded clip what it gives alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad

from registry.contracts import Beside, findings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.hub import hub_snapshot
from registry.lookup import ENCODERS, WEIGHTS
from tests.registry._hub_models import FAMILIES, RATE, hub_folder, hub_model

LONGEST = {"ast": 200 + 149 * 80, "whisper": 2 * RATE, "clap": 2 * RATE, "clap-fusion": 2 * RATE}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def loaded(folder: Path, **settings: Any) -> Encoder:
    encoder = ENCODERS.build({"name": "transformers", **settings}, 1, 0).eval()
    encoder.load_own(folder)
    return encoder


def clips(samples: int, count: int = 3) -> Tensor:
    return 0.2 * torch.randn(count, 1, samples, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def called(name: str, wave_B1T: Tensor) -> Any:
    """What transformers itself gives for clips of one length."""
    model, extractor = hub_model(name)
    net = model.eval().base_model
    net = {"whisper": "encoder", "clap": "audio_model", "clap-fusion": "audio_model"}.get(name, "") or net
    net = getattr(model.base_model, net) if isinstance(net, str) else net
    features = extractor(list(wave_B1T[:, 0].numpy()), sampling_rate=RATE, return_tensors="pt")
    given = {net.main_input_name: features[net.main_input_name].float()}
    if name.startswith("clap"):
        given["is_longer"] = torch.zeros(len(wave_B1T), 1, dtype=torch.bool)
    return net(**given, output_hidden_states=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_encoder_gives_what_the_model_gives_when_it_is_called(tmp_path: Path, name: str) -> None:
    folder = hub_folder(tmp_path, name)
    wave_B1T = clips(LONGEST.get(name, RATE))  # as long as the model takes: every frame is of the clip
    output = called(name, wave_B1T)
    skipped = 2 if name == "ast" else 0
    hidden = output.last_hidden_state
    mean_BD = hidden.flatten(2).mean(2) if hidden.ndim == 4 else hidden[:, skipped:].mean(1)
    encoder = loaded(folder)
    with torch.no_grad():
        torch.testing.assert_close(encoder.embed(wave_B1T), mean_BD, atol=1e-5, rtol=1e-4)
        first = output.hidden_states[1]
        mean_BD = first.flatten(2).mean(2) if first.ndim == 4 else first[:, skipped:].mean(1)
        torch.testing.assert_close(loaded(folder, layer=1).embed(wave_B1T), mean_BD, atol=1e-5, rtol=1e-4)
        if hidden.ndim == 3:
            torch.testing.assert_close(loaded(folder, pool="first").embed(wave_B1T), hidden[:, 0], atol=1e-5, rtol=1e-4)
        if "pooler_output" in output:
            pooled_BD = loaded(folder, pool="pooler").embed(wave_B1T)
            torch.testing.assert_close(pooled_BD, output.pooler_output, atol=1e-5, rtol=1e-4)
    assert (encoder.own_rate(encoder.config, folder), encoder.embedding_dim) == (RATE, 16)


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_a_padded_clip_embeds_as_it_does_alone(tmp_path: Path, name: str) -> None:
    encoder = loaded(hub_folder(tmp_path, name))
    wave_B1T, lengths = clips(RATE, 4), [3000, RATE, 3000, 5000]
    padded_B1T = torch.cat([pad(wave[None, :, :n], (0, RATE - n)) for wave, n in zip(wave_B1T, lengths, strict=True)])
    together_BND, embedded_BD = encoder(padded_B1T), encoder.embed(padded_B1T)
    for row, samples in enumerate(lengths):
        alone_1ND = encoder(wave_B1T[row : row + 1, :, :samples])
        own_1ND = together_BND[row : row + 1, : alone_1ND.shape[1]]
        torch.testing.assert_close(own_1ND, alone_1ND, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(embedded_BD[row], alone_1ND[0].mean(0), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_group_norm_would_hear_the_padding(tmp_path: Path) -> None:
    short_B1T = clips(3000)
    alone_BD = loaded(hub_folder(tmp_path, "wav2vec2")).embed(short_B1T)
    padded = called("wav2vec2", pad(short_B1T, (0, 5000))).last_hidden_state
    assert (padded[:, : 3000 // 800].mean(1) - alone_BD).abs().max() > 0.01


@torch.no_grad()
def test_silence_within_a_clip_counts_and_a_silent_clip_counts_whole(tmp_path: Path) -> None:
    encoder = loaded(hub_folder(tmp_path, "wav2vec2"))
    wave_B1T = clips(RATE)
    wave_B1T[:, :, 2000:6000] = 0
    frames = called("wav2vec2", wave_B1T).last_hidden_state
    torch.testing.assert_close(encoder(wave_B1T), frames, atol=1e-5, rtol=1e-4)
    silence_B1T = torch.zeros(2, 1, RATE)
    frames = called("wav2vec2", silence_B1T).last_hidden_state
    torch.testing.assert_close(encoder(silence_B1T), frames, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(LONGEST))
@torch.no_grad()
def test_what_is_longer_than_a_model_takes_goes_through_it_in_pieces(tmp_path: Path, name: str) -> None:
    encoder = loaded(hub_folder(tmp_path, name))
    longest = LONGEST[name]
    wave_B1T = clips(longest + 3000)
    expected = torch.cat([encoder(wave_B1T[..., :longest]), encoder(wave_B1T[..., longest:])], 1)
    torch.testing.assert_close(encoder(wave_B1T), expected)


@torch.no_grad()
def test_frames_of_ast_are_in_the_order_of_time(tmp_path: Path) -> None:
    wave_B1T = clips(RATE)
    bands, times, heard = 2, 14, 10  # patches of 16 every 10; a second has 98 spectra of 150
    patches = called("ast", wave_B1T).last_hidden_state[:, 2:]
    frames_BND = loaded(hub_folder(tmp_path, "ast"))(wave_B1T)
    assert frames_BND.shape == (3, heard, 16)
    for time in range(heard):
        expected = sum(patches[:, band * times + time] for band in range(bands)) / bands
        torch.testing.assert_close(frames_BND[:, time], expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_frames_of_whisper_are_those_of_the_clip(tmp_path: Path) -> None:
    wave_B1T = clips(3000)
    hidden_BND = called("whisper", wave_B1T).last_hidden_state
    assert hidden_BND.shape[1] == 100  # of 2 s, to which the feature extractor pads
    torch.testing.assert_close(loaded(hub_folder(tmp_path, "whisper"))(wave_B1T), hidden_BND[:, :19])


def test_what_an_embedding_does_not_need_is_not_trained(tmp_path: Path) -> None:
    folder = hub_folder(tmp_path, "wav2vec2")
    trained = {name for name, own in loaded(folder, layer=1).named_parameters() if own.requires_grad}
    assert any(".layers.0." in name for name in trained)
    assert not any(".layers.1." in name or "masked_spec_embed" in name for name in trained)


@pytest.mark.parametrize("name", FAMILIES)
def test_models_of_every_family_keep_the_contract_of_encoders(tmp_path: Path, name: str) -> None:
    reference = {"name": "transformers", "model": str(hub_folder(tmp_path, name))}
    assert [str(one) for one in findings(ENCODERS, reference) if one.state == "failed"] == []
    beside = Beside(encoder=ENCODERS.choose(reference))
    assert [str(one) for one in findings(WEIGHTS, "own", beside) if one.state == "failed"] == []


def test_weights_that_lack_some_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = hub_folder(tmp_path, "wav2vec2")
    tensors = load_file(folder / "model.safetensors")
    del tensors["wav2vec2.masked_spec_embed"]  # as many published checkpoints do
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    loaded(folder)
    del tensors["wav2vec2.encoder.layers.1.attention.k_proj.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(Mistake, match=r"lack 1 tensors: encoder.layers.1.attention.k_proj.weight"):
        loaded(folder)


def test_the_hub_is_asked_for_configuration_and_weights_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub

    files = ["config.json", "model.safetensors", "pytorch_model.bin", "README.md", "onnx/model.onnx"]
    info = SimpleNamespace(sha=COMMIT, siblings=[SimpleNamespace(rfilename=name) for name in files])
    asked: list[Any] = []

    def fetch(model: str, **how: Any) -> str:
        if how.get("local_files_only"):
            return str(tmp_path)  # there, and empty
        asked.append((model, how))
        return str(tmp_path / COMMIT)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **how: info)
    assert hub_snapshot("someone/net", "") == tmp_path / COMMIT
    assert asked == [("someone/net", {"revision": COMMIT, "allow_patterns": ["config.json", "model.safetensors"]})]
    assert "asking Hugging Face's hub for someone/net" in capsys.readouterr().err
    assert hub_snapshot("./someone/net", "") is None
