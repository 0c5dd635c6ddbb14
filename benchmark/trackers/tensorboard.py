"""TensorBoard: event files, a folder for each job."""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.trackers import Ending, Scalars, Tracked, Tracker

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

_LENGTH = 100  # of a title in a folder's name


class TensorBoard(Tracker):
    """Event files in ``FOLDER/TITLE KEY``, with the title and settings of the job as text.

    The first step that comes is given as ``purge_step``: TensorBoard leaves out what earlier files of the folder have
    of this step and later ones. A job without steps has no folder.
    """

    package = "tensorboard"

    def begin(self, job: Tracked) -> None:
        self._job, self._step = job, 0
        self._writer: SummaryWriter | None = None
        if not isinstance(threading.excepthook, _Quiet):
            threading.excepthook = _Quiet(threading.excepthook)

    def scalars(self, step: int, values: Scalars) -> None:
        self._step, writer = step, self._writer or self._open(step)
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    def end(self, ending: Ending, figures: Scalars) -> None:
        if self._writer:
            for name, figure in figures.items():
                self._writer.add_scalar(f"final/{name}", figure, self._step)
            self._writer.close()

    def _open(self, step: int) -> "SummaryWriter":
        from torch.utils.tensorboard import SummaryWriter

        folder = self._folder
        known = folder.exists()
        self._writer = writer = SummaryWriter(str(folder), purge_step=step)
        if not known:
            settings = json.dumps(self._job.config, indent=1)
            lines = "\n".join(f"    {line}" for line in settings.splitlines())  # which Markdown shows as they are
            writer.add_text("job", f"{self._job.title} ({self._job.suite}, key {self._job.key})\n\n{lines}", 0)
        return writer

    @property
    def _folder(self) -> Path:
        title = re.sub(r"[^\w .,=+@-]", "_", self._job.title)[:_LENGTH]
        return self.folder / f"{title} {self._job.key[:12]}"


class _Quiet:
    """Keeps the traceback of TensorBoard's thread from the terminal: what failed there, the next call raises, too."""

    def __init__(self, before: Callable[[threading.ExceptHookArgs], object]) -> None:
        self.before = before

    def __call__(self, failed: threading.ExceptHookArgs) -> None:
        if type(failed.thread).__module__.split(".")[0] != "tensorboard":
            self.before(failed)
