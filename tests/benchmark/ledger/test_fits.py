"""What was found to fit is not tried again, until anything that it depends on is another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.ledger import fit, fits, request
from benchmark.ledger.request import Request
from benchmark.store.store import Store
from registry.errors import Mistakes
from tests.conftest import TINY


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was tried, by its name; all that fits is remembered."""
    done: list[str] = []

    def noted(name: str, do: Callable[..., object]) -> Callable[..., object]:
        def tries(*given: object) -> object:
            done.append(name)
            return do(*given)

        return tries

    for name in ("_build", "_embed", "_choose", "_augment", "_steps"):
        monkeypatch.setattr(fit, name, noted(name, getattr(fit, name)))
    monkeypatch.setattr(request, "PLACE", tmp_path / "fits.json")
    return done


def plan(folder: Path, text: str = TINY) -> None:
    """Plans a suite that no store has a plan of."""
    (folder / "tiny.yaml").write_text(text)
    Request(folder / "tiny.yaml", None, None).plan(Store(folder / "runs"))


def test_what_fits_is_tried_once_and_what_is_new_alone_is_tried(tmp_path: Path, tried: list[str]) -> None:
    plan(tmp_path)
    assert sorted(set(tried)) == ["_augment", "_build", "_choose", "_embed", "_steps"]
    tried.clear()
    plan(tmp_path, f"# a comment moves every line\n{TINY}")
    assert tried == []
    plan(tmp_path, TINY.replace("crop: 0.5", "crop: 1.0"))
    assert sorted(set(tried)) == ["_augment", "_build", "_embed", "_steps"]
    tried.clear()
    plan(tmp_path, TINY.replace("queue_size: 32", "queue_size: 64"))
    assert tried == ["_build", "_steps"]
    tried.clear()
    plan(tmp_path, TINY.replace("corpus: {name: sounds, clips: 2}", "corpus: {name: sounds, clips: 4}"))
    assert tried.count("_steps") == 2
    tried.clear()
    plan(tmp_path, TINY.replace("width: 4", "width: 5"))
    assert sorted(set(tried)) == ["_augment", "_build", "_choose", "_embed", "_steps"]


def test_a_suite_that_cannot_work_is_refused_each_time(tmp_path: Path, tried: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(Mistakes, match="at least"):
            plan(tmp_path, TINY.replace("crop: 0.5", "crop: 0.01"))
    assert not (tmp_path / "fits.json").exists()
    assert tried.count("_embed") == 2


@pytest.mark.parametrize("other", ["code_state", "installed_state", "installed_plugins"])
def test_other_code_is_tried_again(
    tmp_path: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    plan(tmp_path)
    tried.clear()
    monkeypatch.setattr(fits, other, lambda: "another")
    plan(tmp_path)
    assert "_embed" in tried


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"code": 1, "fits": 2}', b"\xff"])
def test_a_damaged_memory_only_costs_time(tmp_path: Path, tried: list[str], content: bytes) -> None:
    (tmp_path / "fits.json").write_bytes(content)
    plan(tmp_path)
    assert "_embed" in tried
    tried.clear()
    plan(tmp_path)
    assert tried == []
