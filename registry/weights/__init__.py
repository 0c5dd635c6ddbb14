"""Weights: where those of an encoder come from. No torch is loaded before they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from registry.settings import Component, Own

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.frontends import Frontend
    from registry.lookup import Choice


class Weights(Component[Own]):
    """Contract of a source of weights.

    A suite names a source by a word, ``weights: random``, or by a mapping, ``weights: {checkpoint: net.pth}``: the
    source's name is a key, whose value is the setting that ``value`` names; other keys are its other settings.
    ``untrained`` says that nothing was learned: such entries set the mark that others are measured against.
    """

    value: ClassVar[str] = ""
    untrained: ClassVar[bool] = False

    def __init__(self, config: Own) -> None:
        self.config = config

    def file(self) -> str:
        """The file that they are in, as the suite names it; empty where they need none."""
        return ""

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        """What names them in job keys, beside the source's name and the SHA-256 of their file.

        Args:
            encoder: whose they are.
            seed: of the entry.
        """
        return {}

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        """Puts the weights in.

        Args:
            encoder: freshly made after a seed; it may be on the device ``meta``.
            frontend: what the encoder is fed with; if it learns, a file of weights holds its own too.
            stated: what ``stated`` gave.
            path: of their file, where they have one.

        Returns:
            What was done to open the file, in words.

        Raises:
            Mistake: if the file holds none, those of another architecture, or values that no training leaves.
        """
        raise NotImplementedError

    @classmethod
    def fetched(cls, stated: Mapping[str, Any]) -> Path | None:
        """The file that weights without one of their own came from, once they were loaded; records tell its digest."""
        return None
