"""What a component stands in, and what it objects to there: found out from settings alone, before any work."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from registry.errors import Mistake

if TYPE_CHECKING:
    from registry.targets import Target


@dataclass(frozen=True)
class Standing:
    """What is known of the place where a component is to work; None of what is not known, or does not matter to it.

    Args:
        gives: what the front end gives.
        batch: clips a step.
        chunk: most clips at once through the encoder, where gradients are cached.
        clips: how many there are to train on, at most: of a corpus, or of a task but its smallest fold to test.
        classes: of the labels; 0 where there are none.
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
    """What speaks against a component where it stands.

    Args:
        key: the setting that it is about: of the component, or of the training (``batch_size``, ``chunk``).
        what: what is wrong, with the values.
        fix: what to do.
    """

    key: str
    what: str
    fix: str


def refuse(objections: Iterable[Objection], where: str) -> None:
    """Raises the first of some objections as a Mistake; ``where`` names the component."""
    for objection in objections:
        raise Mistake(objection.what, where=where, fix=objection.fix)
