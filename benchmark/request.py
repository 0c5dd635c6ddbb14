"""Plans a suite, or recognises that it was planned before from the very same files."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from benchmark.document import read_document
from benchmark.plan import Plan, make_plan, plan_name, still_holds
from benchmark.store import Store
from benchmark.suite import load_suite


def plan_suite(
    path: Path, scale: str | None, data: Path | None, seeds: Sequence[int], plugins: Sequence[Path], store: Store
) -> Plan:
    """The plan of a suite: the stored one where nothing it was made from has changed, which loads no torch.

    Args:
        path: of the suite file.
        scale: a name among its scales, or None.
        data: the folder of data sets.
        seeds: instead of the suite's own; may be empty.
        plugins: Python files with components.
        store: keeps plans.

    Raises:
        Mistakes: every mistake in the suite.
    """
    request = _request(path, scale, data, seeds, plugins)
    name = _name(path, scale)
    stored = store.load_plan(name) if name else None
    if stored and stored["request"] == request:
        plan = Plan.from_json(stored["plan"])
        if still_holds(plan, data):
            return plan
    resolved = load_suite(path, scale, data, list(plugins))
    return make_plan(resolved, data, seeds or resolved.suite.seeds)


def keep_plan(
    plan: Plan,
    path: Path,
    scale: str | None,
    data: Path | None,
    seeds: Sequence[int],
    plugins: Sequence[Path],
    store: Store,
) -> None:
    """Stores a plan beside the records, for the leaderboard and for the next run of the same suite."""
    store.save_plan(plan.name, {"request": _request(path, scale, data, seeds, plugins), "plan": plan.to_json()})


def _name(path: Path, scale: str | None) -> str | None:
    data = read_document(path).data
    return plan_name(str(data["name"]), scale) if isinstance(data, dict) and "name" in data else None


def _request(path: Path, scale: str | None, data: Path | None, seeds: Sequence[int], plugins: Sequence[Path]) -> str:
    """SHA-256 of what was asked: the suite's text, the options, the plugins' texts, and the code that plans."""
    document = read_document(path).data
    own = document.get("plugins") or [] if isinstance(document, dict) else []
    files = [path, *plugins, *(path.parent / plugin for plugin in own)]
    texts = [file.read_text() if file.is_file() else None for file in files]
    root = Path(__file__).parent.parent
    code = [
        (str(file.relative_to(root)), (stat := file.stat()).st_size, stat.st_mtime_ns)
        for folder in ("registry", "benchmark")
        for file in sorted((root / folder).rglob("*.py"))
    ]
    asked = [texts, scale, str(data), list(seeds), code]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
