"""What a listing needs to know of files."""

import os
from pathlib import Path


def sizes(folder: Path) -> dict[str, int]:
    """Bytes by file name, sorted by name; hidden files and folders are left out, and a missing folder is empty."""
    if not folder.is_dir():
        return {}
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    return {entry.name: entry.stat().st_size for entry in entries if entry.is_file() and entry.name[0] != "."}
