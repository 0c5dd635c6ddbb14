"""The documents as a site, built as ``make docs`` builds it."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from registry.lookup import KINDS
from tests.pages import ROOT

sys.path.append(str(ROOT / "docs"))
import _reference

SOURCE = r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"'][^\"']+"
LINK = r"<link\b[^>]*\brel=[\"'](?:stylesheet|preconnect|icon)[\"'][^>]*>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    arguments = re.findall(r"/mkdocs (.+)", (ROOT / "Makefile").read_text())[0].split()
    assert "--quiet" not in arguments, "it hides from --strict what --strict is about"
    command = [sys.executable, "-m", "mkdocs", *arguments, "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.slow
def test_the_site_is_built_without_warnings_and_needs_no_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        text = page.read_text()
        assets = [match[0] for match in re.finditer(f"{SOURCE}|{LINK}", text)]
        assert assets
        assert not [asset for asset in assets if re.search(r"=[\"'](https?:)?//", asset)], page
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", style.read_text()), style


@pytest.mark.slow
def test_the_front_page_is_the_readme_and_comments_stay_out(site: Path) -> None:
    front = (site / "index.html").read_text()
    assert 'href="quickstart.html"' in front
    assert 'src="report-methods.png"' in front
    assert "not run:" not in front
    assert "soundfile.write" not in (site / "how-to" / "my-folder.html").read_text()


def test_the_reference_has_every_component_with_settings_and_published_figures() -> None:
    kinds = {kind.folder: kind for kind in KINDS}
    methods = _reference._components("methods")
    for name in kinds["methods"].names():
        assert f"## `{name}` {{ #{name} }}" in methods
    moco = methods.split("## `moco`")[1].split("\n## ")[0]
    assert "| `queue_size` | integer | `65536` | keys kept as negatives; a multiple of the batch size |" in moco
    assert "**source**: He et al. 2020" in moco
    assert "| esc50 | finetune | 0.742 |" in moco  # Lin 2022, Table 3.1
    byol = methods.split("## `byol`")[1].split("\n## ")[0]
    assert "published" not in byol


def test_the_reference_has_every_option_and_every_field() -> None:
    commands = _reference._commands()
    assert "## `audiobench data fetch`" in commands
    assert "  audiobench plan esc10 --scale cpu --data DATA --calibrate\n" in commands
    assert re.search(r"\| `--scale` \|  \| One of the suite's scales", commands)
    records = _reference._records()
    assert re.search(r"\| `kept_epoch` \| integer or null \| `null` \| whose weights were kept \|", records)
    assert "### Forecast" in records


@pytest.mark.parametrize(
    ("row", "kind", "name", "is_named"),
    [
        ({"entry": "cnn14 + res1dnet31"}, "encoders", "res1dnet31", True),
        ({"entry": "multiformat crop=3"}, "methods", "multiformat", True),
        ({"entry": "multiformat crop=3"}, "methods", "multi", False),
        ({"entry": "moco", "task": "esc50"}, "tasks", "esc50", True),
    ],
)
def test_a_published_row_names_components(row: Mapping[str, Any], kind: str, name: str, is_named: bool) -> None:
    assert _reference._names(row, kind, name) is is_named
