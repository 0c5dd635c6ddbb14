"""Training budgets and learning-rate schedules, as the sources use them. Nothing here imports torch."""

import math
from typing import Literal

from pydantic import Field

from registry.errors import Mistake
from registry.settings import Later, Settings


class Training(Settings):
    """How weights are trained: budget, optimiser, schedule."""

    epochs: int = Field(..., ge=1, description="passes over the clips, one crop a clip")
    batch_size: int = Field(..., ge=1, description="clips a step")
    optimizer: Literal["sgd", "adam", "adamw", "lars", "larc"] = Field(
        "adamw", description="torch's, or timm's: lars leaves biases and norms alone, larc adapts and decays all"
    )
    learning_rate: float = Field(..., gt=0, description="at its peak, for this batch size")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd, lars and larc")
    weight_decay: float = Field(0.0, ge=0, description="on weights; for biases and norms see decay_norms")
    schedule: Literal["constant", "step", "cosine"] = Field("cosine", description="step: times 0.1 at each milestone")
    milestones: list[float] = Field([0.6, 0.8], description="for step: points in training, as fractions of the epochs")
    warmup_epochs: float = Field(0.0, ge=0, description="epochs of linear warm-up")
    warmup_from: Later[float] = Field(0.0, ge=0, le=1, description="rate at the start of warm-up, as share of the peak")
    final_rate: Later[float] = Field(0.0, ge=0, le=1, description="rate at the end of cosine, as share of the peak")
    decay_norms: Later[bool] = Field(False, description="decay biases and norms, too; for sgd, adam and adamw")
    norm_rate: Later[float] = Field(1.0, gt=0, description="rate of biases and norms, as share of the rate of weights")

    def require_division(self, devices: int, where: str = "") -> None:
        """Raises a Mistake unless so many devices can share a batch evenly."""
        if self.batch_size % devices:
            fitting = [str(count) for count in range(2, devices) if self.batch_size % count == 0] or ["1"]
            raise Mistake(
                f"{devices} devices do not divide a batch of {self.batch_size} clips",
                where=where,
                fix=f"--devices {' or '.join(fitting[-2:])}, or another batch_size",
            )

    def learning_rate_at(self, epoch: float) -> float:
        """The learning rate at a point of training, in epochs from 0 to ``epochs``."""
        if epoch < self.warmup_epochs:
            return self._above(self.warmup_from, self.learning_rate * epoch / self.warmup_epochs)
        done = epoch / self.epochs
        if self.schedule == "step":
            return self.learning_rate * 0.1 ** sum(done >= m for m in self.milestones)
        if self.schedule == "cosine":
            span = max(self.epochs - self.warmup_epochs, 1e-9)
            fallen = self.learning_rate * 0.5 * (1 + math.cos(math.pi * min((epoch - self.warmup_epochs) / span, 1)))
            return self._above(self.final_rate, fallen)
        return self.learning_rate

    def _above(self, share: float, rate: float) -> float:
        """Maps a rate between 0 and the peak to one between a share of the peak and the peak."""
        return share * self.learning_rate + (1 - share) * rate


class Pretraining(Training):
    """A budget, optimiser and schedule, and settings of pretraining alone."""

    chunk: int | None = Field(
        None, ge=1, description="most clips in the encoder at once, by exact gradient caching; all by default"
    )
    monitor_every: int = Field(5, ge=1, description="epochs from one probe of the monitor task to the next")
    keep: Later[Literal["last", "best"]] = Field(
        "last", description="the weights of the last epoch, or those with the best probe of the monitor task"
    )
