"""What was computed stays known by its key, whatever settings came later."""

import json
from collections import defaultdict
from collections.abc import Set
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from benchmark.ledger.plan import Plan
from benchmark.ledger.planner import make_plan
from benchmark.store.job import Job
from benchmark.store.plan_file import read_plan
from benchmark.store.store import Store
from benchmark.suite.document import suite_path
from benchmark.suite.resolve import load_suite
from registry.lookup import METHODS, Choice
from registry.settings import Later, Settings, with_defaults

RECORDS = Path(__file__).parents[3] / "leaderboard" / "records"


class Earlier(Settings):
    epochs: int = 3


class Now(Earlier):
    share: Later[float] = Field(0.5, ge=0, description="of something")


def test_a_later_setting_enters_keys_where_it_says_something() -> None:
    assert Now().canonical() == Earlier().canonical() == Now(share=0.5).canonical() == {"epochs": 3}
    assert Now(share=0.25).canonical() == {"epochs": 3, "share": 0.25}
    assert Choice.of(METHODS, "moco", Now(epochs=4, share=0)).config == {
        "name": "moco",
        "version": METHODS.version("moco"),
        "epochs": 4,
        "share": 0.0,
    }
    preset = with_defaults(Now, epochs=5)
    assert preset().canonical() == {"epochs": 5}
    assert preset(share=0.25).canonical() == {"epochs": 5, "share": 0.25}


def test_every_record_has_the_key_of_its_job() -> None:
    folders = list((RECORDS / "evaluate").iterdir())
    assert len(folders) >= 222
    for folder in folders:
        job = Job.from_json(json.loads((folder / "job.json").read_text()))
        assert job.key == folder.name == json.loads((folder / "result.json").read_text())["key"]


def test_committed_plans_name_no_path_of_one_machine() -> None:
    plans = [Plan.from_json(read_plan(path)["plan"]) for path in (RECORDS / "plans").glob("*.json")]
    paths = [path for plan in plans for path in plan.files.values()]
    assert paths
    assert not [path for path in paths if Path(path).is_absolute()]


def by_title(plan: Plan, leave_out: Set[str] = frozenset()) -> dict[tuple[str, str], set[str]]:
    """What every job but packs, which follow the data, is asked to do. A weight file's hash follows the file.

    Jobs of several seeds share a title.
    """
    asked: dict[tuple[str, str], set[str]] = defaultdict(set)
    for job in plan.jobs.values():
        if job.kind != "pack":
            asked_config = job.config.canonical()
            imagenet = asked_config.get("weights", {}).get("kind") == "imagenet"
            config = without(asked_config, leave_out | ({"weights"} if imagenet else set()))
            asked[job.kind, job.title].add(json.dumps(config, sort_keys=True))
    return asked


def without(config: Any, names: Set[str]) -> Any:
    """A configuration without some settings, at any depth."""
    if isinstance(config, dict):
        return {name: without(value, names) for name, value in config.items() if name not in names}
    return [without(item, names) for item in config] if isinstance(config, list) else config


# Boards of which some rows are not yet made again: settings that were not in their keys, and jobs of another version.
NOT_AGAIN: dict[str, tuple[set[str], set[str]]] = {
    "esc10": ({"gradients"}, set()),
    "methods": ({"gradients"}, {"pretrain colorization on esc50"}),
    "wang2021/table-4": ({"gradients"}, set()),
    **{f"lin2022/table-3.{table}": ({"gradients"}, set()) for table in (1, 2, 3)},
}


@pytest.mark.parametrize(
    "suite", ["esc10", "methods", "encoders", "wang2021/table-4", *(f"lin2022/table-3.{table}" for table in (1, 2, 3))]
)
def test_what_a_suite_asks_for_its_stored_plan_asked_for(suite: str) -> None:
    kept = Store(RECORDS).load_plan(f"{suite}@cpu")
    assert kept
    stored = Plan.from_json(kept["plan"])
    resolved = load_suite(suite_path(suite), "cpu", None)
    settings, jobs = NOT_AGAIN.get(suite, (set(), set()))
    before, today = by_title(stored), by_title(make_plan(resolved, None, stored.facts.seeds), settings)
    assert before.keys() == today.keys()
    assert {title for kind, title in before if before[kind, title] != today[kind, title]} == jobs
