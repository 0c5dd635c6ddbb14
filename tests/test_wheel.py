"""What a wheel installs, and that it works as the checkout does."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import audiobench as door
from tests.conftest import TINY, Answer

hatch_build = pytest.importorskip("hatch_build", reason="hatchling is not installed")

ROOT = Path(__file__).parent.parent
MODULES = {"registry.errors", "benchmark.store.job"}
MOST_BYTES = 4 << 20  # of a wheel, and of an sdist: without the records, which are ten times as much
STRANGER = "OF = 'somebody else'\n"
PARTS = ("registry", "benchmark", "leaderboard")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("from registry.errors import Mistake", "from audiobench._inside.registry.errors import Mistake"),
        ("é = 1; from registry import errors", "é = 1; from audiobench._inside.registry import errors"),
        ("import benchmark.store.job as job, sys", "import audiobench._inside.benchmark.store.job as job, sys"),
        ("if 1:\n\tfrom benchmark.store import (\n\t\tjob,\n\t)", None),
        ("x = {'a': 'registry.errors'}", "x = {'a': 'audiobench._inside.registry.errors'}"),
        ("from registry_of_others import x", "from registry_of_others import x"),
        ("from .registry import x\nfrom . import benchmark", "from .registry import x\nfrom . import benchmark"),
        (
            '"""Of registry.errors."""\nx = "a leaderboard. registry"',
            '"""Of registry.errors."""\nx = "a leaderboard. registry"',
        ),
        ("x = f'{y} of the leaderboard.'", "x = f'{y} of the leaderboard.'"),
        ("registry = 1\nx = registry.errors", "registry = 1\nx = registry.errors"),
    ],
)
def test_names_of_modules_are_rewritten_and_nothing_else(source: str, wanted: str | None) -> None:
    made = hatch_build.rewritten(source.encode(), MODULES, "a.py").decode()
    assert made == (wanted or source.replace("from benchmark", "from audiobench._inside.benchmark"))


@pytest.mark.parametrize(
    "source",
    [
        "import registry",
        "import sys, registry.errors",
        "from \\\n  registry import errors",
        "x = f'registry.{name}'",
        "x = 'python -m benchmark.store.job'",
        "x = 'registry' '.errors'",
    ],
)
def test_what_cannot_be_rewritten_ends_the_build_with_its_place(source: str) -> None:
    with pytest.raises(hatch_build.Unclear, match=r"^a\.py:1: "):
        hatch_build.rewritten(source.encode(), MODULES, "a.py")


def test_every_file_of_ours_can_be_rewritten(tmp_path: Path) -> None:
    hatch_build.write_tree(ROOT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["audiobench"]
    inside = tmp_path / "audiobench" / "_inside"
    assert {path.name for path in inside.iterdir()} == {"__init__.py", *PARTS, "suites"}
    for path in tmp_path.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        left = [line for line in lines if line.strip().startswith(tuple(f"from {part}" for part in PARTS))]
        assert left == [], path
    assert not (inside / "leaderboard" / "records").exists()
    assert (inside / "leaderboard" / "published.csv").is_file()
    templates = [path.name for path in (ROOT / "audiobench" / "templates").iterdir()]
    assert sorted(templates) == sorted(path.name for path in (tmp_path / "audiobench" / "templates").iterdir())
    assert {"method.py.jinja", "suite.yaml.jinja"} <= set(templates)


@dataclass
class Installed:
    """An environment with the wheel in it, and the files that it was made from."""

    folder: Path
    packages: Path
    gained: set[str]
    wheel: Path
    sdist: Path

    def call(self, *command: object, cwd: Path) -> str:
        """Runs a program of the environment, and gives its output."""
        program, *arguments = map(str, command)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        path = self.folder / ("Scripts" if os.name == "nt" else "bin") / program
        done = subprocess.run(
            [path, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def run(*command: object, cwd: Path = ROOT) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The sdist of the checkout, the wheel of the sdist, and this wheel in an environment with our dependencies."""
    made = tmp_path_factory.mktemp("wheel")
    build = (sys.executable, "-m", "hatchling", "build", "-d", made)
    run(*build, "-t", "sdist")
    (sdist,) = made.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(made, filter="data")
    run(*build, "-t", "wheel", cwd=made / sdist.name.removesuffix(".tar.gz"))
    (wheel,) = made.glob("*.whl")
    folder = made / "environment"
    run(sys.executable, "-m", "venv", folder)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", where))
    before = {path.name for path in packages.iterdir()}
    run(python, "-m", "pip", "install", "--no-index", "--no-deps", wheel, cwd=made)
    gained = {path.name for path in packages.iterdir()} - before
    # Our dependencies, but no path file in their folder, such as the one of an editable install.
    (packages / "dependencies.pth").write_text(run(sys.executable, "-c", where), encoding="utf-8")
    (packages / "registry.py").write_text(STRANGER, encoding="utf-8")
    return Installed(folder, packages, gained, wheel, sdist)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "benchmark.py").write_text(STRANGER, encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_it_installs_one_name_and_leaves_the_names_of_others(installed: Installed, elsewhere: Path) -> None:
    version = installed.wheel.name.split("-")[1]
    assert installed.gained == {"audiobench", f"audiobench-{version}.dist-info"}
    code = (
        "import audiobench; assert audiobench.run and audiobench.Method and audiobench.leaderboard\n"
        "import registry, benchmark; print(registry.OF, benchmark.OF, audiobench.__file__)\n"
        "from audiobench import Mistake; import audiobench._inside.leaderboard.board\n"
        "assert callable(audiobench.leaderboard)"
    )
    told = installed.call("python", "-c", code, cwd=elsewhere)
    assert told.startswith(f"somebody else somebody else {installed.folder}")


@pytest.mark.slow
def test_it_is_small_and_the_wheel_of_the_sdist_is_that_of_the_checkout(installed: Installed, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-d", tmp_path, "-t", "wheel")
    (of_checkout,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(installed.wheel) as a, zipfile.ZipFile(of_checkout) as b:
        assert {name: a.read(name) for name in a.namelist()} == {name: b.read(name) for name in b.namelist()}
    for file in (installed.wheel, installed.sdist):
        assert file.stat().st_size < MOST_BYTES, file.name


@pytest.mark.slow
def test_it_plans_the_shipped_suites_from_any_folder(
    installed: Installed, elsewhere: Path, audiobench: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere)
    ask = ("plan", "quickstart", "--commands", "--runs")
    theirs, ours = installed.call("audiobench", *ask, "theirs", cwd=elsewhere), audiobench(*ask, "ours").out
    assert "audiobench job" in ours
    assert theirs.replace("theirs", "ours") == ours  # the keys of all jobs
    told = installed.call("audiobench", "run", "pretrained", "--dry-run", cwd=elsewhere)
    inside = installed.packages / "audiobench" / "_inside"
    assert told.replace(str(inside), str(ROOT)) == audiobench("run", "pretrained", "--dry-run").out


@pytest.mark.slow
def test_its_records_and_models_are_those_of_the_checkout(
    installed: Installed, elsewhere: Path, audiobench: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere)
    ask = ("run", "tiny.yaml", "--entry", "moco", "--protocol", "knn")
    board = installed.call("audiobench", *ask, cwd=elsewhere)
    made = {path: path.stat().st_mtime_ns for path in (elsewhere / "runs").glob("*/*/result.json")}
    assert {path.parents[1].name for path in made} >= {"pack", "pretrain", "embed", "evaluate"}
    again = audiobench(*ask)
    assert (again.status, again.out) == (0, board)
    assert made == {path: path.stat().st_mtime_ns for path in (elsewhere / "runs").glob("*/*/result.json")}
    installed.call("audiobench", "export", "moco", "--to", "theirs", "--format", "safetensors", cwd=elsewhere)
    assert door.load(elsewhere / "theirs").embedding_dim == door.load("moco", suite="tiny").embedding_dim
    assert audiobench("export", "moco", "--to", "ours", "--format", "safetensors").status == 0
    installed.call("python", "-c", "import audiobench; audiobench.load('ours')", cwd=elsewhere)


@pytest.mark.slow
def test_its_plugins_are_told_where_names_are(installed: Installed, elsewhere: Path) -> None:
    plugin = elsewhere / "mine.py"
    plugin.write_text("from audiobench import Method\nclass Mine(Method):\n    'Mine.'\n", encoding="utf-8")
    assert "Mine." in installed.call("audiobench", "list", "methods", "--plugin", "mine.py", cwd=elsewhere)
    plugin.write_text("from registry.methods.npid import Npid\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="import from audiobench, or what is installed"):
        installed.call("audiobench", "list", "methods", "--plugin", "mine.py", cwd=elsewhere)


@pytest.mark.slow
def test_the_example_of_a_plugin_installs_beside_it(installed: Installed, elsewhere: Path, tmp_path: Path) -> None:
    example = tmp_path / "plugin"
    shutil.copytree(ROOT / "examples" / "plugin", example)
    run(sys.executable, "-m", "hatchling", "build", "-d", example / "dist", "-t", "wheel", cwd=example)
    (wheel,) = (example / "dist").glob("*.whl")
    installed.call("python", "-m", "pip", "install", "--no-index", "--no-deps", wheel, cwd=elsewhere)
    assert "separable" in installed.call("audiobench", "list", "encoders", cwd=elsewhere)
    assert "separable" in installed.call("audiobench", "plan", example / "separable.yaml", cwd=elsewhere)
    told = installed.call("python", "-m", "pytest", "-q", example / "tests", "-p", "no:cacheprovider", cwd=elsewhere)
    assert "4 passed" in told


def test_what_cites_it_and_what_installs_it_say_one_version() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"\nversion: {stated}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"audiobench-{stated}-py3-none-any.whl" in (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
