"""Finding components: by folder, by plugin file, and what an unknown name answers."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from registry import lookup
from registry.errors import Mistake
from registry.lookup import (
    ENCODERS,
    FRONTENDS,
    KINDS,
    METHODS,
    TASKS,
    AnyComponent,
    Choice,
    Kind,
    kind_called,
    load_plugin,
)

PLUGIN = """
from audiobench import Method, unit

class Nothing(Method):
    '''Does nothing.'''
"""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder)
def test_every_component_is_found_by_its_name_and_documented(kind: Kind[AnyComponent]) -> None:
    assert kind.names()
    for name in kind.names():
        component = kind.find(name)
        assert component.__doc__
        assert component.source != "not stated" or kind is TASKS
        assert all(field.description for field in component.Config.model_fields.values()), name


def test_an_unknown_name_answers_with_the_nearest() -> None:
    with pytest.raises(Mistake, match="no encoder is called 'esresent'") as caught:
        ENCODERS.find("esresent")
    assert caught.value.fix.startswith("did you mean esresnet")
    with pytest.raises(Mistake, match="no kind of component is called 'encoder'"):
        kind_called("encoder")


def test_a_choice_holds_every_setting_and_survives_storage() -> None:
    choice = METHODS.choose({"name": "moco", "queue_size": 128})
    assert choice.config["queue_size"] == 128
    assert choice.config["momentum"] == 0.999
    stored = Choice(METHODS, json.loads(json.dumps(choice.config)))
    assert stored.component is METHODS.find("moco")
    assert stored.settings == choice.settings


def test_unknown_settings_and_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValidationError, match="queue"):
        METHODS.choose({"name": "moco", "queue": 128})
    with pytest.raises(ValidationError, match="temperature"):
        METHODS.choose({"name": "moco", "temperature": 0})


def test_a_component_inside_another_is_complete_and_survives_storage() -> None:
    choice = FRONTENDS.choose({"name": "stack", "frontends": ["logmel", {"name": "mfcc", "n_mfcc": 20}]})
    assert choice.config["frontends"][0]["n_mels"] == 64
    assert choice.config["frontends"][1]["n_mfcc"] == 20
    assert Choice(FRONTENDS, choice.config).settings == choice.settings


@pytest.mark.parametrize(
    ("inside", "answer"),
    [
        ("logmell", "no front end is called 'logmell'; did you mean logmel"),
        ({"name": "logmel", "n_melz": 3}, "n_melz: Extra inputs are not permitted"),
        ({"n_mels": 3}, "this front end has no name"),
        (7, "name a front end"),
    ],
)
def test_a_mistake_inside_a_component_is_told(inside: object, answer: str) -> None:
    with pytest.raises(ValidationError, match=answer):
        FRONTENDS.choose({"name": "stack", "frontends": [inside]})


def test_a_plugin_file_adds_its_component_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "nothing_at_all.py"
    path.write_text(PLUGIN)
    assert load_plugin(path) == ["methods/nothing-at-all"]
    assert METHODS.find("nothing-at-all").__name__ == "Nothing"
    assert "nothing-at-all" in METHODS.names()


def install(folder: Path, name: str, files: dict[str, str]) -> None:
    """Puts a package on the path whose entry point adds the method ``from-elsewhere``."""
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[audiobench.methods]\nfrom-elsewhere = {name}:Nothing\n")


@pytest.fixture
def look_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """What a new process would do: nothing is remembered of what is installed."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def forget() -> None:
        lookup._installed.cache_clear()
        lookup.package_digest.cache_clear()
        importlib.invalidate_caches()

    forget()
    yield forget
    forget()


def test_an_installed_package_adds_its_component_by_entry_point(tmp_path: Path, look_again: Callable[[], None]) -> None:
    install(tmp_path, "installed_elsewhere", {"installed_elsewhere.py": PLUGIN})
    look_again()
    assert "from-elsewhere" in METHODS.names()
    assert METHODS.find("from-elsewhere").__name__ == "Nothing"
    assert METHODS.choose("from-elsewhere").config["name"] == "from-elsewhere"


@pytest.mark.parametrize(
    ("files", "edited"),
    [
        ({"alone.py": PLUGIN}, "alone.py"),
        ({"alone/__init__.py": PLUGIN, "alone/sub/deep.py": "x = 1"}, "alone/sub/deep.py"),
        ({"alone/__init__.py": PLUGIN}, "alone/more.py"),
    ],
)
def test_a_key_names_what_an_installed_package_holds(
    tmp_path: Path, look_again: Callable[[], None], files: dict[str, str], edited: str
) -> None:
    sys.modules.pop("alone", None)
    install(tmp_path, "alone", files)
    look_again()
    first, before = METHODS.choose("from-elsewhere"), lookup.installed_plugins()
    assert str(first.config["version"]).startswith("1+")
    look_again()
    assert METHODS.choose("from-elsewhere").config == first.config
    (tmp_path / edited).write_text(PLUGIN + "# edited\n")
    look_again()
    assert METHODS.choose("from-elsewhere").config["version"] != first.config["version"]
    assert lookup.installed_plugins()["alone"] != before["alone"]
    sys.modules.pop("alone")


def test_asking_what_is_installed_imports_nothing(tmp_path: Path, look_again: Callable[[], None]) -> None:
    install(tmp_path, "never_imported", {"never_imported.py": "raise RuntimeError"})
    look_again()
    assert "never_imported" in lookup.installed_plugins()
    assert "never_imported" not in sys.modules


def test_a_key_names_what_a_plugin_file_holds(tmp_path: Path) -> None:
    """Also of an edit within a second that keeps the size, of which an import would take the old compiled code."""
    version_of = {}
    for folder in ("hers", "his"):
        for steps in (1, 2):
            path = tmp_path / folder / "mine.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{PLUGIN}    steps = {steps}\n")
            load_plugin(path)
            choice = METHODS.choose("mine")
            assert METHODS.find("mine").__dict__["steps"] == steps
            assert choice.config["version"] == choice.config["version"]
            assert Choice(METHODS, choice.config).settings == choice.settings
            version_of[folder, steps] = choice.config["version"]
    assert version_of["hers", 1] == version_of["his", 1] != version_of["hers", 2] == version_of["his", 2]
    assert str(version_of["hers", 1]).startswith("1+")
    assert METHODS.choose("moco").config["version"] == METHODS.find("moco").version
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_plugin_inside_another_component_is_named_by_what_it_holds(tmp_path: Path) -> None:
    versions = set()
    for text in ("1", "2"):
        (tmp_path / "own.py").write_text(
            f"from registry.frontends.logmel import LogMel\nclass Own(LogMel):\n    steps = {text}\n"
        )
        load_plugin(tmp_path / "own.py")
        outer = FRONTENDS.choose({"name": "stack", "frontends": ["own", "own"]})
        versions.add(outer.config["frontends"][0]["version"])
        assert outer.config["version"] == FRONTENDS.find("stack").version
    assert len(versions) == 2


def test_a_plugin_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="does not exist"):
        load_plugin(tmp_path / "none.py")
    path = tmp_path / "broken.py"
    path.write_text("import nothing_of_that_name")
    with pytest.raises(Mistake, match="does not import: ModuleNotFoundError"):
        load_plugin(path)
    path.write_text("x = 1")
    with pytest.raises(Mistake, match="holds no component"):
        load_plugin(path)
