"""The standing of a component: the place where it is to work, and its objections to this place, before any work."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from registry.errors import Mistake

if TYPE_CHECKING:
    from registry.targets import Target


@dataclass(frozen=True)
class Standing:
    """What is known of the place where a component is to work. None stands for what is unknown or does not matter.

    Args:
        gives: the kind of the front end's output.
        batch: clips in a step.
        chunk: most clips in the encoder at once, where gradients are cached.
        clips: how many clips can train at most: those of a corpus, or of a task when its smallest fold is tested.
        classes: how many classes the labels have; 0 where there are no labels.
        target: what is predicted of a clip.
    """

    gives: Literal["spectrogram", "waveform"] | None = None
    batch: int | None = None
    chunk: int | None = None
    clips: int | None = None
    classes: int | None = None
    target: "Target | None" = None


@dataclass(frozen=True)
class Objection:
    """A reason why a component cannot work in its place.

    Args:
        key: the setting that is wrong: of the component, or of the training (``batch_size``, ``chunk``).
        what: what is wrong, with the values.
        fix: what to do.
    """

    key: str
    what: str
    fix: str


def refuse(objections: Iterable[Objection], where: str) -> None:
    """Raises the first objection, if there is one, as a Mistake; ``where`` names the component."""
    for objection in objections:
        raise Mistake(objection.what, where=where, fix=objection.fix)
