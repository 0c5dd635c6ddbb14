"""Weights & Biases: a run for each job, through its client."""

import os
from typing import TYPE_CHECKING

from benchmark.trackers import Ending, Scalars, Tracked, Tracker

if TYPE_CHECKING:
    from wandb import Run

_PROJECT = "audiobench"
_TAG_LENGTH = 64  # the longest that the server takes
_STATUS = {"done": 0, "failed": 1, "interrupted": 130}


class Wandb(Tracker):
    """A run with the job's key as its id, the settings as its configuration, and the suite as its group.

    The client's own variables say where and how: ``WANDB_MODE``, ``WANDB_PROJECT``, ``WANDB_DIR`` and the others. A job
    that goes on, or is made anew, goes on with its run, and steps that the run has are not logged again.
    """

    package = "wandb"

    def begin(self, job: Tracked) -> None:
        import wandb

        place = os.environ.get("WANDB_DIR")
        if not place:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._run: Run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _PROJECT,
            dir=place or self.folder,
            id=job.key,
            resume="allow",
            name=job.title,
            group=job.suite,
            job_type=job.kind,
            tags=[text[:_TAG_LENGTH] for text in (job.suite, job.key)],
            config=dict(job.config),
            settings=wandb.Settings(console="off", silent=True),  # the terminal is the progress bar's
        )

    def scalars(self, step: int, values: Scalars) -> None:
        if step >= self._run.step:
            self._run.log(dict(values), step=step)

    def end(self, ending: Ending, figures: Scalars) -> None:
        self._run.summary.update({f"final/{name}": figure for name, figure in figures.items()})
        self._run.finish(exit_code=_STATUS[ending])
