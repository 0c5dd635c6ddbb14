"""What torchrun tells each process that it starts: its place among them. Nothing here imports torch."""

import os


def world() -> int:
    """How many processes it started for one job, on all machines; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """The place of this process among all, from 0 on."""
    return int(os.environ.get("RANK", "0"))


def rank_here() -> int:
    """The place of this process among those of its machine, from 0 on."""
    return int(os.environ.get("LOCAL_RANK", "0"))
