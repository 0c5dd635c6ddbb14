"""Finds the form of an export by its name, and writes a folder that is whole or not there."""

import importlib
import os
import shutil
from pathlib import Path
from typing import Protocol, cast

from benchmark.export import FormName
from benchmark.export.exported import Exported
from benchmark.store.files import move, sync, write_text
from registry.errors import Mistake

CARD = "README.md"


class Form(Protocol):
    """What every file of a form has. ``NEEDS`` is what a user installs to read the export, for the card."""

    NEEDS: str

    def write(self, model: Exported, folder: Path) -> None:
        """Writes the files of the form into a folder that is there and empty.

        Raises:
            Mistake: if the model cannot be exported in this form; nothing is written then.
        """

    def snippet(self, model: Exported) -> str:
        """Two or three lines of Python that load the export and embed ``wave`` into ``z``, and need ``NEEDS`` alone.

        They run with the export's folder as working directory. ``wave`` is a NumPy array ``[B, T]``, float32 in
        [-1, 1], at the model's rate and of any length; ``z`` is ``[B, D]``, an array or a tensor.
        """


def form_called(name: FormName) -> Form:
    """The form with a name: the module ``benchmark/export/NAME.py``."""
    return cast(Form, importlib.import_module(f".{name}", __package__))


def require_free(folder: Path) -> None:
    """Refuses a folder that is there and not empty, so that nothing is overwritten.

    The working folder is refused, too: an empty folder is replaced, and the user would stand in one that is gone.
    """
    if folder.exists() and folder.samefile(Path()):
        raise Mistake("this is the working folder, and an export makes its own", where=str(folder), fix="--to NAME")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Mistake("there is something in this place already", where=str(folder), fix="name a new folder: --to")


def publish(model: Exported, form: FormName, folder: Path, card: str) -> None:
    """Writes an export with its card: beside the folder first, so that it is whole or not there.

    Raises:
        Mistake: if the folder is not free, or the model cannot be exported in this form.
    """
    require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.parent / f".{folder.name}.{os.getpid()}"
    aside.mkdir()
    try:
        form_called(form).write(model, aside)
        write_text(aside / CARD, card)
        mode = (aside / CARD).stat().st_mode  # safetensors writes files that only their owner may read
        for path in aside.rglob("*"):
            if path.is_file():
                path.chmod(mode)
            sync(path)
        if folder.exists():
            folder.rmdir()
        move(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
