"""torchaudio beside a torch that it was not built for: one message, whoever needs it first."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from registry.errors import Mistake
from tests.conftest import Answer

NO_LIBRARY = "libc10_cuda.so: cannot open shared object file: No such file or directory"


@pytest.fixture(autouse=True)
def _unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has torchaudio imported anew."""
    for name in list(sys.modules):
        if name.partition(".")[0] == "torchaudio" or name == "registry.torchaudio":
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_library_of_cuda_that_a_torch_for_the_cpu_lacks_is_told_before_any_work(
    command: str, tiny: Path, tmp_path: Path, audiobench: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text(f"raise OSError({NO_LIBRARY!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    answer = audiobench(command, tiny, "--runs", tmp_path / "runs")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("audiobench: torchaudio 2.")
    assert f"does not load beside torch {torch.__version__}: {NO_LIBRARY}" in answer.err
    assert "both from PyPI with --constraint constraints.txt" in answer.err
    assert answer.err.count("torchaudio") == 1
    assert "Traceback" not in answer.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.version.cuda is None, reason="needs torchaudio as it is built for CUDA")
def test_a_torch_of_another_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchaudio itself finds out."""
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    with pytest.raises(Mistake, match=r"does not load beside torch .* different CUDA versions.*12\.6") as caught:
        import registry.torchaudio  # noqa: F401
    assert "for one version of CUDA" in caught.value.fix
