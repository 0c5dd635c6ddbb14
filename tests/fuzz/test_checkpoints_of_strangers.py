"""Files of weights from strangers: no code runs, nothing hangs, and no more memory is taken than the file holds."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from registry.checkpoint import open_checkpoint, require_learned_file
from registry.encoders.onnx import Onnx
from registry.encoders.transformers import Transformers
from registry.errors import Mistake
from registry.lookup import ENCODERS, FRONTENDS


def itself() -> dict[str, Any]:
    content: dict[str, Any] = {}
    content["model"] = content
    return content


def laughs() -> list[Any]:
    """Ten times ten times ten ... of one list, in a few hundred bytes."""
    content: list[Any] = [0]
    for _ in range(20):
        content = [content] * 10
    return content


PICKLES: dict[str, Callable[[], Any]] = {
    "a value repeated": lambda: {"w": torch.zeros(1).expand(2**40)},
    "sparse": lambda: {"w": torch.eye(3).to_sparse()},
    "without values": lambda: {"w": torch.zeros(3, device="meta")},
    "quantised": lambda: {"w": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)},
    "in itself": itself,
    "laughs": laughs,
}


@pytest.mark.parametrize("name", PICKLES)
def test_what_a_pickle_claims_it_holds(name: str, tmp_path: Path) -> None:
    torch.save(PICKLES[name](), tmp_path / "w.pt")
    assert (tmp_path / "w.pt").stat().st_size < 10_000
    with pytest.raises(Mistake, match=r"no file of weights has|no plain values|does not hold") as refused:
        require_learned_file(tmp_path / "w.pt")
    assert refused.value.where == str(tmp_path / "w.pt")


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path: Path) -> None:
    stored = io.BytesIO()
    torch.save({"w": torch.zeros(10**6)}, stored)
    with zipfile.ZipFile(stored) as archive, zipfile.ZipFile(tmp_path / "w.pt", "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in archive.infolist():
            packed.writestr(entry.filename, archive.read(entry))
    with pytest.raises(Mistake, match="compressed zip archive"):
        require_learned_file(tmp_path / "w.pt")


HEADERS: dict[str, tuple[Any, bytes]] = {
    "a header of 2 GB": (2**31 - 1, b"{}"),
    "a tensor of 4 TB": ({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}, b""),
    "another size": ({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 4]}}, bytes(16)),
    "too many values": ({"w": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 0]}}, b""),
    "fewer than none": ({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, bytes(4)),
    "an unknown type": ({"w": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_lying_header_of_safetensors_is_refused(name: str, tmp_path: Path) -> None:
    header, body = HEADERS[name]
    text = b"" if isinstance(header, int) else json.dumps(header).encode()
    length = header if isinstance(header, int) else len(text)
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", length) + text + body)
    frontend = FRONTENDS.build({"name": "logmel", "n_mels": 16})
    encoder = ENCODERS.build({"name": "cnn6", "width": 2}, 1, 16)
    with pytest.raises(Mistake, match="no readable weights"):
        open_checkpoint(tmp_path / "w.safetensors", encoder, frontend)


@pytest.mark.slow
def test_a_folder_of_transformers_brings_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr("builtins.input", lambda *asked: pytest.fail("it asks the terminal"))
    marker = tmp_path / "was-run"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: pass\n")
    classes = {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoFeatureExtractor": "evil.Evil"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": classes}))
    with pytest.raises(Mistake, match="no readable configuration"):
        Transformers.own_rate(Transformers.Config(model=str(tmp_path)), tmp_path)
    assert not marker.exists()


def test_an_onnx_file_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    secret, folder = tmp_path / "secret.bin", tmp_path / "model"
    folder.mkdir()
    secret.write_bytes(bytes(16000 * 4))
    added = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[16000])
    added.data_location = onnx.TensorProto.EXTERNAL
    added.external_data.add(key="location", value="../secret.bin")
    wave, output = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["B", 16000]) for name in ("wave", "out")
    )
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["wave", "w"], ["out"])], "g", [wave], [output], [added]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(Mistake, match="no readable ONNX model"):
        Onnx(Onnx.Config(file="m.onnx", sample_rate=16000), 1, 0).load_own(folder / "m.onnx")
