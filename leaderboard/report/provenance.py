"""Where figures come from: the suite, the machines, the data, and the commands that compute them again."""

import shlex
from collections import Counter
from collections.abc import Sequence

from benchmark.data.audit import audit
from benchmark.jobs.pack import PackJob
from benchmark.progress import Progress
from benchmark.store.job import Environment
from leaderboard.page.content import Code, Item, Notes, PageCell, PageColumn, PageTable, Section
from leaderboard.report.board import controls
from leaderboard.report.evidence import Evidence
from registry.errors import Mistake
from registry.tasks import Task


def asked(evidence: Evidence, suite: Sequence[tuple[str, str]]) -> Section:
    """The texts of the suite and of the files that it extends, and the command for every row."""
    facts = evidence.table.facts
    command = ["audiobench", "run", facts.suite]
    if facts.scale:
        command += ["--scale", facts.scale]
    if facts.seeds != (0,):
        command += [word for seed in facts.seeds for word in ("--seed", str(seed))]
    rows = []
    for entry in facts.entries:
        control = controls(evidence).get(entry, "")
        rows.append(
            [PageCell(entry), PageCell(control), PageCell(f"{shlex.join([*command, '--entry', entry])} --data DATA")]
        )
    columns = [PageColumn("entry", "text"), PageColumn("control", "text"), PageColumn("command", "text")]
    items: list[Item] = [
        *(Code(text, "yaml", name) for name, text in suite),
        Code(f"{shlex.join(command)} --data DATA", "shell", "everything"),
        PageTable("commands", "Every row", columns, rows, copy=True),
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


def _environments(evidence: Evidence) -> PageTable:
    counts: Counter[tuple[str, ...]] = Counter()
    for job in evidence.plan.jobs.values():
        record = evidence.result(job)
        if record and record.environment.device:
            counts[_environment(record.environment)] += 1
    names = ["device", "precision", "threads", "commit", "versions"]
    columns = [*(PageColumn(name, "text") for name in names), PageColumn("jobs")]
    rows = [[*map(PageCell, texts), PageCell(str(count), count)] for texts, count in counts.most_common()]
    return PageTable("environments", "Machines and versions", columns, rows)


def _environment(of_job: Environment) -> tuple[str, ...]:
    versions = ", ".join(f"{name} {version}" for name, version in of_job.versions.items())
    return of_job.device, of_job.precision, str(of_job.threads), of_job.commit or "", versions


def _data(evidence: Evidence) -> PageTable:
    """The hashes of the audio that every task was tested on, from its records."""
    hashes: dict[tuple[str, str, str], int] = {}
    for row in evidence.plan.rows:
        record = evidence.result(evidence.plan.evaluation(row))
        if record:
            place = (row.task, str(evidence.plan.pack_of(row).config.sample_rate), record.data_hash)
            hashes[place] = hashes.get(place, 0) + 1
    columns = [
        PageColumn("task", "text"),
        PageColumn("sample rate, Hz"),
        PageColumn("SHA-256 of the samples", "text"),
        PageColumn("records"),
    ]
    rows = [
        [PageCell(task), PageCell(rate, int(rate)), PageCell(digest), PageCell(str(count), count)]
        for (task, rate, digest), count in hashes.items()
    ]
    return PageTable("data", "Data", columns, rows)


def _findings(evidence: Evidence) -> list[str]:
    """The findings of an audit of the tasks' and corpora's listings; one sentence without the data."""
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
    audited = audit(tasks, evidence.data, Progress(), lenient=True)
    sentences = [
        f"{of_set.name}: {len(of_set.spanning)} of {of_set.sources} sources have clips in several folds"
        f" ({', '.join(one.source for one in of_set.spanning[:8])}{', ...' if len(of_set.spanning) > 8 else ''})."
        for of_set in audited.data_sets
        if of_set.spanning
    ]
    for one in audited.shared:
        contained = f" {one.part} is a part of the other." if one.part else ""
        sentences.append(
            f"{one.first} and {one.second} share {one.recordings} recordings by {one.by}: {len(one.clips[0])} and"
            f" {len(one.clips[1])} clips.{contained}"
            if one.recordings
            else f"{one.first} and {one.second} share no recording, by {one.by}."
        )
    sentences += [
        f"{a} and {b} were not compared: they name no recordings by a common id." for a, b in audited.not_compared
    ]
    return sentences + [f"{name} was not audited: {why}." for name, why in {**audited.left_out, **unknown}.items()]
