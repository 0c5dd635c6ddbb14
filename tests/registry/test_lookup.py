"""Finding components: by folder, by plugin file, and what an unknown name answers."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from registry import lookup
from registry.errors import Mistake
from registry.lookup import KINDS, choose, find, load_plugin, names, recall

PLUGIN = """
from audiobench import Method, unit

class Nothing(Method):
    '''Does nothing.'''
"""


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_is_found_by_its_name_and_documented(kind: str) -> None:
    assert names(kind)
    for name in names(kind):
        component = find(kind, name)
        assert component.__doc__
        assert component.source != "not stated" or kind == "tasks"
        assert all(field.description for field in component.Config.model_fields.values()), name


def test_an_unknown_name_answers_with_the_nearest() -> None:
    with pytest.raises(Mistake, match="no encoder is called 'esresent'") as caught:
        find("encoders", "esresent")
    assert caught.value.fix.startswith("did you mean esresnet")
    with pytest.raises(Mistake, match="no kind of component is called 'encoder'"):
        names("encoder")


def test_a_choice_holds_every_setting_and_survives_storage() -> None:
    choice = choose("methods", {"name": "moco", "queue_size": 128})
    assert choice.config["queue_size"] == 128
    assert choice.config["momentum"] == 0.999
    component, settings = recall("methods", choice.config)
    assert component is find("methods", "moco")
    assert settings == choice.settings


def test_unknown_settings_and_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValidationError, match="queue"):
        choose("methods", {"name": "moco", "queue": 128})
    with pytest.raises(ValidationError, match="temperature"):
        choose("methods", {"name": "moco", "temperature": 0})


def test_a_component_inside_another_is_complete_and_survives_storage() -> None:
    choice = choose("frontends", {"name": "stack", "frontends": ["logmel", {"name": "mfcc", "n_mfcc": 20}]})
    assert choice.config["frontends"][0]["n_mels"] == 64
    assert choice.config["frontends"][1]["n_mfcc"] == 20
    assert recall("frontends", choice.config)[1] == choice.settings


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
        choose("frontends", {"name": "stack", "frontends": [inside]})


def test_a_plugin_file_adds_its_component_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "nothing_at_all.py"
    path.write_text(PLUGIN)
    assert load_plugin(path) == ["methods/nothing-at-all"]
    assert find("methods", "nothing-at-all").__name__ == "Nothing"
    assert "nothing-at-all" in names("methods")


def test_an_installed_package_adds_its_component_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed_elsewhere.py").write_text(PLUGIN)
    info = tmp_path / "installed_elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[audiobench.methods]\nfrom-elsewhere = installed_elsewhere:Nothing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    lookup._entry_points.cache_clear()
    try:
        assert "from-elsewhere" in names("methods")
        assert find("methods", "from-elsewhere").__name__ == "Nothing"
        assert choose("methods", "from-elsewhere").config["name"] == "from-elsewhere"
    finally:
        lookup._entry_points.cache_clear()


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
