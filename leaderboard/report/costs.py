"""The cost of figures: parameters, time, memory, throughput."""

from benchmark.jobs import embed, evaluate, pretrain
from benchmark.store.job import AnyJob
from leaderboard.figures import cost
from leaderboard.page.content import Item, PageCell, PageColumn, PageTable, Section
from leaderboard.report.evidence import Evidence, name_of

KINDS: dict[type[AnyJob], str] = {
    pretrain.PretrainJob: "pretraining",
    embed.EmbedJob: "embedding",
    evaluate.EvaluateJob: "evaluation",
}
GIBI = 2**30


def section(evidence: Evidence) -> Section:
    """Figures against size and throughput, and the jobs of every entry."""
    items: list[Item] = []
    for task in evidence.tasks:
        for protocol in evidence.protocols:
            cells = evidence.cells(task, protocol)
            points = [
                cost.CostPoint(cell.entry, cell.mean, cell.parameters, cell.clips_per_second)
                for cell in cells
                if cell.mean is not None and (cell.parameters or cell.clips_per_second)
            ]
            if len(points) > 1:
                name = name_of("cost", task, protocol)
                metric = cells[0].metric
                title = f"{task}, {protocol}: what {metric.name} costs"
                plot = cost.draw(points, metric=metric)
                items.append(evidence.picture(name, title, plot, cost.alt(points, metric)))
    intro = [
        "Seconds of the jobs that an entry needs, each counted for every entry that shares it; what a job waited for is"
        " not counted. Peak memory is the most that the process held during a job; of records of older versions, and on"
        " macOS and Windows, by the end of a job, this or an earlier one."
    ]
    return Section("cost", "Cost", intro, [*items, _jobs(evidence)])


def _jobs(evidence: Evidence) -> PageTable:
    columns = [PageColumn("entry", "text"), *(PageColumn(name, group="seconds") for name in KINDS.values())]
    columns += [PageColumn("host", group="peak memory, GiB"), PageColumn("device", group="peak memory, GiB")]
    columns += [
        PageColumn("pretraining", group="a second", help="steps"),
        PageColumn("embedding", group="a second", help="clips"),
    ]
    rows = []
    for entry in evidence.table.facts.entries:
        rows.append([PageCell(entry), *_row(evidence, entry)])
    return PageTable("jobs", "Jobs", columns, rows, copy=True)


def _row(evidence: Evidence, entry: str) -> list[PageCell]:
    seconds: dict[type[AnyJob], float] = dict.fromkeys(KINDS, 0.0)
    peak: dict[str, float] = {}
    rates: dict[str, float] = {}
    for kind in KINDS:
        for job in evidence.needed(evidence.rows(entry), kind):
            record = evidence.result(job)
            if record is None:
                continue
            seconds[kind] += record.seconds
            for where, most in record.peak_memory.items():
                peak[where] = max(peak.get(where, 0), most / GIBI)
            if isinstance(record, embed.Record):
                rates["clips"] = record.clips_per_second
            elif isinstance(record, pretrain.Record | evaluate.Record) and record.steps_per_second is not None:
                rates["steps"] = record.steps_per_second
    return [
        *(_figure(seconds.get(kind) or None, 1) for kind in KINDS),
        *(_figure(peak.get(where), 2) for where in ("host", "device")),
        *(_figure(rates.get(name), 2) for name in ("steps", "clips")),
    ]


def _figure(value: float | None, digits: int) -> PageCell:
    return PageCell("" if value is None else f"{value:,.{digits}f}", value)
