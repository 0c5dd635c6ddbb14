"""The commands that only look: help, list, show, schema."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audiobench import catalogue
from registry import describe, lookup
from registry.lookup import KINDS, TARGETS
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]


def test_help_loads_neither_torch_nor_a_component() -> None:
    code = (
        "import sys, runpy; sys.argv = ['audiobench', '--help']\n"
        "try: runpy.run_module('audiobench', run_name='__main__')\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'scipy', 'sklearn', 'matplotlib', 'pydantic', 'yaml', 'requests'}\n"
        "loaded = heavy & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "ours = set(m for m in sys.modules if m.startswith('registry.'))\n"
        "assert ours <= {'registry.errors', 'registry.text'}, ours"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "leaderboard" in done.stdout


def test_list_names_every_kind_with_facts(audiobench: Call) -> None:
    listed = json.loads(audiobench("list", "--json").out)
    assert set(listed) == {kind.folder for kind in KINDS}
    encoders = {row["name"]: row for row in listed["encoders"]}
    assert encoders["cnn10"]["parameters"] == 4_686_272
    assert encoders["esresnet"]["embedding"] == 2048
    assert {row["name"] for row in listed["methods"]} >= {"moco", "npid"}
    table = audiobench("list", "encoders").out
    assert "4,686,272" in table
    assert "23,508,032" in table


def test_show_gives_fields_defaults_and_source(audiobench: Call) -> None:
    traits = json.loads(audiobench("show", "methods", "moco", "--json").out)
    defaults = {s["name"]: s["default"] for s in traits["settings"]}
    assert defaults["queue_size"] == 65536
    assert "He et al. 2020" in traits["source"]
    assert all(s["meaning"] for s in traits["settings"])
    text = audiobench("show", "methods", "moco").out
    assert all(
        f"{trait}: {traits[trait]}" in " ".join(text.split()) for trait in ("source", "windows", "recipe", "version")
    )
    assert "queue_size" in text
    answer = audiobench("show", "methods", "mocco")
    assert answer.status == 2
    assert "did you mean moco?" in answer.err


def test_what_list_tells_is_remembered_for_the_code_that_told_it(
    audiobench: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, described, details = tmp_path / "components.json", [], describe.details

    def noted(kind: str, name: str) -> dict[str, Any]:
        described.append(name)
        return details(kind, name)

    monkeypatch.setattr(catalogue, "_path", lambda: path)
    monkeypatch.setattr(catalogue, "details", noted)
    first = audiobench("list", "targets").out
    names = list(described)
    assert names == TARGETS.names()
    assert audiobench("list", "targets").out == first
    assert "one-label" in audiobench("show", "targets", "one-label").out
    assert described == names
    for content in ("", "[]", '{"code": 1}', json.dumps({**json.loads(path.read_text()), "code": "another"})):
        path.write_text(content)
        described.clear()
        assert audiobench("list", "targets").out == first
        assert described == names


def test_what_was_listed_once_is_listed_without_heavy_imports(audiobench: Call) -> None:
    audiobench("list")  # remembered from now on
    code = (
        "import sys; from audiobench.cli import main; sys.argv = ['audiobench', *sys.argv[1:]]\n"
        "try: main()\nexcept SystemExit as e: assert not e.code\n"
        "heavy = {'torch', 'torchaudio', 'timm', 'scipy', 'sklearn', 'numpy', 'pandas', 'pyarrow', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    for command in (["list"], ["show", "methods", "moco"], ["show", "encoders", "cnn10", "--json"]):
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "cnn10" in done.stdout or "queue_size" in done.stdout


def test_the_component_of_a_file_is_not_remembered(
    audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "fading.py"
    for line in ("One text", "Another text"):
        plugin.write_text(f"from registry.methods.npid import Npid\nclass Fading(Npid):\n    '{line}.'\n")
        assert line in audiobench("list", "methods", "--plugin", plugin).out
    monkeypatch.setattr(lookup, "_plugins", {})
    assert "fading" not in audiobench("list", "methods").out


def test_list_holds_plugins(audiobench: Call, tmp_path: Path) -> None:
    path = tmp_path / "louder.py"
    path.write_text(
        "from audiobench import Augmentation\n"
        "class Louder(Augmentation):\n"
        "    '''Doubles.'''\n"
        "    domain = 'waveform'\n"
        "    source = 'none'\n"
        "    def apply_batch(self, x):\n"
        "        return 2 * x\n"
    )
    assert "louder" in audiobench("list", "augmentations", "--plugin", path).out


@pytest.mark.parametrize(
    "text",
    [
        TINY,
        TINY.replace("cnn10", "esresnet").replace("width: 4, dropout: 0.1", "depth: 18"),
        TINY + "  probe: {name: freeze, inputs: [logmel]}\n",
    ],
)
def test_the_schema_takes_right_suites_and_names_every_component(audiobench: Call, text: str) -> None:
    import yaml

    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads(audiobench("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert not list(validator.iter_errors(yaml.safe_load(text)))
    for old, new in (
        ("crop: 0.5", "corp: 0.5"),
        ("k: [1, 3]", "k: [x]"),
        ("bins: 2", "bin: 2"),
        ("epochs: 2", "epoch: 2"),
    ):
        assert list(validator.iter_errors(yaml.safe_load(text.replace(old, new)))), new


def test_the_schema_takes_the_suites_that_are_shipped(audiobench: Call) -> None:
    import yaml

    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(json.loads(audiobench("schema").out))
    for path in (Path(__file__).parent.parent.parent / "suites").rglob("*.yaml"):
        assert not list(validator.iter_errors(yaml.safe_load(path.read_text()))), path
