"""Sources of weights: where the weights of an encoder come from. torch is loaded only together with weights."""

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

    A suite names a source by a word, ``weights: random``, or by a mapping, ``weights: {checkpoint: net.pth}``. In the
    mapping the source's name is a key; its value is the setting that ``value`` names. Other keys are other settings.
    ``untrained`` says that the weights learned nothing: training from them sets the mark that convergence is measured
    against.
    """

    value: ClassVar[str] = ""
    untrained: ClassVar[bool] = False

    def __init__(self, config: Own) -> None:
        self.config = config

    def file(self, encoder: "Choice[Encoder]") -> str:
        """The file of an encoder's weights, as the suite names it; empty where they need no file."""
        return ""

    def stated(self, encoder: "Choice[Encoder]", seed: int) -> dict[str, Any]:
        """What names the weights in job keys, beside the source's name and the SHA-256 of their file.

        Args:
            encoder: gets the weights.
            seed: of the entry.
        """
        return {}

    @classmethod
    def load(cls, encoder: "Encoder", frontend: "Frontend", stated: Mapping[str, Any], path: Path | None) -> list[str]:
        """Puts the weights into an encoder and its front end.

        Args:
            encoder: freshly made after a seed; it may be on the device ``meta``.
            frontend: feeds the encoder; if it learns, a file of weights contains its weights, too.
            stated: what ``stated`` returned.
            path: of the file of the weights, where there is one.

        Returns:
            Notes on how the file was opened.

        Raises:
            Mistake: if the file contains no weights, weights of another architecture, or values that no training
                produces.
        """
        raise NotImplementedError

    @classmethod
    def fetched(cls, stated: Mapping[str, Any]) -> Path | None:
        """The file that was downloaded for weights without a path, once they were loaded; records state its digest."""
        return None
