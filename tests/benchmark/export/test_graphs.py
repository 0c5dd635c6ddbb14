"""Graphs that leave as pt2, onnx and hear: they give torch's embeddings, alone and behind the doors of models."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.export import FormName
from benchmark.export.exported import Exported
from benchmark.export.forms import form_called, publish
from registry.encoders import Encoder
from registry.encoders._unpadded import Unpadded
from registry.errors import Mistake
from registry.lookup import FRONTENDS
from registry.own_code import imported
from tests.benchmark.export.models import CNN, LOGMEL, exported, waves
from tests.registry.test_brought import brought, onnx_file

FORMS: tuple[FormName, ...] = ("pt2", "onnx", "hear")


def model() -> Exported:
    return exported(CNN, LOGMEL)


def embeddings(written: Exported, wave_BT: Tensor) -> Tensor:
    with torch.no_grad():
        z_BD: Tensor = written.net(wave_BT)
    return z_BD


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of each form."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("graphs")
    for form in FORMS:
        publish(model(), form, folder / form, "card\n")
    return folder


@pytest.fixture(scope="module")
def hear(folders: Path) -> Any:
    """The module of the form hear."""
    return imported(f"{folders}/hear/hear_model.py")


@pytest.fixture(scope="module")
def loaded(hear: Any) -> Any:
    return hear.load_model()


CODE = """
import sys
import numpy
waves = [numpy.load(path) for path in sys.argv[1:]]
for number, wave in enumerate(waves):
{snippet}
    numpy.save(f"z{{number}}.npy", z if isinstance(z, numpy.ndarray) else z.detach().numpy())
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize("form", ["onnx", *(pytest.param(form, marks=pytest.mark.slow) for form in ("pt2", "hear"))])
def test_the_snippet_embeds_as_the_net_does_with_nothing_of_ours(folders: Path, tmp_path: Path, form: FormName) -> None:
    written = model()
    sounds = [waves(written.net, 3, seconds) for seconds in (0.2, 0.5, 1.3)]  # in windows of 0.5 s
    paths = [tmp_path / f"{number}.npy" for number in range(len(sounds))]
    for path, wave_BT in zip(paths, sounds, strict=True):
        np.save(path, wave_BT.numpy())
    lines = form_called(form).snippet(written).strip().splitlines()
    assert len([line for line in lines if line]) <= 3
    code = CODE.format(snippet="\n".join("    " + line for line in lines))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *paths],
        cwd=folders / form,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not {"audiobench", "benchmark", "registry"} & set(done.stdout.split())
    assert ("torch" in done.stdout.split()) == (form != "onnx")
    for number, wave_BT in enumerate(sounds):
        z_BD = torch.from_numpy(np.load(folders / form / f"z{number}.npy"))
        torch.testing.assert_close(z_BD, embeddings(written, wave_BT), atol=1e-6, rtol=0)


def test_files_state_what_they_are_and_name_no_place_of_this_machine(folders: Path) -> None:
    import onnxruntime

    net = model().net
    session = onnxruntime.InferenceSession(folders / "onnx" / "model.onnx")
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("wave", "tensor(float)", ["windows", net.window_samples])
    assert (made.name, made.shape) == ("embedding", ["windows", net.embedding_dim])
    stated = session.get_modelmeta().custom_metadata_map
    extra = {"audiobench.json": ""}
    torch.export.load(folders / "pt2" / "model.pt2", extra_files=extra)
    assert json.loads(extra["audiobench.json"]) == stated
    numbers = {name: int(stated[name]) for name in ("sample_rate", "window_samples", "embedding_dim")}
    assert numbers == {name: getattr(net, name) for name in numbers}
    assert stated["name"] == "mine"
    root = str(Path(__file__).parents[3]).encode()
    for path in folders.rglob("*"):
        assert path.is_dir() or (root not in path.read_bytes() and b"site-packages" not in path.read_bytes()), path


@pytest.mark.parametrize("form", ["pt2", "onnx"])
def test_the_doors_read_graphs_again(folders: Path, form: str) -> None:
    """At the window that was exported. What is longer is cut into pieces of this length, one after the other."""
    written = model()
    net = written.net
    name = {"pt2": "exported", "onnx": "onnx"}[form]
    door = brought({"name": name, "sample_rate": net.sample_rate}, folders / form / f"model.{form}")
    assert door.embedding_dim == net.embedding_dim
    wave_BT = waves(net, 3, 1.0)
    z_BD, second_BD = (embeddings(written, wave_BT[:, at : at + net.window_samples]) for at in (0, net.window_samples))
    with torch.no_grad():
        found_BD = door.embed(wave_BT[:, None, : net.window_samples])
        both_BD = door.embed(wave_BT[:, None])
    torch.testing.assert_close(found_BD, z_BD, atol=1e-6, rtol=0)
    torch.testing.assert_close(both_BD, (z_BD + second_BD) / 2, atol=1e-6, rtol=0)


