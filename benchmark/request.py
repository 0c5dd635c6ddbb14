"""What was asked on the command line, and its plan: made, or recognised as made before from the very same files."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmark.document import plugin_files, read_suite
from benchmark.migrate import PLAN_SCHEMA
from benchmark.plan import Plan, make_plan, plan_name, still_holds
from benchmark.store import Store
from benchmark.suite import load_suite
from registry.errors import Mistake


@dataclass(frozen=True)
class Request:
    """A suite and what shapes its plan.

    Args:
        suite: the suite file.
        scale: a name among its scales, or None.
        data: the folder of data sets.
        seeds: instead of the suite's own; may be empty.
        plugins: Python files with components, besides the suite's own.
    """

    suite: Path
    scale: str | None
    data: Path | None
    seeds: tuple[int, ...] = ()
    plugins: tuple[Path, ...] = ()

    def plan(self, store: Store) -> Plan:
        """The stored plan where nothing it was made from has changed, which loads no torch; else a new one.

        What a new plan is of has been tried: a suite that cannot work is told here. What was done to open checkpoints
        is said on standard error.

        Raises:
            Mistakes: every mistake in the suite, or all that does not fit together.
        """
        document, _ = read_suite(self.suite, self.scale)
        if "name" in document.data:
            try:
                stored = store.load_plan(plan_name(str(document.data["name"]), self.scale))
            except Mistake:
                stored = None  # of another schema
            if stored and stored["request"] == self._digest():
                plan = Plan.from_json(stored["plan"])
                if still_holds(plan, self.data):
                    return plan
        resolved = load_suite(self.suite, self.scale, self.data, self.plugins)
        from benchmark.fit import check_fit  # which loads torch

        check_fit(resolved.entries, resolved.protocols, lambda said: print(said, file=sys.stderr))
        return make_plan(resolved, self.data, self.seeds or resolved.suite.seeds)

    def keep(self, plan: Plan, store: Store) -> None:
        """Stores the plan beside the records, for the leaderboard and for the next run of the same suite."""
        store.save_plan(plan.name, {"schema": PLAN_SCHEMA, "request": self._digest(), "plan": plan.to_json()})

    def _digest(self) -> str:
        """SHA-256 of what was asked: the suite's texts, the options, the plugins' texts, and the code that plans."""
        document, files = read_suite(self.suite, self.scale)
        read = [*files, *self.plugins, *plugin_files(document)]
        texts = [file.read_text() if file.is_file() else None for file in read]
        root = Path(__file__).parent.parent
        code = [
            (str(file.relative_to(root)), (stat := file.stat()).st_size, stat.st_mtime_ns)
            for folder in ("registry", "benchmark")
            for file in sorted((root / folder).rglob("*.py"))
        ]
        asked = [texts, self.scale, str(self.data), self.seeds, code]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()
