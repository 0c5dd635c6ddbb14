"""The folder for Hugging Face's hub, as transformers reads it, trains it, and saves it again."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.export.exported import Exported
from benchmark.export.folder import read_export
from benchmark.export.forms import publish
from registry import lookup
from tests.benchmark.export.models import BANK, CPU, LOGMEL, exported, waves
from tests.benchmark.export.test_folder import MODELS

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
ALL: dict[str, Callable[[], Exported]] = {
    **MODELS,
    "tables": lambda: exported({"name": "timm", "model": "test_vit_relpos"}, LOGMEL),
}


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """transformers copies code of models into its cache, and asks the hub for nothing."""
    monkeypatch.setattr(lookup, "_installed", lambda: [BANK])
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


def auto(folder: Path) -> Any:
    return transformers.AutoModel.from_pretrained(folder, trust_remote_code=True)


@pytest.mark.parametrize("model", ALL)
def test_transformers_reads_the_same_model(tmp_path: Path, model: str) -> None:
    """Also where the encoder has tables that no file of weights holds, and where the front end learns."""
    written = ALL[model]()
    publish(written, "hf", tmp_path / "out", "card\n")
    read = auto(tmp_path / "out")
    assert not read.training
    assert read.config.hidden_size == written.net.embedding_dim
    wave_BT = waves(written.net)
    torch.testing.assert_close(read(wave_BT).pooler_output, written.net(wave_BT), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(read.model.frames(wave_BT), written.net.frames(wave_BT), rtol=1e-4, atol=1e-5)


def test_a_padded_waveform_embeds_as_it_does_alone(tmp_path: Path) -> None:
    written = MODELS["spectrogram"]()
    publish(written, "hf", tmp_path / "out", "card\n")
    model, extractor = auto(tmp_path / "out"), transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "out")
    alone = [waves(written.net, 1, seconds) for seconds in (1.7, 0.2, 0.9)]
    sounds = [wave_1T[0].numpy().astype(np.float32) for wave_1T in alone]
    batch = extractor(sounds, sampling_rate=written.net.sample_rate, padding=True, return_tensors="pt")
    z_BD = model(**batch).pooler_output
    for z_D, wave_1T in zip(z_BD, alone, strict=True):
        torch.testing.assert_close(z_D, written.net(wave_1T)[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="8000"):
        extractor(sounds, sampling_rate=16_000)


@pytest.mark.parametrize("model", ["learns", "branches"])
def test_what_transformers_has_trained_is_read_by_both(tmp_path: Path, model: str) -> None:
    written = MODELS[model]()
    publish(written, "hf", tmp_path / "out", "card\n")
    tuned = auto(tmp_path / "out")
    tuned.train()
    wave_BT = waves(written.net, 4)
    optimizer = torch.optim.SGD(tuned.parameters(), lr=0.1)
    tuned(wave_BT).pooler_output.square().mean().backward()
    assert all(parameter.grad is not None for parameter in tuned.parameters())
    optimizer.step()
    tuned.eval()
    tuned.save_pretrained(tmp_path / "tuned")
    z_BD = tuned(wave_BT).pooler_output
    assert not torch.allclose(z_BD, written.net(wave_BT), rtol=1e-3)
    torch.testing.assert_close(auto(tmp_path / "tuned")(wave_BT).pooler_output, z_BD)
    ours = read_export(tmp_path / "tuned", CPU)
    torch.testing.assert_close(ours.net(wave_BT), z_BD, rtol=1e-4, atol=1e-5)
    assert ours.digest != read_export(tmp_path / "out", CPU).digest


def test_a_net_without_weights_is_drawn_as_audiobench_draws_it(tmp_path: Path) -> None:
    written = exported({"name": "cnn10", "width": 8}, LOGMEL)
    publish(written, "hf", tmp_path / "out", "card\n")
    config = transformers.AutoConfig.from_pretrained(tmp_path / "out", trust_remote_code=True)
    drawn = dict(transformers.AutoModel.from_config(config, trust_remote_code=True).model.named_parameters())
    for name, parameter in written.net.named_parameters():
        if parameter.ndim == 4:
            assert not torch.equal(drawn[name], parameter)
            torch.testing.assert_close(drawn[name].std(), parameter.std(), rtol=0.2, atol=0)


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(MODELS["spectrogram"](), "hf", tmp_path / "out", "card\n")
    code = tmp_path / "out" / "modeling_audiobench.py"
    code.write_text(code.read_text().replace("from audiobench import", "from audiobench_of_nobody import"))
    with pytest.raises(ImportError, match="audiobench_of_nobody"):
        auto(tmp_path / "out")


def test_the_description_stands_in_the_configuration(tmp_path: Path) -> None:
    publish(MODELS["branches"](), "hf", tmp_path / "out", "card\n")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert list(config["audiobench"]["encoder"]["branches"]) == ["raw", "mels"]
    auto(tmp_path / "out").save_pretrained(tmp_path / "again")
    again = json.loads((tmp_path / "again" / "config.json").read_text())
    assert again["audiobench"] == config["audiobench"]
    assert list(again["audiobench"]["encoder"]["branches"]) == ["raw", "mels"]
