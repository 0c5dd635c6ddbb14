"""Footnotes of a leaderboard, and the signs beside entries that refer to them."""

from collections.abc import Iterable

import numpy as np

from leaderboard.comparison import MANY
from leaderboard.published import known_faults
from leaderboard.selection import MEANING, RULES
from leaderboard.table import Cell, Table

# Sign and meaning for an entry that was pretrained on recordings of the test folds, by whether it learned their labels.
_SEEN = {
    False: ("†", "Transductive: the pretraining corpus holds recordings of the test folds, without labels"),
    True: ("‡", "Not a fair figure: labels of recordings of the test folds were learned in pretraining"),
}


def signs(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    """The signs beside an entry, each with its meaning: † if it saw test recordings in pretraining, ‡ if labels too."""
    learned = {cell.labels_seen for cell in cells if cell.mean is not None and cell.seen}
    return [sign_and_meaning for labels, sign_and_meaning in _SEEN.items() if labels in learned]


def notes(table: Table) -> list[str]:
    """The footnotes, in the order of the table's columns."""
    measured = [cell for cell in table.cells if cell.mean is not None]
    return [
        *_figures(table, measured),
        *_comparisons(table, measured),
        *_learning(measured),
        *overlaps(measured),
        *_whole(table, measured),
        *_data(measured),
        *_published(table, measured),
    ]


def _figures(table: Table, measured: list[Cell]) -> list[str]:
    """Which metric the figures are, and which rule selected them."""
    lead = "Accuracy" if not measured or any(cell.metric.head == "" for cell in measured) else "Figures"
    sentences = [f"{lead}, mean over folds ± standard deviation over folds{_seeds(measured)}."]
    sentences += [f"Of {', '.join(places)}: {meaning}." for meaning, places in _judged(table, measured).items()]
    draws = {cell.protocol: cell.draws for cell in measured if cell.draws > 1}
    if draws:
        listed = ", ".join(f"{protocol} {count}" for protocol, count in draws.items())
        sentences.append(
            f"Few clips train: each fold the mean of several draws of them, the same for every entry ({listed})."
        )
    chose = {cell.selection for cell in measured if not cell.k}
    sentences += [f"{rule}: {MEANING[rule]}" for rule in RULES if rule in chose]
    tasks = list(dict.fromkeys(cell.task for cell in measured if cell.k))
    if tasks:
        chosen = {
            task: "; ".join(f"{c.entry} {', '.join(map(str, c.k))}" for c in measured if c.k and c.task == task)
            for task in tasks
        }
        listed = ". ".join(f"{task}: {ks}" if len(tasks) > 1 else ks for task, ks in chosen.items())
        sentences.append(f"inner, of neighbours: K chosen by cross-validation inside the training folds ({listed}).")
    return sentences


def _judged(table: Table, measured: list[Cell]) -> dict[str, list[str]]:
    """For each meaning of figures that a note must state: the tasks, or a task's columns, with such figures."""
    judges = {
        (cell.task, cell.protocol): table.measured[cell.entry, cell.task, cell.protocol].judge for cell in measured
    }
    of_task: dict[str, set[str]] = {}
    for (task, _), judge in judges.items():
        of_task.setdefault(task, set()).add(judge.meaning)
    places: dict[str, dict[str, None]] = {}
    for (task, protocol), judge in judges.items():
        if judge.chief.head != "":
            place = task if len(of_task[task]) == 1 else f"{protocol} on {task}"
            places.setdefault(judge.meaning, {})[place] = None
    return {meaning: list(of_meaning) for meaning, of_meaning in places.items()}


def _comparisons(table: Table, measured: list[Cell]) -> list[str]:
    """How intervals, p-values and ranks were computed, and which entries are compared."""
    sentences = []
    if any(cell.interval for cell in measured):
        sentences += [*_intervals(table), *_seeds_drawn(table, measured)]
    if any(cell.against_control for cell in measured):
        sentences.append(
            "p: of no difference from the control, on the same recordings, adjusted by Holm over the column."
        )
    sentences += _ranks(table)
    sentences += _smallest(table)
    sentences += [
        f"{across.protocol} across tasks: Friedman p {across.test.p:.3f}; mean ranks that differ by less than"
        f" {across.test.critical_difference:.2f} are not told apart (Nemenyi, 0.05)."
        for across in table.across
    ]
    if table.facts.controls:
        pairs = ", ".join(f"{control} of {entry}" for entry, control in table.facts.controls.items())
        sentences.append(f"Controls: {pairs}; of all others {table.facts.control}.")
    return sentences


def _ranks(table: Table) -> list[str]:
    """How entries were ranked: by all pairs, or, where they are many, each against the mean entry."""
    many = {place: len(of.ranks) for place, of in table.comparisons.items() if of.ranks and of.many}
    sentences = []
    if any(of.ranks for place, of in table.comparisons.items() if place not in many):
        sentences.append(
            "rank: 1-2 where no difference of two entries is significant (0.05, adjusted by Holm over all pairs of the"
            " column)."
        )
    if many:
        columns = ", ".join(f"{protocol} on {task} {count}" for (task, protocol), count in many.items())
        sentences.append(
            f"rank, where more than {MANY} entries share a column: not every two were compared ({columns} entries)."
            " Each was compared with the mean of all, on the same recordings, by an interval that holds together with"
            " those of all others (0.05, Bonferroni): 1-2 where the intervals of two entries overlap."
        )
    if sentences:
        sentences[-1] += " Bold: the best, and what is not told apart from it."
    return sentences


def _intervals(table: Table) -> list[str]:
    """What the intervals rest on: recordings or clips, and how many draws."""
    draws: dict[int, dict[str, None]] = {}
    for entry, task, protocol in table.measured:
        of_column = table.comparisons.get((task, protocol))
        if of_column and entry in of_column.estimates:
            draws.setdefault(len(of_column.estimates[entry].recordings_D), {})[task] = None
    counts = "; ".join(
        f"{count:,} draws" + (f" of {', '.join(tasks)}" if len(draws) > 1 else "") for count, tasks in draws.items()
    )
    sentences = [f"95 % intervals: bootstrap over recordings within folds, paired between entries, {counts}."]
    by_clip = dict.fromkeys(cell.task for cell in table.cells if cell.mean is not None and not cell.by_recording)
    if by_clip:
        sentences.append(
            f"Of {', '.join(by_clip)} the records do not tell which recordings the clips were cut from: intervals are"
            " by clip, and too narrow where clips share a recording."
        )
    return sentences


def _seeds_drawn(table: Table, measured: list[Cell]) -> list[str]:
    """How much of the deviation comes from seeds; with one seed, that intervals leave other seeds out."""
    several = [cell for cell in measured if cell.seeds > 1 and cell.deviations]
    if not several:
        return ["One seed: intervals speak of other recordings, not of another training."]
    shares = []
    for task, protocol in dict.fromkeys((cell.task, cell.protocol) for cell in several):
        pairs = [cell.deviations for cell in several if (cell.task, cell.protocol) == (task, protocol)]
        medians = (float(np.median([pair[i] for pair in pairs if pair])) for i in (0, 1))
        recordings, seeds = table.comparisons[task, protocol].metric.write(*medians)
        shares.append(f"{protocol} on {task} {recordings} and {seeds}")
    return [
        "The scatter of seeds is part of the intervals. Of a figure's standard deviation, recordings and seeds bring"
        f" (median entry): {'; '.join(shares)}."
    ]


def _smallest(table: Table) -> list[str]:
    """The smallest differences that the recordings could have shown."""
    of_tasks = []
    for task in table.facts.tasks:
        shares = []
        for (column_task, protocol), of_column in table.comparisons.items():
            one = of_column.smallest
            if column_task == task and one and one.alone:
                alone, of_all = of_column.metric.write(one.alone, one.of_all)
                among = f", {of_all} among {one.pairs} pairs" if one.pairs > 1 else ""
                shares.append(f"{protocol} {alone}{among}")
        if shares:
            of_tasks.append(f"{task} ({_size(table, task)}): {'; '.join(shares)}")
    if not of_tasks:
        return []
    return [f"Smallest difference that could have been told (power 80 %, 0.05, median pair): {'. '.join(of_tasks)}."]


def _size(table: Table, task: str) -> str:
    """The number of a task's clips, and of the recordings that they were cut from."""
    of_task = [measured.answers for place, measured in table.measured.items() if place[1] == task]
    answers = max(of_task, key=len).values()
    clips = sum(len(of_fold.clip_N) for of_fold in answers)
    recordings = sum(of_fold.recordings for of_fold in answers)
    return f"{clips:,} clips of {recordings:,} recordings" if recordings < clips else f"{clips:,} clips"


def _learning(measured: list[Cell]) -> list[str]:
    curves = {(c.convergence.scratch, c.task, c.protocol): c for c in measured if c.convergence}
    marks: dict[str, list[str]] = {}
    for (scratch, task, protocol), cell in curves.items():
        mark = cell.convergence.mark if cell.convergence else None
        if mark:
            share = "90 % of the best epoch" if cell.metric.higher_is_better else "the best epoch, divided by 0.9,"
            marks.setdefault(share, []).append(f"{cell.metric.write(mark)[0]} ({protocol} {scratch} on {task})")
    sentences = [
        f"mark: {share} of training from random weights: {', '.join(of_share)}." for share, of_share in marks.items()
    ]
    names = " or ".join(dict.fromkeys(cell.metric.name.removeprefix("mean ") for cell in curves.values()))
    area = [f"area under the curve: the mean over epochs of the mean {names} over folds."] if curves else []
    return [*sentences, *area]


def overlaps(measured: list[Cell]) -> list[str]:
    """Which entries saw test recordings in pretraining, and how many."""
    sentences = []
    for learned, (sign, meaning) in _SEEN.items():
        seen: dict[tuple[int, str], dict[str, None]] = {}  # entries, each once, by the number of clips and the task
        for cell in measured:
            if cell.seen and cell.labels_seen == learned:
                seen.setdefault((cell.seen, cell.task), {})[cell.entry] = None
        if seen:
            listed = "; ".join(
                f"{count} clips of {task} ({', '.join(entries)})" for (count, task), entries in seen.items()
            )
            sentences.append(f"{sign} {meaning}: {listed}.")
    if any(cell.unseen for cell in measured):
        sentences.append("unseen: the same figure without the clips that the pretraining corpus holds.")
    unknown = dict.fromkeys(
        cell.task for cell in measured if cell.seen and cell.unseen is None and cell.seen < cell.clips
    )
    if unknown:
        sentences.append(f"Of {', '.join(unknown)} the records do not tell which clips these are.")
    return sentences


def _whole(table: Table, measured: list[Cell]) -> list[str]:
    """Which entries embedded clips in one piece, and how many clips were too short for that."""
    whole = [cell for cell in measured if table.measured[cell.entry, cell.task, cell.protocol].whole]
    if not whole:
        return []
    entries = dict.fromkeys(cell.entry for cell in whole)
    among = "" if len(whole) == len(measured) else f" ({', '.join(entries)})"
    padded: dict[tuple[int, str], dict[str, None]] = {}  # entries, each once, by the number of clips and the task
    for cell in whole:
        count = max((e.padded for e in table.measured[cell.entry, cell.task, cell.protocol].embedding), default=0)
        if count:
            padded.setdefault((count, cell.task), {})[cell.entry] = None
    listed = "; ".join(f"{count} clips of {task} ({', '.join(names)})" for (count, task), names in padded.items())
    sentence = f"Whole clips: each was embedded in one piece, and not in windows{among}."
    return [f"{sentence} Too short for the net, and padded with silence: {listed}." if listed else sentence]


def _data(measured: list[Cell]) -> list[str]:
    """On which devices embeddings were timed, and which recordings were missing or unusable."""
    sentences = []
    devices = dict.fromkeys(device for cell in measured for device in cell.devices)
    if devices:
        sentences.append(f"clips/s: whole clips embedded a second, front end included, on {' and '.join(devices)}.")
    missing = {cell.task: cell.missing for cell in measured if cell.missing}
    if missing:
        listed = ", ".join(f"{count} of {task}" for task, count in missing.items())
        sentences.append(f"Recordings that were not there: {listed}. Figures on other clips are other figures.")
    skipped = max((cell.skipped for cell in measured), default=0)
    return [*sentences, f"{skipped} unusable recordings were left out."] if skipped else sentences


def _published(table: Table, measured: list[Cell]) -> list[str]:
    """Sources and faults of the published figures, and where a measured figure cannot be compared with them."""
    sentences = []
    reasons = dict.fromkeys(reason for cell in measured for reason in cell.hindrances)
    if reasons:
        sentences.append(f"Not comparable with the published figures, so without a difference: {'; '.join(reasons)}.")
    if any(cell.comparable for cell in measured):
        sentences.append("verdict: whether the published figure lies within the measured one's 95 % interval.")
    sentences += [
        f"{c.published.row}, {c.protocol}: {c.published.note}." for c in table.cells if c.published and c.published.note
    ]
    sentences += known_faults(table.facts.reproduces)
    papers = sorted({c.published.source for c in measured if c.published})
    others = [c.published for c in table.cells if c.published and c.mean is None and c.published.source not in papers]
    sources = sorted({f"{figure.row}: {figure.source}" for figure in others if not figure.harness})
    sources += sorted(
        {
            f"{figure.harness} ({figure.source}); another protocol, so not compared with what is measured here"
            for figure in others
            if figure.harness
        }
    )
    return [*sentences, *(f"Published: {source}." for source in [*papers, *sources])]


def _seeds(cells: list[Cell]) -> str:
    seeds = max((cell.seeds for cell in cells), default=1)
    return f", each fold the mean of {seeds} seeds" if seeds > 1 else ""
