"""What is odd about a data set though it can be used: told before the work, and kept in the record."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from registry.tasks import Clip, Task, told_unused

_SHOWN = 5


def remarks(task: Task, clips: Sequence[Clip]) -> tuple[str, ...]:
    """Files that are not used, classes and folds that cannot say anything, as sentences.

    Args:
        task: whose clips they are.
        clips: all that are used.
    """
    folds_of: dict[str, set[int]] = defaultdict(set)
    for clip in clips:
        for name in task.labels(clip):
            folds_of[name].add(clip.fold)
    found = [told_unused(task.unused)]
    tested = set(task.folds)
    if tested and folds_of:
        found.append(_few_classes(task, folds_of))
        found.append(_lost("has no clip", [name for name in task.classes if name not in folds_of]))
        alone = [name for name, folds in folds_of.items() if len(folds) == 1]
        found.append(_lost("lies in one fold alone, so is not both trained and tested", alone))
    numbers = {clip.label for clip in clips if isinstance(clip.label, float)}
    if len(numbers) == 1:
        found.append(f"every clip has the number {numbers.pop():g}: there is nothing to predict")
    of_fold = Counter(clip.fold for clip in clips)
    found += [f"fold {fold} has no clip to test" for fold in sorted(tested) if not of_fold[fold]]
    if len(tested) > 1:
        found += [
            f"fold {fold} is never tested: its {count:,} clips only train"
            for fold, count in sorted(of_fold.items())
            if fold not in tested
        ]
    return tuple(filter(None, found))


def _few_classes(task: Task, folds_of: dict[str, set[int]]) -> str:
    if len(folds_of) > 1:
        return ""
    return f"every clip is of one class, {next(iter(folds_of))}: there is nothing to tell apart"


def _lost(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    which = f"the class {shown}" if len(names) == 1 else f"each of {len(names)} classes ({shown})"
    return f"{which} {what}" if names else ""
