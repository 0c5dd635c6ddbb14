"""Files that are copied beside an exported model. They import nothing of audiobench."""

from pathlib import Path


def path(name: str) -> Path:
    """The path of one of them, by its name here."""
    return Path(__file__).with_name(f"{name}.py")
