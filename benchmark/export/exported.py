"""A model as its exports hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.jobs import embed
from benchmark.jobs.pack import Samples

if TYPE_CHECKING:
    from registry.net import Net


@dataclass(frozen=True)
class Exported:
    """A model that is ready to embed, and what is known of it.

    Args:
        name: of the entry.
        net: waveforms to embeddings, on the device; on the CPU and in eval mode where it is exported.
        config: names the encoder, the front end and the source of the weights, each with version and settings, and the
            window.
        samples: the type that recordings are stored as before they are embedded.
        digest: SHA-256 of all that determines its embeddings of a recording, the first 32 digits.
        pretraining: settings and record of the pretraining that made the weights, as plain data; None if there is none.
    """

    name: str
    net: "Net"
    config: embed.Config
    samples: Samples
    digest: str
    pretraining: Mapping[str, Any] | None
