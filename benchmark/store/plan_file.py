"""Stored plans. A file is named by a suite's name and a digest of what the suite asks, and contains its own digest.

``NAME.1a2b3c4d.json`` has the beginning of the digest in its name, so that two suites of one name never replace each
other. Older versions wrote ``NAME.json``, which is found by the name alone.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from benchmark.store.files import write_text
from benchmark.store.integrity import require_schema
from benchmark.store.job import first_problem
from registry.errors import Damaged, Mistake

PLAN_SCHEMA = 1
_SHOWN = 8  # digits of a digest in a file's name
_FILE = re.compile(rf"(?P<name>.+?)(\.(?P<asked>[0-9a-f]{{{_SHOWN}}}))?\.json", re.DOTALL)
_AGAIN = "run the suite again, which does nothing twice, or set it aside: audiobench store check --yes"


class _Form(BaseModel):
    """The form of a file with a plan; ``Plan.from_json`` checks the plan itself."""

    model_config = ConfigDict(strict=True)

    asked: str = ""
    request: str = ""
    time: FiniteFloat = 0.0
    plan: dict[str, Any]


def plan_path(folder: Path, name: str, asked: str = "") -> Path:
    """The path of a plan; ``asked`` is empty for a plan of an older version."""
    return folder / f"{name.replace('/', '%')}{'.' * bool(asked)}{asked[:_SHOWN]}.json"


def plan_names(folder: Path) -> list[str]:
    """The name of every suite, with its scale, that has a plan in a folder."""
    matches = (_FILE.fullmatch(path.name) for path in folder.glob("*.json"))
    return sorted({match["name"].replace("%", "/") for match in matches if match})


def plans_called(folder: Path, name: str) -> list[Path]:
    """The files of the plans of a name, sorted."""
    matches = ((path, _FILE.fullmatch(path.name)) for path in sorted(folder.glob("*.json")))
    return [path for path, match in matches if match and match["name"] == name.replace("/", "%")]


def write_plan(path: Path, plan: Mapping[str, Any]) -> None:
    """Writes a plan with the time and its digest."""
    content = json.loads(json.dumps({**plan, "time": time.time()}, allow_nan=False))
    content.pop("digest", None)  # the old one, if the plan was read from a file
    write_text(path, json.dumps({**content, "digest": _plain_digest(content)}))


def read_plan(path: Path) -> dict[str, Any]:
    """A stored plan, as it was written.

    Raises:
        Damaged: if the plan is not what was written.
        Mistake: if it is of another schema.
    """
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"a stored plan cannot be read: {error}", path, _AGAIN) from None
    try:
        require_schema(stored.get("schema", 1), PLAN_SCHEMA, "plan", "run the suite again")  # early ones have none
        if "digest" in stored:
            content = {key: value for key, value in stored.items() if key != "digest"}
            # Older versions took the digest of ``content_digest``, which takes seconds for the plan of many jobs.
            whole = stored["digest"] == _plain_digest(content) or stored["digest"] == content_digest(content)
        else:  # only older versions wrote no digest; these have none in the name either
            whole = plan_path(path.parent, stored["plan"]["name"]) == path
    except Mistake as mistake:
        raise Mistake(mistake.what, where=str(path), fix=mistake.fix) from None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        whole = False
    if not whole:
        raise Damaged("a stored plan is damaged", path, _AGAIN)
    try:
        _Form.model_validate(stored)
    except ValidationError as error:
        raise Damaged(f"a stored plan is damaged: {first_problem(error)}", path, _AGAIN) from None
    return stored


def last_plan(folder: Path, name: str, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """The plan of the suite that was run last among those of a name; None if there is no plan.

    Args:
        folder: of plans.
        name: of the suite, with its scale.
        tell: gets a line about a plan that cannot be read, and about other suites of this name.

    Raises:
        Mistake: if there are plans, and none can be read.
    """
    plans: dict[Path, dict[str, Any]] = {}
    mistakes = []
    for path in plans_called(folder, name):
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
    """The plan of exactly this suite, found by its digest; None if the suite was not run.

    Args:
        folder: of plans.
        name: of the suite, with its scale.
        asked: ``asked_digest`` of the suite.
        tell: gets a line if the only plan is of an older version, which did not state what the suite asked.

    Raises:
        Mistake: if the plan cannot be read.
    """
    path, older = plan_path(folder, name, asked), plan_path(folder, name)
    if path.exists():
        return read_plan(path)
    if not older.exists():
        return None
    tell(f"{older}: an older audiobench stored this plan by its name alone; run the suite again to be sure of it")
    return read_plan(older)


def _plain_digest(content: Any) -> str:
    """SHA-256 of data that JSON gave; the order of keys in mappings does not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def content_digest(content: Any) -> str:
    """SHA-256 of plain data; the order of keys in mappings does not count."""
    return hashlib.sha256(json.dumps(_ordered(content), default=str).encode()).hexdigest()


def _ordered(content: Any) -> Any:
    """The content with mappings as sorted lists of pairs; keys become text, because YAML allows keys of any type."""
    if isinstance(content, Mapping):
        pairs = [[str(key), _ordered(value)] for key, value in content.items()]
        return {"pairs": sorted(pairs, key=lambda pair: pair[0])}
    return [_ordered(item) for item in content] if isinstance(content, list) else content
