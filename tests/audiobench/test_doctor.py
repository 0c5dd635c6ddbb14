"""What ``doctor`` says of machines that are well, and of broken ones."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from audiobench import health
from tests.audiobench.conftest import COMMAND
from tests.audiobench.mounts import read_only
from tests.benchmark.conftest import esc50_files
from tests.conftest import Answer

Call = Callable[..., Answer]


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A doctor that measures no steps, and has free memory and disk."""
    monkeypatch.setattr(health, "rate", lambda: ())


def lines(answer: Answer) -> dict[str, dict[str, str]]:
    """The lines of a JSON document, by what they are about."""
    document = json.loads(answer.out)
    assert document["is_right"] == (answer.status == 0) == all(of["state"] != "wrong" for of in document["lines"])
    assert all((of["state"] == "ok") == (of["to_do"] == "") for of in document["lines"])
    return {of["about"]: of for of in document["lines"]}


@pytest.mark.slow
def test_a_healthy_machine_has_a_line_a_check_and_a_rate(audiobench: Call, tmp_path: Path) -> None:
    answer = audiobench("doctor", "--runs", tmp_path / "runs")
    assert answer.status == 0, answer
    said = [line for line in answer.out.splitlines() if not line.strip().startswith("to do: ")]
    assert {line.split()[0] for line in said[:-1]} <= {"ok", "note"}
    about = [line[6:33].strip() for line in said[:-1]]
    assert about[:6] == ["python", "audiobench", "packages", "torch", "torchaudio", "timm"]
    assert {"processor", "memory", "runs", "data sets", "extra av", "weights", "rate"} <= set(about)
    assert re.search(r"rate +\d+\.\d steps a second of quickstart's pretrain moco on sounds, on ", answer.out)
    assert said[-1].startswith("nothing wrong, ")
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("unmeasured")
def test_without_data_it_says_how_to_get_some(audiobench: Call, tmp_path: Path) -> None:
    runs = ("--runs", tmp_path / "runs")
    found = lines(audiobench("doctor", "--json", *runs))["data sets"]
    assert (found["state"], "--data DIR" in found["to_do"]) == ("note", True)
    found = lines(audiobench("doctor", "--json", *runs, "--data", tmp_path))["data sets"]
    assert (found["state"], found["to_do"]) == ("note", f"audiobench data fetch esc50 --data {tmp_path}")
    answer = audiobench("doctor", "--json", *runs, "--data", tmp_path / "none")
    assert (answer.status, lines(answer)["data sets"]["state"]) == (1, "wrong")


