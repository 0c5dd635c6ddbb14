"""Embeddings in the plane: clips that are near each other sound alike to the encoder."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from benchmark.jobs.embed import EmbedJob
from benchmark.jobs.pack import PackJob
from benchmark.store.files import replace_file
from leaderboard.answers import predictions
from leaderboard.figures import embedding_map
from leaderboard.page.content import EmbeddingMap, Item, Point, Prose, Section
from leaderboard.report.evidence import Evidence, name_of
from registry.errors import Damaged, Mistake
from registry.lookup import nearest

if TYPE_CHECKING:
    from pandas import DataFrame


def section(evidence: Evidence, mapped: Sequence[str]) -> Section:
    """A map for every task and each entry of ``mapped``; by default, of the best entry and its control.

    Raises:
        Mistake: if an entry is not in the suite.
    """
    known = list(evidence.table.facts.entries)
    for entry in mapped:
        if entry not in known:
            raise Mistake(f"the suite has no entry {entry!r} to map", fix=nearest(entry, known))
    items: list[Item] = []
    lacking: list[str] = []
    for task in evidence.tasks:
        for protocol, entry in _chosen(evidence, task, mapped):
            drawn = _map(evidence, entry, task, protocol)
            items += drawn
            lacking += [] if drawn else [f"{entry} on {task}"]
    if lacking:
        items.append(Prose([f"Not drawn, because its embeddings or its pack are not at hand: {', '.join(lacking)}."]))
    intro = [
        "t-SNE of embeddings, normalised, at most 2,000 clips. Distances between far groups mean nothing; which clips"
        " are neighbours does. Predictions are those of the protocol named, each clip's from the fold that tested it."
    ]
    return Section("maps", "Maps", intro, items)


def _chosen(evidence: Evidence, task: str, mapped: Sequence[str]) -> list[tuple[str, str]]:
    """Protocol and entry of each map of a task: of the first protocol on embeddings, where clips have one label."""
    facts = evidence.table.facts
    for protocol in sorted(facts.protocols, key=lambda name: facts.protocols[name].shots is not None):  # all, then few
        cells = {
            cell.entry: cell
            for cell in evidence.cells(task, protocol)
            if evidence.table.measured[cell.entry, task, protocol].target.by_class
            and evidence.needed(evidence.rows(cell.entry, task, protocol), EmbedJob)
        }
        if cells:
            best = max(cells, key=lambda entry: cells[entry].metric.sign * (cells[entry].mean or 0))
            wanted = mapped or [best, facts.control_of(best)]
            return [(protocol, entry) for entry in dict.fromkeys(wanted) if entry in cells]
    return []


def _map(evidence: Evidence, entry: str, task: str, protocol: str) -> list[Item]:
    rows = evidence.rows(entry, task, protocol)
    embed, pack = evidence.needed(rows, EmbedJob)[0], evidence.plan.pack_of(rows[0])
    measured = evidence.table.measured[entry, task, protocol]
    classes = measured.classes
    guess = {
        clip: int(predicted)
        for key in reversed(measured.keys)  # the first of several seeds comes last, and stays
        for of_fold in predictions(evidence.store, key, measured.epochs, measured.target, len(classes)).values()
        for clip, predicted in zip(of_fold.clip_N, of_fold.predicted_N, strict=True)
    }
    try:
        clips = _clips(evidence, pack)
        tested = np.flatnonzero(clips["id"].isin(list(guess)).to_numpy())
        point_N2, at = _projected(evidence, embed, tested)
    except Damaged:  # or not there; the store remembers what is damaged
        return []
    ids, labels = clips["id"].to_numpy()[at], clips["label"].to_numpy()[at]
    guesses = [guess[clip] for clip in ids]
    audio = _audio(evidence, pack)
    points = [
        Point(float(x), float(y), clip, classes[label], classes[predicted], audio.get(clip, ""))
        for (x, y), clip, label, predicted in zip(point_N2, ids, labels, guesses, strict=True)
    ]
    title, name = f"{entry} on {task}, {protocol}", name_of("map", entry, task)
    plot = embedding_map.draw(point_N2, labels.tolist(), guesses, classes)
    alt = embedding_map.alt(labels.tolist(), guesses, classes)
    return [
        EmbeddingMap(name, title, classes, points, "" if audio else "Recordings are not at hand to be played."),
        evidence.picture(f"{name}-figure", f"{title}: true and predicted class", plot, alt),
    ]


def _clips(evidence: Evidence, pack: PackJob) -> "DataFrame":
    """Id and label of every clip of a pack."""
    import pandas as pd

    with evidence.store.opened("pack", pack.key, "clips.parquet", large=False) as path:
        return pd.read_parquet(path, columns=["id", "label"])


def _projected(
    evidence: Evidence, embed: EmbedJob, tested: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points of tested clips, and the indices of these clips; kept beside the records, because t-SNE is slow."""
    path = evidence.store.root / "maps" / f"{embed.key}-{len(tested)}.npz"
    try:
        with np.load(path) as kept:
            return kept["points"], tested[kept["chosen"]]
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile):
        """Not there, or damaged: made anew."""
    from torch.nn.functional import normalize

    from benchmark.jobs.embedding import load_embeddings

    with evidence.store.opened("embed", embed.key, "embeddings.safetensors") as stored:
        made = load_embeddings(stored)
    unit_ND = normalize(made.mean(int(made.clip_W.max()) + 1), dim=1).numpy()
    points_N2, chosen = embedding_map.project(unit_ND[tested], seed=0)

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            np.savez(file, points=points_N2, chosen=chosen)

    with suppress(OSError):  # the records' folder may be read-only
        replace_file(path, write)
    return points_N2, tested[chosen]


def _audio(evidence: Evidence, pack: PackJob) -> dict[str, str]:
    """By clip, the link from the page to its recording; nothing where the data are not at hand."""
    if evidence.data is None:
        return {}
    try:
        clips = pack.config.task.build().clips(evidence.data)
    except Mistake:
        return {}
    here = evidence.beside.resolve()
    return {clip.id: _link(clip.path.resolve(), here) for clip in clips if clip.path}


def _link(path: Path, here: Path) -> str:
    """A link from a page in the folder ``here`` to a file; a full one if they are on different drives of Windows."""
    try:
        return quote(Path(os.path.relpath(path, here)).as_posix())
    except ValueError:
        return path.as_uri()
