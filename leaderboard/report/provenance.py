"""Where figures come from: the suite, the machines, the data, and the commands that make them again."""

import shlex
from collections import Counter
from collections.abc import Sequence

from benchmark.data.audit import audit
from benchmark.jobs.pack import PackJob
from benchmark.progress import Progress
from benchmark.store.job import Environment
from leaderboard.page.content import Cell, Code, Column, Grid, Item, Notes, Section
from leaderboard.report.board import controls
from leaderboard.report.evidence import Evidence
from registry.errors import Mistake
from registry.tasks import Task


def asked(evidence: Evidence, suite: Sequence[tuple[str, str]]) -> Section:
    """The suite's texts, with those that it extends, and the command for every row."""
    facts = evidence.table.facts
    command = ["audiobench", "run", facts.suite]
    if facts.scale:
        command += ["--scale", facts.scale]
    command += [part for seed in facts.seeds for part in ("--seed", str(seed))] if facts.seeds != (0,) else []
    rows = []
    for entry in facts.entries:
        control = controls(evidence).get(entry, "")
        rows.append([Cell(entry), Cell(control), Cell(f"{shlex.join([*command, '--entry', entry])} --data DATA")])
    columns = [Column("entry", "text"), Column("control", "text"), Column("command", "text")]
    items: list[Item] = [
        *(Code(text, "yaml", name) for name, text in suite),
        Code(f"{shlex.join(command)} --data DATA", "shell", "everything"),
        Grid("commands", "Every row", columns, rows, copy=True),
    ]
    intro = ["DATA is the folder that holds the data sets. What is finished is not done again."]
    return Section("suite", "Suite", intro, items)


def section(evidence: Evidence) -> Section:
    """Machines, versions, data."""
    items: list[Item] = [_environments(evidence), _data(evidence)]
    findings = _findings(evidence)
    if findings:
        items.append(Notes(findings))
    return Section("provenance", "Provenance", [], items)


def _environments(evidence: Evidence) -> Grid:
    counts: Counter[tuple[str, ...]] = Counter()
    for job in evidence.plan.jobs.values():
        found = evidence.result(job)
        if found and found.environment.device:
            counts[_environment(found.environment)] += 1
    names = ["device", "precision", "threads", "commit", "versions"]
    columns = [*(Column(name, "text") for name in names), Column("jobs")]
    rows = [[*map(Cell, own), Cell(str(count), count)] for own, count in counts.most_common()]
    return Grid("environments", "Machines and versions", columns, rows)


def _environment(found: Environment) -> tuple[str, ...]:
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return found.device, found.precision, str(found.threads), found.commit or "", versions


def _data(evidence: Evidence) -> Grid:
    """Hashes of the audio that every task was tested on, by its records."""
    hashes: dict[tuple[str, str, str], int] = {}
    for row in evidence.plan.rows:
        found = evidence.result(evidence.plan.evaluation(row))
        if found:
            place = (row.task, str(evidence.plan.pack_of(row).config.sample_rate), found.data_hash)
            hashes[place] = hashes.get(place, 0) + 1
    columns = [
        Column("task", "text"),
        Column("sample rate, Hz"),
        Column("SHA-256 of the samples", "text"),
        Column("records"),
    ]
    rows = [
        [Cell(task), Cell(rate, int(rate)), Cell(digest), Cell(str(count), count)]
        for (task, rate, digest), count in hashes.items()
    ]
    return Grid("data", "Data", columns, rows)


def _findings(evidence: Evidence) -> list[str]:
    """What an audit of the tasks and corpora finds by their listings; nothing without the data."""
    if evidence.data is None:
        return ["Data sets were not at hand, so that only what the records say of overlaps is marked (†, ‡)."]
    tasks: dict[str, Task] = {}
    unknown: dict[str, str] = {}  # of a plugin that is not loaded
    for job in evidence.plan.jobs.values():
        if isinstance(job, PackJob):
            name = job.config.task.name
            try:
                tasks.setdefault(name, job.config.task.build())
            except Mistake as mistake:
                unknown[name] = mistake.what
    report = audit(tasks, evidence.data, Progress(), lenient=True)
    found = [
        f"{own.name}: {len(own.spanning)} of {own.sources} sources have clips in several folds"
        f" ({', '.join(one.source for one in own.spanning[:8])}{', ...' if len(own.spanning) > 8 else ''})."
        for own in report.data_sets
        if own.spanning
    ]
    for one in report.shared:
        part = f" {one.part} is a part of the other." if one.part else ""
        found.append(
            f"{one.first} and {one.second} share {one.recordings} recordings by {one.by}: {len(one.clips[0])} and"
            f" {len(one.clips[1])} clips.{part}"
            if one.recordings
            else f"{one.first} and {one.second} share no recording, by {one.by}."
        )
    found += [f"{a} and {b} were not compared: they name no recordings by a common id." for a, b in report.not_compared]
    return found + [f"{name} was not audited: {why}." for name, why in {**report.left_out, **unknown}.items()]
