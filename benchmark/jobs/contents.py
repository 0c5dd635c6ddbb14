"""What a pack holds, or will hold: lengths, labels, folds and sources, without a sample of sound. No torch here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from registry.targets import find_target
from registry.windows import Window

if TYPE_CHECKING:
    from benchmark.jobs.pack import PackJob
    from benchmark.store.store import Store
    from registry.protocols import Labels
    from registry.tasks import Clip, Task

SAMPLE_BYTES = {"int16": 2, "float32": 4}


@dataclass(frozen=True)
class Contents:
    """The clips of a data set at a rate.

    Args:
        sample_rate: Hz.
        sample_bytes: of a sample.
        samples_N: length of each clip.
        label_N: in the form that the target's ``array`` gives.
        fold_N: official fold of each clip.
        sources: the recording that each clip was cut from.
        names: what is equal where two data sets hold the same clip: a hash of its samples, or its file.
        classes: how many.
        target: its name.
    """

    sample_rate: int
    sample_bytes: int
    samples_N: NDArray[np.int64]
    label_N: NDArray[Any]
    fold_N: NDArray[np.int64]
    sources: NDArray[Any]
    names: NDArray[Any]
    classes: int
    target: str

    def __len__(self) -> int:
        return len(self.samples_N)

    def only(self, clips: NDArray[Any]) -> "Contents":
        """Some of these clips, by their indices or by a mask."""
        columns = ("samples_N", "label_N", "fold_N", "sources", "names")
        return replace(self, **{name: getattr(self, name)[clips] for name in columns})

    def some(self, count: int) -> "Contents":
        """At most ``count`` of these clips, spread evenly over each fold."""
        if count >= len(self):
            return self
        places = ((np.arange(count) + 0.5) * len(self) / count).astype(np.int64)
        return self.only(np.sort(np.argsort(self.fold_N, kind="stable")[places]))

    def silent(self) -> "Contents":
        """These clips with a single sample each, for work that does not hear them."""
        return replace(self, samples_N=np.ones(len(self), np.int64))

    def windows(self, window: Window) -> int:
        """How many windows the clips are cut into; of whole clips, how many there are."""
        if window == "whole":
            return len(self)
        beyond_N = np.maximum(self.samples_N - window, 0)
        return int((-(-beyond_N // max(window // 2, 1)) + 1).sum())

    def amount(self, window: Window) -> float:
        """What embedding is paid by: windows, or seconds of sound where clips are whole."""
        return self.seconds if window == "whole" else float(self.windows(window))

    @property
    def seconds(self) -> float:
        """Of sound, in all clips."""
        return float(self.samples_N.sum()) / self.sample_rate

    def labels(self) -> "Labels":
        """As protocols see them."""
        import torch

        from registry.protocols import Labels

        target = find_target(self.target)
        _, source_N = np.unique(self.sources.astype(str), return_inverse=True)
        return Labels(
            target.tensor(self.label_N), torch.tensor(self.fold_N), torch.tensor(source_N), self.classes, target
        )

    @property
    def bytes(self) -> int:
        """Of all samples."""
        return int(self.samples_N.sum()) * self.sample_bytes

    def without(self, tested: Sequence[int], excluded: Sequence[tuple["Contents", bool]]) -> "Contents":
        """The clips that a pretraining uses: see ``benchmark.jobs.corpus.usable_clips``.

        Args:
            tested: the folds that the task tests; they are left out unless that leaves nothing.
            excluded: data sets whose clips are left out, each with whether all clips of its sources are.
        """
        left_N = ~np.isin(self.fold_N, tested)
        left_N |= not left_N.any()
        for other, by_source in excluded:
            left_N &= ~np.isin(self.names, other.names)
            if by_source:
                left_N &= ~np.isin(self.sources, other.sources)
        return self.only(left_N)


def packed(job: "PackJob", store: "Store") -> Contents:
    """The contents of a finished pack."""
    import pandas as pd

    from benchmark.jobs.pack import PackJob

    record = store.result(PackJob, job.key)
    with store.opened("pack", job.key, "clips.parquet", large=False) as path:
        table = pd.read_parquet(path)
    return Contents(
        record.sample_rate,
        SAMPLE_BYTES[record.samples],
        table["samples"].to_numpy(np.int64),
        find_target(record.target).array(table["label"].to_list(), len(record.classes)),
        table["fold"].to_numpy(np.int64),
        table["source"].to_numpy(object),
        table["hash"].to_numpy(object),
        len(record.classes),
        record.target,
    )


def listed(job: "PackJob", task: "Task", clips: Sequence["Clip"], decoded: Mapping[str, int]) -> Contents:
    """The contents of a pack that is not made yet.

    Args:
        job: that makes it.
        task: of the job.
        clips: of the task.
        decoded: the samples of some of the clips, by id; the others' follow from the sizes of their files.
    """
    size_N = np.array([clip.size for clip in clips], np.float64)
    known_N = np.array([decoded.get(clip.id, -1) for clip in clips])
    sample = known_N >= 0
    whole = known_N[sample].sum()
    if size_N[sample].sum() > 0 and all(clip.path for clip in clips):
        guess_N = size_N * (whole / size_N[sample].sum())
    else:
        guess_N = np.full(len(clips), whole / sample.sum())
    return Contents(
        job.config.sample_rate,
        SAMPLE_BYTES[job.config.samples],
        np.where(sample, known_N, np.maximum(np.round(guess_N), 1)).astype(np.int64),
        find_target(task.target).array([clip.label for clip in clips], len(task.classes)),
        np.array([clip.fold for clip in clips], np.int64),
        np.array([clip.source for clip in clips], object),
        np.array([str(clip.path or clip.id) for clip in clips], object),
        len(task.classes),
        task.target,
    )
