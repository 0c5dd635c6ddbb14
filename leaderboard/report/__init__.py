"""A suite's report: everything that its records show, in the order of a reader's questions."""

from collections.abc import Collection, Sequence
from pathlib import Path

from benchmark.ledger.plan import Plan
from benchmark.store.store import Store
from benchmark.suite.rules import Rule
from leaderboard.page.content import Report
from leaderboard.report import board, classes, costs, learning, maps, provenance, sweeps
from leaderboard.report.evidence import Drawing, Evidence
from leaderboard.table import Table, make_table


def make_report(
    plan: Plan,
    store: Store,
    *,
    rule: Rule | None = None,
    suite: Sequence[tuple[str, str]] = (),
    data: Path | None = None,
    beside: Path = Path(),
    mapped: Sequence[str] = (),
    table: Table | None = None,
) -> tuple[Report, list[Drawing]]:
    """The report of a suite that was run, and every picture in it.

    Args:
        plan: of the suite.
        store: holds the records; losses, embeddings and packs, if they are there, give further pictures.
        rule: selects epochs instead of the suite's rule.
        suite: the text of the suite's file and of the files that it extends, by name.
        data: the folder of data sets: with it, clips on maps can be played, and folds and corpora are audited.
        beside: the folder of the page, from which recordings are linked.
        mapped: entries whose embeddings are mapped; if there are none, the best entry of each task and its control.
        table: of the plan under this rule, with every metric, if it is made already.
    """
    evidence = Evidence(plan, table or make_table(plan, store, rule), store, data, beside)
    sections = [
        board.section(evidence),
        board.pairs(evidence),
        learning.section(evidence),
        sweeps.section(evidence),
        classes.section(evidence),
        maps.section(evidence, mapped),
        costs.section(evidence),
        provenance.asked(evidence, suite),
        provenance.section(evidence),
    ]
    table, facts = evidence.table, evidence.table.facts
    counts = [
        _count(facts.entries, "entry", "entries"),
        _count(facts.tasks, "task", "tasks"),
        _count(facts.protocols, "protocol", "protocols"),
    ]
    report = Report(
        title=facts.title,
        subtitle=f"{table.name}: {', '.join(counts)}",
        highlights=board.highlights(evidence),
        sections=[section for section in sections if section.items],
        footer="Made by audiobench from stored records; no model was run.",
    )
    return report, evidence.drawings


def _count(things: Collection[str], one: str, several: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else several}"
