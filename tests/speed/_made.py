"""Made embeddings with labels and folds, for protocols."""

from collections.abc import Mapping

import numpy as np
import torch

from benchmark.jobs.model import choose_device
from registry.audio import Recordings
from registry.lookup import PROTOCOLS
from registry.protocols import Embeddings, Labels, Outcome, Split, Subject


def made(clips: int, dim: int, classes: int = 50, folds: int = 5) -> tuple[Subject, Split]:
    """A window a clip, around the centre of its class."""
    generator = torch.Generator().manual_seed(0)
    label_N = torch.arange(clips) % classes
    centre_CD = 0.15 * torch.randn(classes, dim, generator=generator)
    window_ND = centre_CD[label_N] + torch.randn(clips, dim, generator=generator)
    device = choose_device("cpu", "fp32")
    none = Recordings(np.empty(0, np.int16), np.zeros(1, np.int64), 1)
    subject = Subject(Embeddings(window_ND, torch.arange(clips)), none, device.device, device.autocast)
    return subject, Split(Labels(label_N, torch.arange(clips) * folds // clips + 1, torch.arange(clips), classes))


def evaluated(name: str, subject: Subject, split: Split, settings: Mapping[str, float]) -> list[Outcome]:
    """What a protocol makes of them in all folds."""
    protocol = PROTOCOLS.choose({"name": name, **settings}).build()
    folds = split.labels.fold_N.unique().tolist()
    return protocol.evaluate(subject, split, folds, 0, lambda *told: None)
