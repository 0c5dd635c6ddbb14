"""A step of pretraining, all of it, beside the encoder's own work on ready spectrograms."""

from collections.abc import Iterator
from typing import Any

from tests.speed import Row, ratio
from tests.speed._steps import CNN10, RESNET18, bare_step, pretraining_step

_METHODS: dict[str, tuple[dict[str, Any], int, int]] = {  # by name: its settings, views with gradients, views without
    "simclr": ({"name": "simclr"}, 2, 0),
    "moco": ({"name": "moco", "norm_groups": 1}, 1, 1),
    "npid": ({"name": "npid"}, 1, 0),
}
_ENCODERS = {"resnet18": (RESNET18, 1.05), "cnn10, width 16": (CNN10, 1.2)}


def rows() -> Iterator[Row]:
    """Each method with a net of usual size, and with a narrow one."""
    for encoder, (net, goal) in _ENCODERS.items():
        for name, (method, views, keys) in _METHODS.items():
            yield ratio(
                f"{name} with {encoder}, a step of 64 windows of 1 s",
                pretraining_step(method, net),
                "forward, backward and AdamW on ready spectrograms",
                bare_step(net, views, keys),
                goal,
            )