def test_a_graph_trains_on_and_follows_its_weights_to_another_device(folders: Path) -> None:
    """No other device is here but ``meta``, which computes shapes alone: a graph that names the CPU fails on it."""
    reference = {"name": "exported", "sample_rate": LOGMEL["sample_rate"]}
    door = brought(reference, folders / "pt2" / "model.pt2")
    wave_B1T = waves(model().net, 2, 0.5)[:, None]
    door.embed(wave_B1T).square().mean().backward()
    assert all(parameter.grad is not None for parameter in door.parameters())
    assert door.to("meta").embed(wave_B1T.to("meta")).device.type == "meta"


@pytest.mark.parametrize("seconds", [0.3, 0.5, 1.3])
def test_hear_embeds_scenes_as_the_net_does(folders: Path, hear: Any, loaded: Any, seconds: float) -> None:
    written = model()
    wave_BT = waves(written.net, 3, seconds)
    assert (loaded.sample_rate, loaded.scene_embedding_size) == (written.net.sample_rate, written.net.embedding_dim)
    assert isinstance(loaded, nn.Module)
    with torch.no_grad():
        z_BD = hear.get_scene_embeddings(wave_BT, loaded)
        door = brought({"name": "hear", "module": str(folders / "hear" / "hear_model.py")})
        torch.testing.assert_close(door.embed(wave_BT[:, None]), z_BD, atol=0, rtol=0)
    torch.testing.assert_close(z_BD, embeddings(written, wave_BT), atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"n_sounds, n_samples"):
        hear.get_scene_embeddings(wave_BT[0], loaded)


@pytest.mark.parametrize(("seconds", "count"), [(0.04, 1), (0.5, 10), (2.97, 59), (2.99, 60)])
def test_hear_embeds_timestamps_every_50_ms(hear: Any, loaded: Any, seconds: float, count: int) -> None:
    wave_BT = waves(model().net, 2, seconds)
    with torch.no_grad():
        x_BSD, time_BS = hear.get_timestamp_embeddings(wave_BT, loaded)
    assert x_BSD.shape == (2, count, loaded.timestamp_embedding_size)
    assert x_BSD.dtype == time_BS.dtype == torch.float32
    expected_S = 25.0 + 50 * torch.arange(count)
    torch.testing.assert_close(time_BS, expected_S.expand(2, -1))


def test_a_timestamp_embeds_the_sound_around_it(hear: Any, loaded: Any) -> None:
    """A click at 2.025 s moves the embeddings of this time most, and none that are a window away."""
    wave_1T = waves(model().net, 1, 4.0)
    clicked_1T = wave_1T.clone()
    clicked_1T[:, round(2.025 * loaded.sample_rate)] = 1.0
    with torch.no_grad():
        (before_SD,), (time_S,) = hear.get_timestamp_embeddings(wave_1T, loaded)
        (after_SD,), _ = hear.get_timestamp_embeddings(clicked_1T, loaded)
    moved_S = (after_SD - before_SD).norm(dim=1)
    assert abs(float(time_S[moved_S.argmax()]) - 2025) <= 100  # a frame of cnn10 is long
    assert moved_S[(time_S - 2025).abs() > 500].max() == 0


def test_x_ares_class_gives_frames_and_the_door_reads_it(folders: Path, hear: Any) -> None:
    encoder = hear.AudiobenchEncoder()
    wave_BT = waves(model().net, 2, 1.3)
    with torch.no_grad():
        frames_BSD = encoder(wave_BT)
        assert frames_BSD.shape == (2, 26, encoder.output_dim)
        assert (encoder.sampling_rate, encoder.hop_size_in_ms) == (8000, 50)
        torch.testing.assert_close(encoder(wave_BT[0]), frames_BSD[:1], atol=1e-5, rtol=0)
        door = brought({"name": "module", "class": f"{folders}/hear/hear_model.py:AudiobenchEncoder"})
        torch.testing.assert_close(door.embed(wave_BT[:, None]), frames_BSD.mean(1), atol=1e-6, rtol=0)
    ends_in_encoder = [name for name in dir(hear) if name.endswith("Encoder")]
    assert ends_in_encoder == ["AudiobenchEncoder"]  # X-ARES takes the only one


