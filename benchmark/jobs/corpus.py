"""Chooses the clips of a corpus that pretraining may use: none that its own task tests, none of excluded data sets."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.jobs.pack import PackJob, opened_pack
from benchmark.jobs.packing import Pack
from benchmark.jobs.workplace import Workplace
from benchmark.store.columns import column_of
from registry.errors import Mistake
from registry.metrics import Judge
from registry.tasks import Task

if TYPE_CHECKING:
    from pyarrow import StringArray

_SHOWN = 5


@dataclass(frozen=True)
class DataSet:
    """A task and its pack."""

    name: str
    task: Task
    pack: Pack


@dataclass(frozen=True)
class Usable:
    """The clips of a corpus that pretraining uses.

    Args:
        clips: ``[M]`` their indices in the pack.
        excluded: for each reason, how many clips are left out; a clip counts once, for the first reason.
    """

    clips: NDArray[np.int64]
    excluded: dict[str, int]


def data_set_of(pack: str, at: Workplace) -> DataSet:
    """The task and the pack with a key."""
    job = at.jobs[pack]
    assert isinstance(job, PackJob)
    return DataSet(job.config.task.name, job.config.task.build(), opened_pack(pack, at))


def corpus_of(pack: str, exclude: Sequence[str], at: Workplace) -> tuple[DataSet, Usable]:
    """A corpus, and its clips that pretraining uses.

    Args:
        pack: key of its pack.
        exclude: keys of the packs whose recordings are left out.
        at: where the packs are.
    """
    corpus = data_set_of(pack, at)
    return corpus, usable_clips(corpus, [data_set_of(key, at) for key in exclude])


def usable_clips(corpus: DataSet, exclude: Sequence[DataSet]) -> Usable:
    """Leaves out clips that are tested: those of the corpus's test folds, and those of the excluded data sets.

    If all clips of the corpus are tested by turns, or none, its own folds leave out nothing.

    Raises:
        Mistake: if no clip is left.
    """
    tested_N = np.isin(corpus.pack.folds, corpus.task.folds)
    left_out = [("tested", tested_N)] if not tested_N.all() else []
    left_out += [(f"in {other.name}", held_by(other, range(len(other.pack.ids)), corpus)) for other in exclude]
    free_N = np.ones(len(corpus.pack.ids), bool)
    excluded: Counter[str] = Counter()
    for why, out_N in left_out:
        excluded[why] += int((free_N & out_N).sum())
        free_N &= ~out_N
    if not free_N.any():
        shares = ", ".join(f"{count} {why}" for why, count in excluded.items())
        raise Mistake(
            f"no clip of the corpus {corpus.name} is left to pretrain on: {shares}",
            fix="exclude fewer data sets, or choose another corpus",
        )
    return Usable(np.flatnonzero(free_N), {why: count for why, count in excluded.items() if count})


def held_by(holder: DataSet, clips: Sequence[int] | NDArray[np.int64], data_set: DataSet) -> NDArray[np.bool_]:
    """Which clips ``[N]`` of a data set are also among some clips of another.

    Two clips are the same if their contents are equal, or if they are cut from one Freesound recording, where both data
    sets name recordings by Freesound's ids.
    """
    among = column_of(np.asarray(clips, np.int64))
    held_N = _is_in(data_set.pack.hashes(), holder.pack.hashes().take(among))
    if holder.task.freesound and data_set.task.freesound:
        held_N |= _is_in(data_set.pack.sources, holder.pack.sources.take(among))
    return held_N


def _is_in(texts_N: "StringArray", some: "StringArray") -> NDArray[np.bool_]:
    """Which of the texts are among some texts."""
    from pyarrow.compute import is_in

    return np.array(is_in(texts_N, value_set=some).to_pylist(), bool)


def require_clips(pack: Pack, folds: Collection[int]) -> None:
    """Refuses a fold that has no clips to test, or leaves no clips to train.

    Raises:
        Mistake: with the recordings that were left out of the pack.
    """
    for fold in folds:
        tested = int((pack.folds == fold).sum())
        if tested in (0, len(pack.folds)):
            lack = f"to train on when fold {fold} is tested" if tested else f"of fold {fold} to test on"
            why = f": {len(pack.skipped):,} recordings could not be used" if pack.skipped else ""
            skipped = ", ".join(pack.skipped[:_SHOWN]) + ", ..." * (len(pack.skipped) > _SHOWN)
            raise Mistake(
                f"no clip is left {lack}{why}",
                where=skipped,
                fix="replace these files, or leave the fold out" if skipped else "leave the fold out",
            )


def require_judgement(judge: Judge, pack: Pack, folds: Collection[int]) -> None:
    """Refuses a fold whose clips allow no figure, with any predictions.

    Raises:
        Mistake: with the reason.
    """
    for fold in folds:
        why = judge.undefined(pack.labels[pack.folds == fold])
        if why:
            raise Mistake(f"{judge.chief.name} is not defined for fold {fold}: {why}", fix="test on more recordings")
