"""Watches an encoder during pretraining: how its embeddings lie, and how well their neighbours predict labels."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmark.jobs.embedding import ClipEmbeddings
from benchmark.jobs.model import Device
from benchmark.jobs.packing import Pack
from benchmark.progress import Progress
from registry import geometry
from registry.audio import Recordings, on_device
from registry.methods import Method, unit
from registry.metrics import Metric
from registry.protocols import Labels, Split, Subject
from registry.protocols.knn import Knn
from registry.seeding import generator_for, seed_everything
from registry.views import Views

_CLIPS = 64  # of the corpus: enough to see a collapse, and only a few per cent of an epoch of 2,000 clips


@torch.no_grad()
def look(method: Method, corpus: Recordings, window_samples: int, seed: int, device: Device) -> dict[str, float]:
    """The geometry of the embeddings of two augmented windows of some clips, which are always the same.

    Returns:
        ``deviation`` (root of the total variance of unit embeddings, at most 1), ``rank`` (effective), ``alignment``
        and ``uniformity``.
    """
    clips = torch.randperm(len(corpus), generator=generator_for(seed, "watched"))[:_CLIPS]
    generator = generator_for(seed, "watched windows")
    wave_BVT = on_device(corpus.crops(clips, window_samples, 2, generator, device.device), device.device)
    seed_everything(seed, "watched views")
    method.eval()
    a_BD, b_BD = (unit(method.embed(method.views(wave_BVT[:, v]))) for v in (0, 1))
    method.train()
    both_BD = torch.cat([a_BD, b_BD])
    return {
        "deviation": geometry.deviation(both_BD).item(),
        "rank": geometry.effective_rank(both_BD).item(),
        "alignment": geometry.alignment(a_BD, b_BD).item(),
        "uniformity": geometry.uniformity(both_BD).item(),
    }


class _Pausing(Progress):
    """Calls ``pause`` at every advance."""

    def __init__(self, pause: Callable[[], None]) -> None:
        self.pause = pause

    def advance(self, steps: int = 1, status: str = "") -> None:
        self.pause()


@dataclass(frozen=True)
class Probe:
    """Nearest neighbours on a labelled task, which test the encoder every few epochs.

    Args:
        pack: the task's clips.
        labels: their labels and folds.
        folds: to test on.
        window_samples: samples in a window.
        device: where, and in which precision.
        every: epochs from one probe to the next.
    """

    pack: Pack
    labels: Labels
    folds: tuple[int, ...]
    window_samples: int
    device: Device
    every: int

    @property
    def metric(self) -> Metric:
        """The chief metric of the task's target."""
        return self.labels.target.chief

    def figure(self, method: Method) -> float:
        """The mean of this metric over folds; K is chosen inside the training folds. It pauses as the method does."""
        views = Views(method.views.frontend)
        made = ClipEmbeddings(
            views,
            method.encoder,
            self.pack.recordings,
            self.pack.ids,
            self.window_samples,
            self.device,
            _Pausing(method.pause),
        ).in_memory()
        method.train()
        subject = Subject(made, self.pack.recordings, self.device.device, self.device.autocast)
        outcomes = Knn(Knn.Config()).evaluate(subject, Split(self.labels), self.folds, 0, lambda *told: None)
        target = self.labels.target
        figures = [target.figure(self.pack.labels[outcome.clips], outcome.scores) for outcome in outcomes]
        return sum(figures) / len(figures)
