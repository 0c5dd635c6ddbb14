"""New files to begin with: a component and its test, or a suite. They work before a line of them is changed."""

import keyword
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from registry.errors import Mistake
from registry.lookup import AnyComponent, Kind

_COMPONENT = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def new_component(kind: Kind[AnyComponent], name: str, folder: Path) -> list[Path]:
    """Writes a component that works, ``NAME.py``, and a test that runs it, ``test_NAME.py``.

    Args:
        kind: of the component.
        name: of the component: ``my-net``, in ``my_net.py``.
        folder: where the files go.

    Raises:
        Mistake: if the name cannot be a component's, or one of the files is there.
    """
    _require_component_name(kind, name)
    stem = name.replace("-", "_")
    named = {"kind": kind.singular, "name": stem.replace("_", "-"), "stem": stem, "class": _class_of(stem)}
    return write_new(
        {
            folder / f"{stem}.py": render(f"{kind.singular}.py", named),
            folder / f"test_{stem}.py": render("test.py", named),
        }
    )


def new_suite(name: str, folder: Path) -> list[Path]:
    """Writes a suite that runs in under a minute and needs no recordings, ``NAME.yaml``.

    Raises:
        Mistake: if the name cannot be a suite's, or the file is there.
    """
    require_suite_name(name)
    file = folder / f"{name}.yaml"
    return write_new({file: render("suite.yaml", {"name": name, "file": file.name})})


def require_suite_name(name: str) -> None:
    """Refuses what cannot be the name of a suite and of its file.

    Raises:
        Mistake: with what a name may be.
    """
    if not _SUITE.fullmatch(name) or name.endswith((".yaml", ".yml")):
        bare = name.removesuffix(".yaml").removesuffix(".yml")
        fix = f"audiobench new suite {bare}" if _SUITE.fullmatch(bare) else "letters, digits, dots, - and _: birds-2024"
        raise Mistake(f"{name!r} cannot be a suite's name", fix=fix)


def render(template: str, values: Mapping[str, Any]) -> str:
    """The text of a template of ``audiobench/templates``, with values in its places."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html"]),  # what is written is Python and YAML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{template}.jinja").render(values)


def write_new(texts: Mapping[Path, str]) -> list[Path]:
    """Writes files that are not there yet, all of them or none, and returns their paths.

    Raises:
        Mistake: if one of them is there.
    """
    there = [str(path) for path in texts if path.exists() or path.is_symlink()]
    if there:
        raise Mistake(f"{' and '.join(there)} is there already", fix="choose another name, or move it away")
    for path, text in texts.items():
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    return list(texts)


def _require_component_name(kind: Kind[AnyComponent], name: str) -> None:
    stem, words = name.replace("-", "_"), "small letters, digits and hyphens, a letter first: my-net"
    if not _COMPONENT.fullmatch(name):
        raise Mistake(f"{name!r} cannot be the name of a component", fix=words)
    if name.replace("_", "-") in kind.names():
        fix = f"choose another name; audiobench list {kind.folder}"
        raise Mistake(f"there is a {kind.singular} {name} already", fix=fix)
    if _class_of(stem) in _taken() or keyword.iskeyword(_class_of(stem)):
        raise Mistake(f"a class cannot be called {_class_of(stem)} here", fix=f"choose another name, such as my-{name}")
    if not Path(f"{stem}.py").exists() and find_spec(stem):
        what = f"a file {stem}.py would hide Python's module {stem}"
        raise Mistake(what, fix=f"choose another name, such as my-{name}")


def _class_of(stem: str) -> str:
    """The name of the class in a file: ``MyNet`` in ``my_net.py``."""
    return "".join(word[:1].upper() + word[1:] for word in stem.split("_"))


def _taken() -> set[str]:
    """Names that a template imports."""
    import audiobench

    return {*audiobench.__all__, "Field"}
