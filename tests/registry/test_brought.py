"""Encoders that are models made elsewhere: they give what the models give, or say in words why they cannot."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from registry.contracts import Beside, findings
from registry.encoders._brought import Brought
from registry.errors import Mistake
from registry.lookup import ENCODERS, WEIGHTS
from tests.conftest import SHARED

RATE = 8000


class Net(nn.Module):
    """A tiny model of waveforms: frames ``[B, N, 6]``, or their mean."""

    def __init__(self, pooled: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv1d(1, 6, 400, 200)
        self.pooled = pooled

    def forward(self, wave_BT: Tensor) -> Tensor:
        frames_BND: Tensor = self.conv(wave_BT.unsqueeze(1)).relu().transpose(1, 2)
        return frames_BND.mean(1) if self.pooled else frames_BND


def brought(reference: dict[str, Any], path: Path | None = None) -> Brought:
    encoder = ENCODERS.build(reference, 1, 0).eval()
    assert isinstance(encoder, Brought)
    encoder.load_own(path)
    return encoder


def onnx_file(path: Path, samples: int | str = "samples", batch: int | str = "batch", scale: float = 1.0) -> Path:
    """The net as an ONNX graph, made with ONNX's own helpers."""
    onnx = pytest.importorskip("onnx")
    net = Net()
    make, numpy = onnx.helper, onnx.numpy_helper
    weights = [numpy.from_array(scale * net.conv.weight.detach().numpy(), "w"), numpy.from_array(np.array([1]), "axis")]
    weights.append(numpy.from_array(net.conv.bias.detach().numpy(), "b"))
    nodes = [
        make.make_node("Unsqueeze", ["wave", "axis"], ["wave1"]),
        make.make_node("Conv", ["wave1", "w", "b"], ["conv"], strides=[200]),
        make.make_node("Relu", ["conv"], ["relu"]),
        make.make_node("Transpose", ["relu"], ["frames"], perm=[0, 2, 1]),
    ]
    given = make.make_tensor_value_info("wave", onnx.TensorProto.FLOAT, [batch, samples])
    made = make.make_tensor_value_info("frames", onnx.TensorProto.FLOAT, [batch, None, 6])
    model = make.make_model(
        make.make_graph(nodes, "net", [given], [made], weights), opset_imports=[make.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, path)
    return path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


WAVE_B1T = 0.3 * torch.randn(3, 1, RATE, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def expected() -> tuple[Tensor, Tensor]:
    frames_BND = Net()(WAVE_B1T[:, 0])
    return frames_BND, frames_BND.mean(1)


def test_an_onnx_file_gives_what_the_net_gives(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    encoder = brought({"name": "onnx", "sample_rate": RATE}, onnx_file(tmp_path / "net.onnx"))
    frames_BND, mean_BD = expected()
    torch.testing.assert_close(encoder(WAVE_B1T), frames_BND, atol=1e-5, rtol=0)
    torch.testing.assert_close(encoder.embed(WAVE_B1T), mean_BD, atol=1e-5, rtol=0)
    assert (encoder.embedding_dim, encoder.own_rate(encoder.config, None)) == (6, RATE)


def test_an_onnx_model_of_one_length_and_one_clip_gets_pieces(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    encoder = brought({"name": "onnx", "sample_rate": RATE}, onnx_file(tmp_path / "net.onnx", RATE // 2, 1))
    with torch.no_grad():
        halves = [Net()(WAVE_B1T[:, 0, i : i + RATE // 2]) for i in (0, RATE // 2)]
    torch.testing.assert_close(encoder(WAVE_B1T), torch.cat(halves, 1), atol=1e-5, rtol=0)


def test_an_onnx_model_refuses_what_is_too_short_for_it(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    encoder = brought({"name": "onnx", "sample_rate": RATE}, onnx_file(tmp_path / "net.onnx"))
    with pytest.raises(Mistake, match=r"does not take waveforms of shape \[3, 399\]"):
        encoder.embed(WAVE_B1T[..., :399])


@pytest.mark.parametrize("form", ["pt2", "ts"])
def test_what_torch_exported_gives_what_the_net_gives_and_gradients(tmp_path: Path, form: str) -> None:
    path, net = tmp_path / f"net.{form}", Net(pooled=True).eval()
    if form == "ts":
        torch.jit.save(torch.jit.trace(net, WAVE_B1T[:, 0]), path)
    else:
        sizes = {"wave_BT": {0: torch.export.Dim("batch"), 1: torch.export.Dim("samples", min=800)}}
        torch.export.save(torch.export.export(net, (WAVE_B1T[:, 0],), dynamic_shapes=sizes), path)
    encoder = brought({"name": "exported", "sample_rate": RATE}, path)
    torch.testing.assert_close(encoder.embed(WAVE_B1T), expected()[1], atol=1e-6, rtol=0)
    encoder.embed(WAVE_B1T).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


MODULE = """
import torch
from tests.registry.test_brought import Net

class Mine(Net):
    sampling_rate = 8000
    output_dim = 6
    hop_size_in_ms = 25

class Text(torch.nn.Module):
    sample_rate = 8000
    def forward(self, wave_BT):
        return "text"

class Nan(Net):
    sampling_rate = 8000
    def forward(self, wave_BT):
        return super().forward(wave_BT) / 0 * 0
"""
HEAR = """
from tests.registry.test_brought import Net

def load_model(path):
    model = Net()
    model.sample_rate, model.scene_embedding_size, model.timestamp_embedding_size = 8000, {size}, 6
    return model

def get_scene_embeddings(audio, model):
    return model(audio).mean(1)

def get_timestamp_embeddings(audio, model):
    frames = model(audio)
    return frames, 25.0 * frames.new_ones(frames.shape[:2]).cumsum(1)
"""


def test_a_class_of_a_package_says_its_rate_and_gives_what_it_gives(package: Path) -> None:
    (package / "own_nets.py").write_text(MODULE)
    encoder = brought({"name": "module", "class": "own_nets:Mine"})
    assert encoder.own_rate(encoder.config, None) == RATE
    torch.testing.assert_close(encoder(WAVE_B1T), expected()[0])
    code = encoder.digest_of(encoder.config)
    (package / "own_nets.py").write_text(MODULE + "\n")
    asking = f"import sys; sys.path.insert(0, {str(package)!r}); from registry.lookup import package_digest"
    asked = [sys.executable, "-c", f"{asking}; print(package_digest('own_nets'))"]  # one process remembers digests
    changed = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert changed.stdout.strip() not in ("", code)


def test_a_module_of_hear_gives_scene_and_timestamp_embeddings(package: Path) -> None:
    (package / "a_hear_module.py").write_text(HEAR.format(size=6))
    encoder = brought({"name": "hear", "module": "a_hear_module"})
    assert encoder.own_rate(encoder.config, None) == RATE
    frames_BND, mean_BD = expected()
    torch.testing.assert_close(encoder(WAVE_B1T), frames_BND)
    torch.testing.assert_close(encoder.embed(WAVE_B1T), mean_BD)


def test_code_may_be_named_by_the_path_of_its_file_and_import_its_neighbours(tmp_path: Path) -> None:
    before = list(sys.path)
    (tmp_path / "beside_it.py").write_text(HEAR.format(size=6))
    (tmp_path / "one.py").write_text("from beside_it import *")
    (tmp_path / "net.py").write_text(MODULE)
    hear = brought({"name": "hear", "module": str(tmp_path / "one.py")})
    own = brought({"name": "module", "class": f"{tmp_path / 'net.py'}:Mine"})
    torch.testing.assert_close(hear.embed(WAVE_B1T), expected()[1])
    torch.testing.assert_close(own.embed(WAVE_B1T), expected()[1])
    assert own.digest_of(own.config) == hashlib.sha256(MODULE.encode()).hexdigest()
    sys.path[:] = before
    del sys.modules["beside_it"]


def test_a_class_in_the_working_folder_is_found_by_the_program(tmp_path: Path) -> None:
    (tmp_path / "own_nets.py").write_text("import torch\n\n\nclass Flat(torch.nn.Flatten):\n    sample_rate = 8000\n")
    program = [str(Path(sys.executable).parent / "audiobench"), "check", "{name: module, class: 'own_nets:Flat'}"]
    answer = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    assert "It is made from its settings" in answer.stdout, answer.stderr


def test_what_cannot_be_used_is_said_in_words(package: Path) -> None:
    (package / "own_nets.py").write_text(MODULE)
    (package / "wrong_size.py").write_text(HEAR.format(size=7))
    (package / "no_api.py").write_text("def load_model(path): ...\n")
    (package / "no.pt2").write_text("text")
    for reference, path, answer in (
        ({"name": "module", "class": "own_nets:Text"}, None, "gives a str, and not a tensor"),
        ({"name": "module", "class": "own_nets:Nan"}, None, "not finite"),
        ({"name": "module", "class": "own_nets:Absent"}, None, "cannot be made: AttributeError"),
        ({"name": "module", "class": "no_such_package:Net"}, None, "does not import: ModuleNotFoundError"),
        ({"name": "hear", "module": "no_api"}, None, "has no get_scene_embeddings, get_timestamp_embeddings"),
        ({"name": "hear", "module": "wrong_size"}, None, "gives 6 values, and says 7"),
        ({"name": "hear", "module": "no_such_module"}, None, "does not import"),
        ({"name": "exported", "sample_rate": RATE}, package / "no.pt2", "no readable exported model"),
        ({"name": "exported", "sample_rate": RATE}, None, "names no file"),
    ):
        with pytest.raises(Mistake, match=answer):
            brought(reference, path)


def test_onnx_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    good = onnx_file(tmp_path / "net.onnx")
    (tmp_path / "no.onnx").write_text("text")
    for settings, path, answer in (
        ({}, tmp_path / "no.onnx", "no readable ONNX model"),
        ({"output": "absent"}, good, "has no output 'absent'"),
        ({"input": "absent"}, good, "has no input 'absent'"),
        ({}, onnx_file(tmp_path / "nan.onnx", scale=float("nan")), "not finite"),
    ):
        with pytest.raises(Mistake, match=answer):
            brought({"name": "onnx", "sample_rate": RATE, **settings}, path)


@pytest.mark.parametrize(
    "reference", [{"name": "module", "class": "own_nets:Mine"}, {"name": "hear", "module": "a_hear"}]
)
def test_what_training_did_to_a_model_is_gone_when_it_is_loaded_again(package: Path, reference: dict[str, Any]) -> None:
    (package / "own_nets.py").write_text(MODULE)
    (package / "a_hear.py").write_text(HEAR.format(size=6))
    first = brought(reference)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.zero_()
    assert not first.embed(WAVE_B1T).any()
    torch.testing.assert_close(brought(reference).embed(WAVE_B1T), expected()[1])


@pytest.mark.parametrize("name", ["exported", "onnx", "module", "hear"])
def test_models_that_others_made_keep_the_contract_of_encoders(package: Path, name: str) -> None:
    (package / "own_nets.py").write_text(MODULE)
    (package / "a_hear_module.py").write_text(HEAR.format(size=6))
    torch.jit.save(torch.jit.trace(Net().eval(), WAVE_B1T[:, 0]), package / "net.ts")
    settings: dict[str, dict[str, Any]] = {
        "exported": {"file": str(package / "net.ts"), "sample_rate": RATE},
        "onnx": {"file": str(package / "net.onnx"), "sample_rate": RATE},
        "module": {"class": "own_nets:Mine"},
        "hear": {"module": "a_hear_module"},
    }
    if name == "onnx":
        pytest.importorskip("onnxruntime")
        onnx_file(package / "net.onnx")
    reference = {"name": name, **settings[name]}
    found = list(findings(ENCODERS, reference))
    failed = [str(finding) for finding in found if finding.state == "failed"]
    assert [text for text in failed if "short" not in text] == []
    beside = Beside(encoder=ENCODERS.choose(reference))
    assert [str(one) for one in findings(WEIGHTS, "own", beside) if one.state == "failed"] == []


@pytest.mark.real
def test_yamnet_gives_its_1024_values() -> None:
    pytest.importorskip("ai_edge_litert")
    path = SHARED / "weights" / "yamnet.tflite"
    if not path.is_file():
        pytest.skip(f"YAMNet is not at hand: {path}")
    tensor = "yamnet_frames/global_average_pooling2d/Mean"
    encoder = brought({"name": "tflite", "sample_rate": 16000, "tensor": tensor}, path)
    wave_B1T = 0.1 * torch.randn(2, 1, 15600, generator=torch.Generator().manual_seed(1))
    assert (encoder.embedding_dim, encoder(wave_B1T).shape) == (1024, (2, 1, 1024))
    torch.testing.assert_close(encoder.embed(wave_B1T)[1:], encoder.embed(wave_B1T[1:]))
    with pytest.raises(Mistake, match="no tensor 'global_average'"):
        brought({"name": "tflite", "sample_rate": 16000, "tensor": "global_average"}, path)
