"""Every component of the registry leaves in every form: by how much the files differ from torch, printed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import soxr
import torch
from torch import Tensor

from benchmark.export.exported import Exported
from benchmark.export.forms import publish
from benchmark.export.onnx_forms import with_onnx_forms
from benchmark.export.window import Window, traced
from registry.decode import decode
from registry.lookup import ENCODERS, FRONTENDS
from registry.own_code import imported
from tests.benchmark.export.models import exported
from tests.benchmark.export.test_graphs import FORMS, embeddings
from tests.conftest import encoders_made_here
from tests.registry.test_encoders import small

STATISTICS = {"normalisation": (-8.0, 4.0)}
COMPONENTS = [
    *(pytest.param("frontend", name, id=f"frontends/{name}") for name in FRONTENDS.names()),
    *(pytest.param("encoder", name, id=f"encoders/{name}") for name in encoders_made_here()),
]


def holding(kind: str, name: str, seconds: float = 0.7) -> Exported:
    """A small model with a component; the wavegrams need 0.64 s."""
    if kind == "encoder":
        frontend = "waveform" if ENCODERS.find(name).takes == "waveform" else "logmel"
        return exported(
            {**small(name), "attention": True} if name == "esresnet" else small(name), frontend, None, seconds
        )
    settings = FRONTENDS.choose(name).settings
    statistics = STATISTICS if getattr(settings, "normalise", "") == "dataset" else None
    takes = {"waveform": {"name": "conv160", "width": 4}}.get(name, {"name": "timm", "model": "test_resnet"})
    return exported(takes, name, statistics, seconds)


def inputs(samples: int) -> Iterator[Tensor]:
    """Noise, silence, and samples at full scale: one window of each, two windows, and seven."""
    noise_7T = torch.randn(7, samples, generator=torch.Generator().manual_seed(7))
    wave_7T = torch.cat([0.1 * noise_7T[:3], torch.zeros(2, samples), noise_7T[5:].sign()])
    yield from (wave_7T[:1], wave_7T[3:4], wave_7T[6:], wave_7T[2:4], wave_7T[4:6], wave_7T)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_every_component_leaves_in_every_form(
    kind: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    written = holding(kind, name)
    for form in FORMS:
        publish(written, form, tmp_path / form, "card\n")
    assert capsys.readouterr().out == ""
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    program = torch.export.load(tmp_path / "pt2" / "model.pt2").module()
    hear = imported(f"{tmp_path}/hear/hear_model.py")
    loaded = hear.load_model()
    ways = {
        "pt2": program,
        "onnx": lambda wave_WT: torch.from_numpy(session.run(None, {"wave": wave_WT.numpy()})[0]),
        "hear": lambda wave_WT: hear.get_scene_embeddings(wave_WT, loaded),
    }
    apart, largest = dict.fromkeys(ways, 0.0), 0.0
    with torch.no_grad():
        for wave_WT in inputs(Window(written).samples):
            z_WD = embeddings(written, wave_WT)
            largest = max(largest, float(z_WD.abs().max()))
            for way, embed in ways.items():
                apart[way] = max(apart[way], float((embed(wave_WT) - z_WD).abs().max()))
        assert hear.get_timestamp_embeddings(wave_WT, loaded)[0].isfinite().all()
    with capsys.disabled():
        print(
            f"\n{name}: largest value {largest:.2g}; apart by "
            + ", ".join(f"{way} {d:.1e}" for way, d in apart.items())
        )
    assert max(apart["pt2"], apart["hear"]) <= 1e-6 * largest
    assert apart["onnx"] <= min(1e-4, 1e-4 * largest)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("frontend", "most"), [("panns", 1e-6), ("clar", 1e-4), ("esresnet", 1e-6)])
def test_of_recordings_the_onnx_file_gives_what_torch_gives_in_float64(
    data: Path, tmp_path: Path, frontend: str, most: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """In float32 torch's own rounding is in the empty bands of recordings that lossy coding has cut.

    The phase that clar gives of such bands hangs on the order of a sum.
    """
    onnxruntime = pytest.importorskip("onnxruntime")
    written = holding("frontend", frontend, 1.0)
    publish(written, "onnx", tmp_path / "onnx", "card\n")
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    exact = with_onnx_forms(traced(written, Window(written))).module()
    rate, waves_T = written.net.sample_rate, []
    for path in sorted((data / "ESC-50" / "audio").iterdir())[::100]:
        wave_T, own_rate = decode(path)
        waves_T.append(torch.from_numpy(soxr.resample(wave_T, own_rate, rate)[:rate]))
    wave_BT = torch.stack(waves_T)
    assert len(wave_BT) == 20
    with torch.no_grad():
        expected_BD = exact(wave_BT)
    found_BD = torch.from_numpy(session.run(None, {"wave": wave_BT.numpy()})[0])
    apart, torchs = ((x - expected_BD).abs().max() / expected_BD.abs().max() for x in (found_BD, written.net(wave_BT)))
    with capsys.disabled():
        print(f"\n{frontend}: onnx {apart:.1e} of the largest value from torch in float64, torch {torchs:.1e}")
    assert apart <= most
