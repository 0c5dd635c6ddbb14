"""A request from the command line, and its plan. A stored plan is used again if its files have not changed."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmark.ledger.fits import PLACE, Fits
from benchmark.ledger.plan import Plan, plan_name
from benchmark.ledger.planner import make_plan, still_holds
from benchmark.store.digests import Digests
from benchmark.store.files import code_state
from benchmark.store.job import Job
from benchmark.store.plan_file import PLAN_SCHEMA, content_digest
from benchmark.store.store import Store
from benchmark.suite.document import Document, plugin_files, read_suite
from benchmark.suite.resolve import load_suite
from registry.errors import Mistake
from registry.lookup import installed_plugins, load_plugin
from registry.own_code import name_all
from registry.text import say


def _on_stderr(line: str) -> None:
    say(line, sys.stderr)


@dataclass(frozen=True)
class Request:
    """A suite, and the options that shape its plan.

    Args:
        suite: the suite file.
        scale: a name among its scales, or None.
        data: the folder of data sets.
        seeds: instead of the suite's own; may be empty.
        plugins: Python files with components, besides the suite's own.
        tell: gets a line about recordings that changed, a stored plan that cannot be used, or a checkpoint's wrapping.
    """

    suite: Path
    scale: str | None
    data: Path | None
    seeds: tuple[int, ...] = ()
    plugins: tuple[Path, ...] = ()
    tell: Callable[[str], None] = _on_stderr

    @cached_property
    def _read(self) -> tuple[Document, list[Path]]:
        """The suite, as it was when it was first read, and its files."""
        return read_suite(self.suite, self.scale)

    def plan(self, store: Store) -> Plan:
        """The stored plan, if none of its sources has changed (this loads no torch); else a new plan.

        The components of a new plan are tried first, so that a suite that cannot work is refused here.

        Raises:
            Mistakes: every mistake in the suite, or every component that does not fit another.
        """
        document, files = self._read
        name_all(document.data)
        digests = Digests(store.root / "digests", self.tell)
        stored = self._stored(document, store) if "name" in document.data else None
        if stored and stored["request"] == self.digest:
            plan = Plan.from_json(stored["plan"])
            if still_holds(plan.jobs.values(), plan.files, self.data, digests):
                plan.kept = True
                return plan
        resolved = load_suite(self.suite, self.scale, self.data, self.plugins)
        from benchmark.ledger.fit import check_fit  # which loads torch

        check_fit(resolved.entries, resolved.protocols, self.tell, Fits(PLACE))
        plan = make_plan(resolved, self.data, self.seeds or resolved.suite.seeds, digests)
        plan.texts = [(file.name, file.read_text(encoding="utf-8")) for file in files]
        return plan

    def holds(self, answer: Mapping[str, Any], store: Store) -> bool:
        """Whether the files are what they were that the plan behind a remembered answer was made from.

        Args:
            answer: holds what ``sources`` gave.
            store: remembers digests of recordings.
        """
        name_all(self._read[0].data)
        packs = [Job.from_json(stored) for stored in answer["packs"]]
        return still_holds(packs, answer["files"], self.data, Digests(store.root / "digests", self.tell))

    def last(self, store: Store) -> Plan | None:
        """The plan of the last run of this suite, whatever its data and seeds were; None if it was not run.

        The suite's plugins are loaded.
        """
        document, _ = self._read
        stored = self._stored(document, store) if "name" in document.data else None
        if stored is None:
            return None
        self.load_plugins()
        return Plan.from_json(stored["plan"])

    def load_plugins(self) -> None:
        """Loads the plugins of the request and of its suite: a stored plan names their components, and no more.

        Other code that the suite names may run from now on.
        """
        name_all(self._read[0].data)
        for path in self.plugin_files():
            load_plugin(path)

    def plugin_files(self) -> list[Path]:
        """The plugins of the request and of its suite."""
        document, _ = self._read
        return [*self.plugins, *plugin_files(document)]

    def keep(self, plan: Plan, store: Store) -> None:
        """Stores the plan beside the records, for the leaderboard and for the next run of the same suite.

        A plan that came from the store is stored again only if other suites have its name: the last run is meant by it.
        """
        if plan.kept and store.has_one_plan(plan.name):
            return
        asked = asked_digest(self._read[0])
        stored = {"schema": PLAN_SCHEMA, "asked": asked, "request": self.digest, "plan": plan.to_json()}
        store.save_plan(plan.name, stored)

    def _stored(self, document: Document, store: Store) -> dict[str, Any] | None:
        """The stored plan of this suite, if it can be read: it is only a cache."""
        try:
            return store.load_plan(plan_name(str(document.data["name"]), self.scale), asked_digest(document))
        except Mistake as mistake:
            self.tell(f"{mistake.where}: {mistake.what}; the plan is made again")
            return None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the request: the suite's texts, the options, the plugins' texts, and the code that plans.

        It includes the version of timm, which decides which weights a name means.
        """
        document, files = self._read
        read = [*files, *self.plugins, *plugin_files(document)]
        texts = [file.read_bytes().decode(errors="surrogateescape") if file.is_file() else None for file in read]
        content = [texts, self.scale, str(self.data), self.seeds, code_state(), installed_plugins(), version("timm")]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def sources(plan: Plan) -> dict[str, Any]:
    """What ``Request.holds`` asks of a plan, as plain data."""
    return {"packs": [job.to_json() for job in plan.jobs.values() if job.kind == "pack"], "files": plan.files}


def asked_digest(document: Document) -> str:
    """SHA-256 of what a suite asks at its scale. Comments, the order of keys and other scales do not count.

    Args:
        document: as ``read_suite`` gives it.
    """
    return content_digest({key: value for key, value in document.data.items() if key not in ("extends", "scales")})