@pytest.mark.slow
def test_the_embedding_of_the_window_stands_for_frames_where_there_are_none(tmp_path: Path) -> None:
    written = exported({"name": "timm", "model": "test_mambaout"}, LOGMEL)
    wave_BT = waves(written.net, 2, 0.5)
    with pytest.raises(Mistake, match="no frames"):
        written.net.frames(wave_BT)
    publish(written, "hear", tmp_path / "hear", "card\n")
    module = imported(f"{tmp_path}/hear/hear_model.py")
    with torch.no_grad():
        x_BSD, _ = module.get_timestamp_embeddings(wave_BT, module.load_model())
    assert x_BSD.shape == (2, 10, written.net.embedding_dim)
    z_B1D = embeddings(written, wave_BT).unsqueeze(1)
    torch.testing.assert_close(x_BSD, z_B1D.expand_as(x_BSD), atol=1e-6, rtol=1e-6)


class Random(nn.Module):
    """Gives other values every time."""

    sample_rate = 8000

    def forward(self, wave_BT: Tensor) -> Tensor:
        return wave_BT[:, :4] + torch.rand(4)


class Reads(nn.Module):
    """Computes what depends on the samples."""

    sample_rate = 8000

    def forward(self, wave_BT: Tensor) -> Tensor:
        return wave_BT[:, :4] if float(wave_BT.sum()) > 1 else wave_BT[:, 4:8]


class Bessel(nn.Module):
    """Has an operation that ONNX lacks."""

    sample_rate = 8000

    def forward(self, wave_BT: Tensor) -> Tensor:
        z_BD: Tensor = torch.special.bessel_j0(wave_BT[:, :4])
        return z_BD


class Hears(Unpadded):
    """Leaves padding out."""


def made_elsewhere(encoder: Encoder) -> Exported:
    written = model()
    waveform = FRONTENDS.build({"name": "waveform", "sample_rate": 8000})
    written.net.views.frontend, written.net.encoder = waveform, encoder
    return written


@pytest.mark.parametrize("form", FORMS)
def test_what_has_no_graph_is_refused_by_name(tmp_path: Path, form: FormName) -> None:
    pytest.importorskip("onnxruntime")
    refused = {
        "Onnx runs a file of another library": brought(
            {"name": "onnx", "sample_rate": 8000}, onnx_file(tmp_path / "net.onnx")
        ),
        "torch.export cannot follow Module": brought({"name": "module", "class": f"{__name__}:Reads"}),
        "Hears leaves out the padding": Hears(None, 1, 0),  # type: ignore[arg-type]
    }
    for told, encoder in refused.items():
        with pytest.raises(Mistake, match=told) as caught:
            publish(made_elsewhere(encoder), form, tmp_path / form, "card\n")
        assert caught.value.fix
        assert not (tmp_path / form).exists()


def test_an_operation_without_a_form_in_onnx_is_named(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    written = made_elsewhere(brought({"name": "module", "class": f"{__name__}:Bessel"}))
    with pytest.raises(Mistake, match=r"no ONNX file of mine: No ONNX function found for .*bessel_j0") as caught:
        publish(written, "onnx", tmp_path / "onnx", "card\n")
    assert "pt2" in caught.value.fix
    publish(written, "pt2", tmp_path / "pt2", "card\n")


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_differs_from_torch_is_not_published(tmp_path: Path, form: FormName) -> None:
    encoder = brought({"name": "module", "class": f"{__name__}:Random"})
    most = {"pt2": "1e-06", "hear": "1e-06", "onnx": "1e-04"}[form]
    with pytest.raises(Mistake, match=rf"they differ by \S+ of the largest value, and at most {most} is allowed"):
        publish(made_elsewhere(encoder), form, tmp_path / form, "card\n")
    assert not (tmp_path / form).exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_model_of_whole_clips_has_no_window(tmp_path: Path, form: FormName) -> None:
    pytest.importorskip("onnxscript")
    written = model()
    written.net.window_samples = "whole"
    with pytest.raises(Mistake, match="mine embeds whole clips"):
        publish(written, form, tmp_path / form, "card\n")


def test_missing_packages_are_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.startswith("onnx") else find(name))
    with pytest.raises(Mistake, match="needs onnx, onnxscript, onnxruntime") as caught:
        publish(model(), "onnx", tmp_path / "onnx", "card\n")
    assert "audiobench[onnx]" in caught.value.fix
