"""What a reader must know beside the figures: footnotes, and the marks that call for them."""

from collections.abc import Iterable

import numpy as np

from leaderboard.published import known_faults
from leaderboard.resampling import draws_of
from leaderboard.selection import MEANING, RULES
from leaderboard.table import Cell, Table

# What marks an entry that was pretrained on recordings of the test folds, by whether it learned their labels.
_SEEN = {
    False: ("†", "Transductive: the pretraining corpus holds recordings of the test folds, without labels"),
    True: ("‡", "Not a fair figure: labels of recordings of the test folds were learned in pretraining"),
}


def marks(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    """What marks an entry, and what that means: † and ‡ for recordings and labels that it saw in pretraining."""
    learned = {cell.labels_seen for cell in cells if cell.mean is not None and cell.seen}
    return [meaning for labels, meaning in _SEEN.items() if labels in learned]


def notes(table: Table) -> list[str]:
    """What a reader must know beside the figures."""
    measured = [cell for cell in table.cells if cell.mean is not None]
    return [
        *_figures(table, measured),
        *_comparisons(table, measured),
        *_learning(measured),
        *_seen(measured),
        *_data(measured),
        *_published(table, measured),
    ]


def _figures(table: Table, measured: list[Cell]) -> list[str]:
    """What the figures are, and which rule selected them."""
    lead = "Accuracy" if not measured or any(cell.metric.head == "" for cell in measured) else "Figures"
    found = [f"{lead}, mean over folds ± standard deviation over folds{_seeds(measured)}."]
    found += [f"Of {', '.join(places)}: {meaning}." for meaning, places in _judged(table, measured).items()]
    draws = {cell.protocol: cell.draws for cell in measured if cell.draws > 1}
    if draws:
        listed = ", ".join(f"{protocol} {count}" for protocol, count in draws.items())
        found.append(
            f"Few clips train: each fold the mean of several draws of them, the same for every entry ({listed})."
        )
    found += [f"{rule}: {MEANING[rule]}" for rule in RULES if any(c.selection == rule and not c.k for c in measured)]
    tasks = list(dict.fromkeys(cell.task for cell in measured if cell.k))
    if tasks:
        chosen = {
            task: "; ".join(f"{c.entry} {', '.join(map(str, c.k))}" for c in measured if c.k and c.task == task)
            for task in tasks
        }
        listed = ". ".join(f"{task}: {ks}" if len(tasks) > 1 else ks for task, ks in chosen.items())
        found.append(f"inner, of neighbours: K chosen by cross-validation inside the training folds ({listed}).")
    return found


def _judged(table: Table, measured: list[Cell]) -> dict[str, list[str]]:
    """What figures mean that do not go without saying, and the tasks, or the columns of a task, whose they are."""
    judges = {
        (cell.task, cell.protocol): table.measured[cell.entry, cell.task, cell.protocol].judge for cell in measured
    }
    of_task: dict[str, set[str]] = {}
    for (task, _), judge in judges.items():
        of_task.setdefault(task, set()).add(judge.meaning)
    found: dict[str, dict[str, None]] = {}
    for (task, protocol), judge in judges.items():
        if judge.chief.head != "":
            place = task if len(of_task[task]) == 1 else f"{protocol} on {task}"
            found.setdefault(judge.meaning, {})[place] = None
    return {meaning: list(places) for meaning, places in found.items()}


def _comparisons(table: Table, measured: list[Cell]) -> list[str]:
    """What intervals, p-values and ranks rest on, and who is compared with whom."""
    found = []
    if any(cell.interval for cell in measured):
        found += [*_intervals(table), *_seeds_drawn(table, measured)]
    if any(cell.against_control for cell in measured):
        found.append("p: of no difference from the control, on the same recordings, adjusted by Holm over the column.")
    if any(cell.rank for cell in measured):
        found.append(
            "rank: 1-2 where no difference of two entries is significant (0.05, adjusted by Holm over all pairs of the"
            " column). Bold: the best, and what is not told apart from it."
        )
    found += _smallest(table)
    found += [
        f"{across.protocol} across tasks: Friedman p {across.test.p:.3f}; mean ranks that differ by less than"
        f" {across.test.critical_difference:.2f} are not told apart (Nemenyi, 0.05)."
        for across in table.across
    ]
    if table.facts.controls:
        pairs = ", ".join(f"{control} of {entry}" for entry, control in table.facts.controls.items())
        found.append(f"Controls: {pairs}; of all others {table.facts.control}.")
    return found


def _intervals(table: Table) -> list[str]:
    """Over what intervals were drawn, and how often."""
    draws: dict[int, dict[str, None]] = {}
    for (_, task, _), own in table.measured.items():
        if own.answers:
            draws.setdefault(draws_of(own.answers), {})[task] = None
    counts = "; ".join(
        f"{count:,} draws" + (f" of {', '.join(tasks)}" if len(draws) > 1 else "") for count, tasks in draws.items()
    )
    found = [f"95 % intervals: bootstrap over recordings within folds, paired between entries, {counts}."]
    by_clip = dict.fromkeys(cell.task for cell in table.cells if cell.mean is not None and not cell.by_recording)
    if by_clip:
        found.append(
            f"Of {', '.join(by_clip)} the records do not tell which recordings the clips were cut from: intervals are"
            " by clip, and too narrow where clips share a recording."
        )
    return found


def _seeds_drawn(table: Table, measured: list[Cell]) -> list[str]:
    """How much of the deviation seeds bring, or that intervals do not speak of them."""
    several = [cell for cell in measured if cell.seeds > 1 and cell.deviations]
    if not several:
        return ["One seed: intervals speak of other recordings, not of another training."]
    shares = []
    for task, protocol in dict.fromkeys((cell.task, cell.protocol) for cell in several):
        pairs = [cell.deviations for cell in several if (cell.task, cell.protocol) == (task, protocol)]
        medians = (float(np.median([pair[i] for pair in pairs if pair])) for i in (0, 1))
        recordings, seeds = table.columns[task, protocol].metric.write(*medians)
        shares.append(f"{protocol} on {task} {recordings} and {seeds}")
    return [
        "The scatter of seeds is part of the intervals. Of a figure's standard deviation, recordings and seeds bring"
        f" (median entry): {'; '.join(shares)}."
    ]


def _smallest(table: Table) -> list[str]:
    """What differences the recordings could have told."""
    shares = []
    for task in table.facts.tasks:
        told = []
        for (own, protocol), column in table.columns.items():
            one = column.smallest
            if own == task and one and one.alone:
                alone, of_all = column.metric.write(one.alone, one.of_all)
                told.append(f"{protocol} {alone}" + (f", {of_all} among {one.pairs} pairs" if one.pairs > 1 else ""))
        if told:
            shares.append(f"{task} ({_size(table, task)}): {'; '.join(told)}")
    if not shares:
        return []
    return [f"Smallest difference that could have been told (power 80 %, 0.05, median pair): {'. '.join(shares)}."]


def _size(table: Table, task: str) -> str:
    """The clips of a task, and how many recordings they were cut from."""
    answers = max((own.answers for place, own in table.measured.items() if place[1] == task), key=len).values()
    clips, recordings = sum(len(own.clip_N) for own in answers), sum(own.recordings for own in answers)
    return f"{clips:,} clips of {recordings:,} recordings" if recordings < clips else f"{clips:,} clips"


def _learning(measured: list[Cell]) -> list[str]:
    curves = {(c.convergence.scratch, c.task, c.protocol): c for c in measured if c.convergence}
    marks: dict[str, list[str]] = {}
    for (scratch, task, protocol), cell in curves.items():
        mark = cell.convergence.mark if cell.convergence else None
        if mark:
            share = "90 % of the best epoch" if cell.metric.higher_is_better else "the best epoch, divided by 0.9,"
            marks.setdefault(share, []).append(f"{cell.metric.write(mark)[0]} ({protocol} {scratch} on {task})")
    found = [f"mark: {share} of training from random weights: {', '.join(own)}." for share, own in marks.items()]
    names = " or ".join(dict.fromkeys(cell.metric.name.removeprefix("mean ") for cell in curves.values()))
    return [*found, f"area under the curve: the mean over epochs of the mean {names} over folds."] if curves else found


def _seen(measured: list[Cell]) -> list[str]:
    """What entries saw of the test recordings in pretraining."""
    found = []
    for learned, (mark, meaning) in _SEEN.items():
        seen: dict[tuple[int, str], dict[str, None]] = {}  # entries, each once, by how much of which task
        for cell in measured:
            if cell.seen and cell.labels_seen == learned:
                seen.setdefault((cell.seen, cell.task), {})[cell.entry] = None
        if seen:
            shares = "; ".join(f"{count} clips of {task} ({', '.join(own)})" for (count, task), own in seen.items())
            found.append(f"{mark} {meaning}: {shares}.")
    if any(cell.unseen for cell in measured):
        found.append("unseen: the same figure without the clips that the pretraining corpus holds.")
    untold = dict.fromkeys(
        cell.task for cell in measured if cell.seen and cell.unseen is None and cell.seen < cell.clips
    )
    if untold:
        found.append(f"Of {', '.join(untold)} the records do not tell which clips these are.")
    return found


def _data(measured: list[Cell]) -> list[str]:
    """Where embeddings were timed, and what was not there."""
    found = []
    devices = dict.fromkeys(device for cell in measured for device in cell.devices)
    if devices:
        found.append(f"clips/s: whole clips embedded a second, front end included, on {' and '.join(devices)}.")
    missing = {cell.task: cell.missing for cell in measured if cell.missing}
    if missing:
        listed = ", ".join(f"{count} of {task}" for task, count in missing.items())
        found.append(f"Recordings that were not there: {listed}. Figures on other clips are other figures.")
    skipped = max((cell.skipped for cell in measured), default=0)
    return [*found, f"{skipped} unusable recordings were left out."] if skipped else found


def _published(table: Table, measured: list[Cell]) -> list[str]:
    """What to know of the published figures, and where they are from."""
    found = []
    reasons = dict.fromkeys(reason for cell in measured for reason in cell.hindrances)
    if reasons:
        found.append(f"Not comparable with the published figures, so without a difference: {'; '.join(reasons)}.")
    if any(cell.comparable for cell in measured):
        found.append("verdict: whether the published figure lies within the measured one's 95 % interval.")
    found += [
        f"{c.published.row}, {c.protocol}: {c.published.note}." for c in table.cells if c.published and c.published.note
    ]
    found += known_faults(table.facts.reproduces)
    papers = sorted({c.published.source for c in measured if c.published})
    others = [c.published for c in table.cells if c.published and c.mean is None and c.published.source not in papers]
    sources = sorted({f"{figure.row}: {figure.source}" for figure in others})
    return [*found, *(f"Published: {source}." for source in [*papers, *sources])]


def _seeds(cells: list[Cell]) -> str:
    seeds = max((cell.seeds for cell in cells), default=1)
    return f", each fold the mean of {seeds} seeds" if seeds > 1 else ""
