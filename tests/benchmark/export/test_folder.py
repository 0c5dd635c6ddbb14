"""Folders of exports: read again, a model is the same, bit for bit; what is wrong with a folder is told."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.export import FormName
from benchmark.export.exported import Exported
from benchmark.export.folder import is_export, read_export
from benchmark.export.forms import form_called, publish
from registry import lookup
from registry.errors import Mistake
from registry.net import Net
from registry.tensors import read_tensors, write_tensors
from registry.weights.checkpoint import Checkpoint
from tests.benchmark.export.models import BANK, BRANCHES, CNN, CPU, LOGMEL, exported, waves

FORMS: tuple[FormName, ...] = ("safetensors", "hf")
MODELS: dict[str, Callable[[], Exported]] = {
    "spectrogram": lambda: exported(CNN, LOGMEL),
    "waveform": lambda: exported({"name": "conv160", "width": 8}, {"name": "waveform", "sample_rate": 8000}),
    "statistics": lambda: exported(CNN, {**LOGMEL, "normalise": "dataset"}, {"normalisation": (-31.5, 12.25)}),
    "learns": lambda: exported(CNN, {"name": "learned-bank", "filters": 16}),
    "branches": lambda: exported({"name": "multiformat", "branches": BRANCHES}, "waveform"),
}
WEIGHTS = {"safetensors": "encoder.safetensors", "hf": "model.safetensors"}
DESCRIPTIONS = {"safetensors": "audiobench.json", "hf": "config.json"}


@pytest.fixture(autouse=True)
def _bank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_installed", lambda: [BANK])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_is_read_again_is_the_same(tmp_path: Path, model: str, form: FormName) -> None:
    written = MODELS[model]()
    publish(written, form, tmp_path / "out", "card\n")
    read = read_export(tmp_path / "out", CPU)
    wave_BT = waves(written.net)
    assert torch.equal(read.net(wave_BT), written.net(wave_BT))
    assert torch.equal(read.net.frames(wave_BT), written.net.frames(wave_BT))
    assert (read.name, read.samples, read.config) == (written.name, written.samples, written.config)
    assert read.net.encoder.parts == written.net.encoder.parts
    again = MODELS[model]()
    with torch.no_grad():
        for parameter in again.net.parameters():
            parameter.zero_()
    Checkpoint.load(again.net.encoder, again.net.views.frontend, {}, tmp_path / "out" / WEIGHTS[form])
    assert torch.equal(again.net(wave_BT), written.net(wave_BT))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each form."""
    folder = tmp_path_factory.mktemp("made")
    for form in FORMS:
        publish(MODELS["spectrogram"](), form, folder / form, "card\n")
    return folder


def change(path: Path, key: str, value: Any) -> None:
    content = json.loads(path.read_text())
    description = content.get("audiobench") if path.name == "config.json" else content
    *place, last = key.split(".")
    for name in place:
        description = description[name]
    description[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("key", "value", "told", "fix"),
    [
        ("schema", 2, "newer audiobench", "update audiobench"),
        ("encoder.version", 9, "cnn10 is of version 1, and its weights are of version 9", "export the model again"),
        ("encoder.name", "my-net", "no encoder is called 'my-net'", "--plugin FILE"),
        ("encoder.width", 4, "differs from its own digest", "export the model again"),
        ("encoder.widht", 4, "no longer fit", "export the model again"),
        ("window_samples", None, "no description of a model", "export the model again"),
    ],
)
def test_a_wrong_description_is_told(
    made: Path, tmp_path: Path, form: FormName, key: str, value: Any, told: str, fix: str
) -> None:
    folder = shutil.copytree(made / form, tmp_path / "out")
    change(folder / DESCRIPTIONS[form], key, value)
    with pytest.raises(Mistake, match=told) as caught:
        read_export(folder, CPU)
    assert str(folder) in caught.value.where
    assert fix in caught.value.fix


@pytest.mark.parametrize("form", FORMS)
def test_wrong_weights_are_told(made: Path, tmp_path: Path, form: FormName) -> None:
    folder = shutil.copytree(made / form, tmp_path / "out")
    path = folder / WEIGHTS[form]
    content = path.read_bytes()
    path.write_bytes(content[:-50])
    with pytest.raises(Mistake, match="damaged safetensors"):
        read_export(folder, CPU)
    path.unlink()
    with pytest.raises(Mistake, match=f"weights are missing: {path.name}"):
        read_export(folder, CPU)
    tensors = read_tensors(made / form / path.name)[0]
    write_tensors(path, {name: tensor * float("nan") for name, tensor in tensors.items() if tensor.is_floating_point()})
    with pytest.raises(Mistake, match="holds NaN"):
        read_export(folder, CPU)


