"""MoCo's batch statistics by group, beside those of the whole batch."""

from collections.abc import Iterator

from tests.speed import Row, ratio
from tests.speed._steps import CNN10, RESNET18, pretraining_step


def rows() -> Iterator[Row]:
    """A step of MoCo in eight groups, the default."""
    for encoder, net in {"resnet18": RESNET18, "cnn10, width 16": CNN10}.items():
        yield ratio(
            f"moco with {encoder}, norm_groups: 8",
            pretraining_step({"name": "moco", "norm_groups": 8}, net),
            "norm_groups: 1",
            pretraining_step({"name": "moco", "norm_groups": 1}, net),
            1.05,
        )
