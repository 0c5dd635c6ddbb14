"""Seeds that depend only on a place in the computation, so that a resumed run draws the same as an unbroken one."""

import hashlib

import torch


def seed_for(seed: int, *place: str | int) -> int:
    """A 63-bit seed for a place in a computation, such as ``seed_for(0, "step", 17)``."""
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seed_everything(seed: int, *place: str | int) -> None:
    """Seeds torch's generators, on every device, for a place in a computation."""
    torch.manual_seed(seed_for(seed, *place))


def generator_for(seed: int, *place: str | int) -> torch.Generator:
    """A new CPU generator, seeded for a place in a computation."""
    return torch.Generator().manual_seed(seed_for(seed, *place))