def test_bytes_that_changed_are_told(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made / "safetensors", tmp_path / "out")
    path = folder / "encoder.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Mistake, match="differs from its own digest"):
        read_export(folder, CPU)
    change(folder / "audiobench.json", "frontend.fmax", 3999.0)
    with pytest.raises(Mistake, match="this description is not what was written"):
        read_export(folder, CPU)
    (folder / "audiobench.json").write_text("{")
    with pytest.raises(Mistake, match="cannot be read"):
        read_export(folder, CPU)


@pytest.mark.parametrize("content", [None, [], "cnn10"])
def test_a_field_that_is_no_description_is_told(made: Path, tmp_path: Path, content: Any) -> None:
    folder = shutil.copytree(made / "hf", tmp_path / "out")
    (folder / "config.json").write_text(json.dumps({"audiobench": content}))
    with pytest.raises(Mistake, match="this is no description of a model"):
        read_export(folder, CPU)


def test_a_folder_of_something_else_is_no_export(tmp_path: Path) -> None:
    assert not is_export(tmp_path)
    assert not is_export(tmp_path / "none")
    for text in ("{", "[]", '{"model_type": "wav2vec2"}'):
        (tmp_path / "config.json").write_text(text)
        assert not is_export(tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_an_export_is_whole_or_not_there(tmp_path: Path, form: FormName, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS["spectrogram"]()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(Mistake, match="something in this place already"):
        publish(model, form, tmp_path / "full", "card\n")
    (tmp_path / "full" / "mine.txt").unlink()

    def failing(*arguments: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(form_called(form), "write_json", failing)
        with pytest.raises(OSError, match="full"):
            publish(model, form, tmp_path / "full", "card\n")
    assert [path.name for path in tmp_path.rglob("*")] == ["full"]
    publish(model, form, tmp_path / "full", "card\n")
    assert (tmp_path / "full" / "README.md").read_text() == "card\n"
    assert len({path.stat().st_mode for path in (tmp_path / "full").iterdir()}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize("form", FORMS)
def test_a_model_of_somebody_else_is_not_copied(tmp_path: Path, form: FormName) -> None:
    made = exported({"name": "conv160", "width": 8}, {"name": "waveform", "sample_rate": 8000})
    brought = made.config.model_copy(update={"encoder": _brought()})
    model = Exported("theirs", made.net, brought, "int16", "", None)
    with pytest.raises(Mistake, match="theirs is a model that others made") as caught:
        publish(model, form, tmp_path / "out", "card\n")
    assert "net.pt2" in caught.value.where
    assert not list(tmp_path.iterdir())


def _brought() -> Any:
    return lookup.ENCODERS.choose({"name": "exported", "file": "net.pt2", "sample_rate": 8000})


def test_the_file_of_a_plugin_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_installed", list)
    plugin = tmp_path / "my_bank.py"
    shutil.copyfile(Path(__file__).parents[2] / "learned_bank.py", plugin)
    lookup.load_plugin(plugin)
    written = exported(CNN, {"name": "my-bank", "filters": 16})
    with pytest.raises(Mistake, match="which transformers cannot load") as caught:
        publish(written, "hf", tmp_path / "hf", "card\n")
    assert caught.value.where == str(plugin)
    publish(written, "safetensors", tmp_path / "out", "card\n")
    assert 'plugins=["my_bank.py"]' in form_called("safetensors").snippet(written)
    monkeypatch.setattr(lookup, "_plugins", {})
    with pytest.raises(Mistake, match="no front end is called 'my-bank'") as caught:
        read_export(tmp_path / "out", CPU)
    assert "--plugin FILE" in caught.value.fix
    lookup.load_plugin(tmp_path / "out" / "my_bank.py")
    wave_BT = waves(written.net)
    assert torch.equal(read_export(tmp_path / "out", CPU).net(wave_BT), written.net(wave_BT))
    plugin.write_text(plugin.read_text() + "# changed\n")
    lookup.load_plugin(plugin)
    with pytest.raises(Mistake, match=r"my-bank is of version 1\+\w+, and its weights are of version 1\+"):
        read_export(tmp_path / "out", CPU)


def test_a_net_is_itself_a_checkpoint(tmp_path: Path) -> None:
    """What ``torch.save(audiobench.load(ENTRY).state_dict(), ...)`` writes can stand under ``weights: checkpoint``."""
    for model in ("learns", "spectrogram"):
        written, other = MODELS[model](), MODELS[model]()
        torch.save(written.net.state_dict(), tmp_path / "net.pt")
        with torch.no_grad():
            for parameter in other.net.parameters():
                parameter.zero_()
        Checkpoint.load(other.net.encoder, other.net.views.frontend, {}, tmp_path / "net.pt")
        assert isinstance(other.net, Net)
        wave_BT = waves(written.net)
        assert torch.equal(other.net(wave_BT), written.net(wave_BT))
