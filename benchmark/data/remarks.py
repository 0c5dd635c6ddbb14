"""Remarks about a data set that can be used but looks odd. They are printed before the work, and kept in the record."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from registry.tasks import Clip, Task, told_unused

_SHOWN = 5


def remarks(task: Task, clips: Sequence[Clip]) -> tuple[str, ...]:
    """Sentences about files that are not used, and about classes and folds that cannot be both trained and tested.

    Args:
        task: of the clips.
        clips: all that are used.
    """
    folds_of: dict[str, set[int]] = defaultdict(set)
    for clip in clips:
        for name in task.labels(clip):
            folds_of[name].add(clip.fold)
    sentences = [told_unused(task.unused)]
    tested = set(task.folds)
    if tested and folds_of:
        sentences.append(_few_classes(task, folds_of))
        sentences.append(_lost("has no clip", [name for name in task.classes if name not in folds_of]))
        alone = [name for name, folds in folds_of.items() if len(folds) == 1]
        sentences.append(_lost("lies in one fold alone, so is not both trained and tested", alone))
    numbers = {clip.label for clip in clips if isinstance(clip.label, float)}
    if len(numbers) == 1:
        sentences.append(f"every clip has the number {numbers.pop():g}: there is nothing to predict")
    of_fold = Counter(clip.fold for clip in clips)
    sentences += [f"fold {fold} has no clip to test" for fold in sorted(tested) if not of_fold[fold]]
    if len(tested) > 1:
        sentences += [
            f"fold {fold} is never tested: its {count:,} clips only train"
            for fold, count in sorted(of_fold.items())
            if fold not in tested
        ]
    return tuple(filter(None, sentences))


def _few_classes(task: Task, folds_of: dict[str, set[int]]) -> str:
    if len(folds_of) > 1:
        return ""
    return f"every clip is of one class, {next(iter(folds_of))}: there is nothing to tell apart"


def _lost(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    which = f"the class {shown}" if len(names) == 1 else f"each of {len(names)} classes ({shown})"
    return f"{which} {what}" if names else ""
