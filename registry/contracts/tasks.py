"""The checks of a task: on its clips, if its recordings are at hand, and on what it says about itself."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from registry import contracts
from registry.contracts import Broken, NotApplicable
from registry.targets import Target, find_target
from registry.tasks import Clip, Task, read_clip

_SHOWN, _READ = 5, 12


class Specimen(contracts.Specimen[Task]):
    """A task and its clips, if they can be listed."""

    task: Task
    listed: list[Clip] | None

    def prepare(self) -> None:
        self.task = self.choice.build()
        lacking = self.component.folders and self.beside.data is None
        self.listed = None if lacking else self.task.clips(self.beside.data)

    def clips(self) -> list[Clip]:
        """Every clip.

        Raises:
            NotApplicable: without recordings.
        """
        if self.listed is None:
            raise NotApplicable("its recordings are not at hand: add --data DIR")
        return self.listed


def says_its_licence(specimen: Specimen) -> str:
    """It says under which licence its recordings are given out."""
    licence = specimen.task.licence
    if licence.strip() in ("", "not stated"):
        raise Broken("a licence", repr(licence), 'licence = "CC BY 4.0", or "none given"')
    return licence


def names_its_classes(specimen: Specimen) -> str:
    """Its classes have names, each its own."""
    classes = specimen.task.classes
    if not classes:
        raise NotApplicable("it names none: labels are no classes, or its recordings tell them")
    repeated = [name for name, count in Counter(classes).items() if count > 1]
    if repeated:
        raise Broken("a name for each class", f"{_few(repeated)} more than once", "tell them apart in classes")
    if not all(isinstance(name, str) and name.strip() for name in classes):
        raise Broken("names of classes", "one that is empty", "give every class a word")
    return f"{len(classes)} classes"


def lists_the_same_twice(specimen: Specimen) -> str:
    """Its clips are the same, in the same order, when they are listed again."""
    clips = specimen.clips()
    again = specimen.choice.build().clips(specimen.beside.data)
    if again != clips:
        different = sum(one != other for one, other in zip(clips, again, strict=False)) + abs(len(clips) - len(again))
        fix = "sort what a folder or a set gives, and draw from a generator with a seed of the settings"
        raise Broken("equal lists", f"{different:,} differences", fix)
    return f"{len(clips):,} clips"


def names_each_clip_once(specimen: Specimen) -> str:
    """Every clip has a name of its own."""
    clips = specimen.clips()
    repeated = [name for name, count in Counter(clip.id for clip in clips).items() if count > 1]
    if repeated:
        raise Broken("names that are unique", f"{_few(repeated)} more than once", "take the path below the folder")
    return f"{len(clips):,} names"


def labels_are_its_targets(specimen: Specimen) -> str:
    """Labels are what its target takes: indices into its classes, or tuples of them in order, or finite numbers."""
    clips, task = specimen.clips(), specimen.task
    target, classes = find_target(task.target), len(task.classes)
    wrong = [clip.id for clip in clips if not _is_label(clip.label, target, classes)]
    if wrong:
        indices = f", as indices from 0 to {classes - 1}" if classes else ""
        fix = "label = self.classes.index(name), or name another target"
        raise Broken(f"{target.holds}{indices}", f"something else of {_few(wrong)}", fix)
    return f"{len(clips):,} labels, {target.holds}"


def every_fold_is_tested(specimen: Specimen) -> str:
    """Every fold that it names has clips to test, and leaves others to train on."""
    clips, folds = specimen.clips(), specimen.task.folds
    if not folds:
        raise NotApplicable("it is a corpus alone: nothing is tested on it")
    count = Counter(clip.fold for clip in clips)
    empty = [fold for fold in folds if not count[fold]]
    if empty:
        raise Broken(
            f"clips of the folds {_few(folds)}", f"none of {_few(empty)}", "name in folds those that there are"
        )
    if len(count) < 2:
        raise Broken("clips of another fold", "none to train on", "give what only trains fold 0")
    return ", ".join(f"fold {fold}: {count[fold]:,}" for fold in folds)


def sources_stay_within_folds(specimen: Specimen) -> str:
    """Clips of one source lie in one fold, but for as many sources as are known to span folds."""
    folds_of = defaultdict(set)
    for clip in specimen.clips():
        folds_of[clip.source].add(clip.fold)
    spanning, known = [source for source, folds in folds_of.items() if len(folds) > 1], specimen.task.spanning
    if len(spanning) > known:
        expected = f"{known or 'no'} sources in several folds"
        fix = "make folds of whole sources; of official folds that part some, set spanning to their number"
        raise Broken(expected, f"{len(spanning):,}: {_few(spanning)}", fix)
    return f"{len(folds_of):,} sources" + (f", {len(spanning)} of them in several folds" if spanning else "")


def tells_sources_by_name(specimen: Specimen) -> str:
    """What ``source_of`` tells by a clip's name is the clip's source."""
    told = {clip: specimen.component.source_of(clip.id) for clip in specimen.clips()}
    wrong = [clip.id for clip, source in told.items() if source not in (None, clip.source)]
    if wrong:
        raise Broken("the sources that clips have", f"others of {_few(wrong)}", "let clips() call source_of")
    known = sum(source is not None for source in told.values())
    if not known:
        raise NotApplicable("names do not tell")
    return f"{known:,} sources"


def counts_are_official(specimen: Specimen) -> str:
    """It lists as many clips of each fold and class as it says there are officially."""
    clips, task = specimen.clips(), specimen.task
    if not task.counts:
        raise NotApplicable("it states none")
    listed = {}
    for fold in task.folds:
        here = [clip for clip in clips if clip.fold == fold]
        by_class = Counter(name for clip in here for name in task.labels(clip))
        whole = len(task.counts[fold]) == 1
        listed[fold] = (len(here),) if whole else tuple(by_class[name] for name in task.classes)
    differing = {fold: (counts, task.counts[fold]) for fold, counts in listed.items() if counts != task.counts[fold]}
    wrong = [f"fold {fold}: {counts} for {official}" for fold, (counts, official) in differing.items()]
    if wrong:
        raise Broken("the counts that it states", "; ".join(wrong[:_SHOWN]), "audiobench data verify names them all")
    return f"{len(clips):,} clips"


def reads_its_clips(specimen: Specimen) -> str:
    """A clip is read as finite samples ``[T]`` in float32 and their rate in Hz, the same twice."""
    clips, task = specimen.clips(), specimen.task
    chosen = clips[:: max(len(clips) // _READ, 1)]
    for clip in chosen:
        first, second = read_clip(task, clip), read_clip(task, clip)
        if isinstance(first, str) or isinstance(second, str):
            raise Broken(
                "samples", f"{clip.id} {first if isinstance(first, str) else second}", "mend read, or the file"
            )
        (wave_T, rate), (again_T, _) = first, second
        if wave_T.dtype != np.float32 or wave_T.ndim != 1 or type(rate) is not int or rate < 1:
            given = f"{wave_T.dtype} {list(wave_T.shape)} at {rate!r} Hz of {clip.id}"
            raise Broken("float32 [T], and a whole number of Hz", given, "average channels, and end with astype")
        if not np.array_equal(wave_T, again_T):
            raise Broken("equal samples", f"others of {clip.id}", "seed what is drawn by the clip's name")
    return f"{len(chosen)} of {len(clips):,} clips"


def _is_label(label: Any, target: Target, classes: int) -> bool:
    if target.by_class:
        return isinstance(label, int) and -1 <= label < classes
    if isinstance(label, tuple):
        return list(label) == sorted({*label} & set(range(classes)))
    try:
        return bool(np.isfinite(target.array([label], classes)).all())
    except (ValueError, TypeError, IndexError):
        return False


def _few(names: "list[str] | list[int] | tuple[int, ...]") -> str:
    return ", ".join(map(str, names[:_SHOWN])) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
