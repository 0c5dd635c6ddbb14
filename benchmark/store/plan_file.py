"""Stored plans: files known by a suite's name and by what it asks, sealed so that damage is noticed.

``NAME.1a2b3c4d.json`` carries the beginning of a digest of what the suite asks: two suites of one name never take each
other's place. Older versions wrote ``NAME.json``, which is read by its name alone.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmark.store.files import write_text
from benchmark.store.integrity import require_schema
from registry.errors import Damaged, Mistake

PLAN_SCHEMA = 1
_SHOWN = 8  # digits of a digest in a file's name
_FILE = re.compile(rf"(?P<name>.+?)(\.(?P<asked>[0-9a-f]{{{_SHOWN}}}))?\.json", re.DOTALL)
_AGAIN = "run the suite again, which does nothing twice, or set it aside: audiobench store check --yes"


def plan_path(folder: Path, name: str, asked: str = "") -> Path:
    """Where a plan lies; ``asked`` is empty for one of an older version."""
    return folder / f"{name.replace('/', '%')}{'.' * bool(asked)}{asked[:_SHOWN]}.json"


def plan_names(folder: Path) -> list[str]:
    """The names of every suite, with its scale, that has a plan in a folder."""
    found = (_FILE.fullmatch(path.name) for path in folder.glob("*.json"))
    return sorted({match["name"].replace("%", "/") for match in found if match})


def write_plan(path: Path, plan: Mapping[str, Any]) -> None:
    """Writes a plan with the time and a digest of itself."""
    content = json.loads(json.dumps({**plan, "time": time.time()}))
    content.pop("digest", None)  # of a plan that was read
    write_text(path, json.dumps({**content, "digest": content_digest(content)}, indent=1))


def read_plan(path: Path) -> dict[str, Any]:
    """A stored plan, as it was written.

    Raises:
        Damaged: if it is not what was written.
        Mistake: if it is of another schema.
    """
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Damaged(f"a stored plan cannot be read: {error}", path, _AGAIN) from None
    try:
        require_schema(stored.get("schema", 1), PLAN_SCHEMA, "plan", "run the suite again")  # the earliest named none
        if "digest" in stored:
            whole = stored["digest"] == content_digest({key: value for key, value in stored.items() if key != "digest"})
        else:  # only older versions wrote none, and no digest in the name either
            whole = plan_path(path.parent, stored["plan"]["name"]) == path
    except Mistake as mistake:
        raise Mistake(mistake.what, where=str(path), fix=mistake.fix) from None
    except (KeyError, TypeError, AttributeError, ValueError):
        whole = False
    if not whole:
        raise Damaged("a stored plan is damaged", path, _AGAIN)
    return stored


def last_plan(folder: Path, name: str, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """The plan of the suite of a name that was run last; None where none was.

    Args:
        folder: of plans.
        name: the suite's, with its scale.
        tell: is told of plans that cannot be read, and of other suites of this name.

    Raises:
        Mistake: if there are plans, and none can be read.
    """
    plans: dict[Path, dict[str, Any]] = {}
    mistakes = []
    for path in sorted(folder.glob("*.json")):
        match = _FILE.fullmatch(path.name)
        if match and match["name"] == name.replace("/", "%"):
            try:
                plans[path] = read_plan(path)
            except Mistake as unreadable:
                mistakes.append(unreadable)
    if not plans:
        if mistakes:
            raise mistakes[0]
        return None
    for mistake in mistakes:
        tell(str(mistake))
    shown = max(plans, key=lambda path: plans[path].get("time", 0.0))
    if len(plans) > 1:
        others = ", ".join(path.name for path in plans if path != shown)
        tell(f"{shown}: was run last of the suites called {name}, and is shown; there are {others}, too")
    return plans[shown]


def plan_of(folder: Path, name: str, asked: str, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """The plan of one suite alone, known by its digest; None where it was not run.

    Args:
        folder: of plans.
        name: the suite's, with its scale.
        asked: ``asked_digest`` of the suite.
        tell: is told where the only plan is an older version's, which did not say what the suite asked.

    Raises:
        Mistake: if it cannot be read.
    """
    path, older = plan_path(folder, name, asked), plan_path(folder, name)
    if path.exists():
        return read_plan(path)
    if not older.exists():
        return None
    tell(f"{older}: an older audiobench stored this plan by its name alone; run the suite again to be sure of it")
    return read_plan(older)


def content_digest(content: Any) -> str:
    """SHA-256 of plain data, whatever the order of its mappings."""
    return hashlib.sha256(json.dumps(_ordered(content), default=str).encode()).hexdigest()


def _ordered(content: Any) -> Any:
    """Mappings as lists in the order of their keys, which YAML lets be of any kind."""
    if isinstance(content, Mapping):
        pairs = [[str(key), _ordered(value)] for key, value in content.items()]
        return {"pairs": sorted(pairs, key=lambda pair: pair[0])}
    return [_ordered(item) for item in content] if isinstance(content, list) else content