@pytest.mark.usefixtures("unmeasured")
def test_data_sets_are_counted_and_what_is_missing_is_wrong(
    audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in esc50_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    asked = ("doctor", "--json", "--runs", tmp_path / "runs", "--data", tmp_path)
    answer = audiobench(*asked)
    found = lines(answer)["data esc50"]
    assert (answer.status, found["state"]) == (0, "note")
    assert found["said"].startswith("10 clips in ")
    assert "are not the official ones" in found["said"]
    assert found["to_do"] == f"audiobench data verify esc50 --data {tmp_path}"
    (tmp_path / "ESC-50-master" / "audio" / "1-0-A-0.wav").unlink()
    answer = audiobench(*asked)
    found = lines(answer)["data esc50"]
    assert (answer.status, found["state"]) == (1, "wrong")
    assert found["said"].startswith("1 of 10 files named by the metadata are missing: 1-0-A-0.wav")
    monkeypatch.setattr(health, "_LISTING_SECONDS", 0.05)
    monkeypatch.setattr(health, "_listed", lambda *given: time.sleep(1))
    found = lines(audiobench(*asked))["data esc50"]
    assert (found["state"], "takes longer" in found["said"]) == ("note", True)


@pytest.mark.usefixtures("unmeasured")
def test_runs_that_cannot_be_written_to_are_wrong(audiobench: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    answer = audiobench("doctor", "--json", "--runs", tmp_path / "file" / "runs")
    assert (answer.status, lines(answer)["runs"]["state"]) == (1, "wrong")
    (tmp_path / "runs").mkdir()
    with read_only(tmp_path / "runs"):
        answer = audiobench("doctor", "--json", "--runs", tmp_path / "runs")
    found = lines(answer)["runs"]
    assert (answer.status, found["to_do"]) == (1, "name another folder: --runs DIR")
    assert "cannot be written to" in found["said"]


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Some packages have other versions, or none."""
    plain = metadata.version

    def version(name: str) -> str:
        if name in versions and versions[name] is None:
            raise metadata.PackageNotFoundError(name)
        return versions.get(name) or plain(name)

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(("version", "told"), [(None, "lacks av>=18"), ("9.0", "lacks av>=18 (9.0 is installed)")])
def test_an_extra_that_is_missing_or_old_is_a_note(
    audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, told: str
) -> None:
    installed(monkeypatch, av=version)
    answer = audiobench("doctor", "--json", "--runs", tmp_path / "runs")
    found = lines(answer)
    av = {"about": "extra av", "state": "note", "said": told, "to_do": "pip install 'audiobench[av]'"}
    assert (answer.status, found["extra av"]) == (0, av)
    assert not {"extra dev", "extra fuzz", "extra peers"} & set(found)


@pytest.mark.usefixtures("unmeasured")
def test_a_package_of_a_version_that_does_not_serve_is_wrong(
    audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, scipy="1.2", jinja2=None)
    answer = audiobench("doctor", "--json", "--runs", tmp_path / "runs")
    assert answer.status == 1
    assert lines(answer)["packages"]["said"].endswith(": jinja2>=3.1, scipy>=1.13 (1.2 is installed)")


@pytest.mark.usefixtures("unmeasured")
def test_a_torchaudio_that_does_not_load_is_wrong_and_the_rest_is_checked(
    audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "registry.torchaudio", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    answer = audiobench("doctor", "--json", "--runs", tmp_path / "runs")
    found = lines(answer)
    assert (answer.status, found["torch"]["state"], found["torchaudio"]["state"]) == (1, "ok", "wrong")
    assert re.match(r"torchaudio \S+ does not load beside torch \S+: ", found["torchaudio"]["said"])
    assert "from one place" in found["torchaudio"]["to_do"]
    assert {"memory", "runs", "extra av", "weights"} <= set(found)
    assert "processor" not in found


def test_where_torch_does_not_load_it_still_says_so(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    asked = [*COMMAND, "doctor", "--json", "--runs", str(tmp_path / "runs"), "--data", str(tmp_path)]
    told = subprocess.run(asked, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    found = lines(Answer(told.returncode, told.stdout, told.stderr))
    assert (told.returncode, told.stderr) == (1, "")
    assert found["torch"]["said"] == "does not load: libcudart.so.13: cannot open shared object file"
    assert {about for about, of in found.items() if of["state"] == "wrong"} == {"torch"}
    assert {"memory", "runs", "data sets", "extra av", "weights"} <= set(found)


def test_a_control_group_limits_cores_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_CGROUP", tmp_path)
    for name, text in (("cpu.max", "50000 100000"), ("memory.max", "3000000000"), ("memory.current", "2500000000")):
        (tmp_path / name).write_text(f"{text}\n")
    assert health.usable_cores() == 0.5
    (found,) = health.memory()
    assert (found.state, found.said) == ("note", "500 MB of 3.0 GB free")
    threads = next(iter(health.devices()))
    assert (threads.state, threads.to_do) == ("note", "export OMP_NUM_THREADS=1")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert health.usable_cores() >= 1


def test_a_check_that_fails_itself_is_wrong() -> None:
    def broken() -> Any:
        raise RuntimeError("no such device\nand more")

    (found,) = health.tried("devices", broken)
    assert (found.state, found.said) == ("wrong", "this could not be checked: RuntimeError: no such device")
