"""Where the device's memory does not suffice, batches are halved: the results stay, and a line tells of it.

No device of these tests runs out of memory: torch's error is raised in its place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.jobs.embedding import ClipEmbeddings
from benchmark.jobs.model import choose_device
from benchmark.progress import Progress
from registry.audio import Recordings
from registry.encoders import Encoder
from registry.errors import Mistake
from registry.frontends.waveform import Waveform
from registry.heads import FoldHeads
from registry.protocols import Embeddings, Labels, Model, Split, Subject, _neighbours
from registry.protocols.finetune import clip_outputs
from registry.protocols.freeze import Freeze
from registry.protocols.knn import Knn
from registry.settings import Settings
from registry.views import Views
from registry.windows import Window

CPU = choose_device("cpu", "fp32")
CLIPS, RATE = 20, 100


class Small(Encoder):
    """Embeds what has at most so many values at once."""

    takes = "waveform"
    most = 10**9

    def __init__(self) -> None:
        super().__init__(Settings(), 1, 0)
        self.embedding_dim, self.layer = 8, nn.Linear(10, 8)

    def forward(self, x_B1T: Tensor) -> Tensor:
        if x_B1T.numel() > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        frames_BND: Tensor = self.layer(x_B1T.squeeze(1).unfold(1, 10, 10)).tanh()
        return frames_BND


def sounds() -> Recordings:
    lengths = np.array([60, 240, 120, 240] * (CLIPS // 4))
    samples = np.random.default_rng(0).integers(-9000, 9000, lengths.sum()).astype(np.int16)
    return Recordings(samples, np.concatenate([[0], np.cumsum(lengths)]), RATE)


def net() -> tuple[Views, Small]:
    torch.manual_seed(0)
    return Views(Waveform(Waveform.Config(sample_rate=RATE))), Small()


def embeddings(most: int, window: Window, said: list[str]) -> Embeddings:
    views, encoder = net()
    encoder.most = most
    names = [f"{i}.wav" for i in range(CLIPS)]
    return ClipEmbeddings(views, encoder, sounds(), names, window, CPU, Progress(), say=said.append).in_memory()


@pytest.mark.parametrize(("window", "most", "lines"), [(50, 200, 4), (50, 50, 5), ("whole", 300, 3)])
def test_embed_halves_its_batches(window: Window, most: int, lines: int) -> None:
    said: list[str] = []
    whole, halved = embeddings(10**9, window, []), embeddings(most, window, said)
    torch.testing.assert_close(halved.window_WD, whole.window_WD, rtol=0, atol=1e-6)
    assert torch.equal(halved.clip_W, whole.clip_W)
    assert len(said) == lines
    assert said[0].startswith("out of memory on the device with ")
    assert "going on with" in said[0]


def test_one_window_or_clip_that_does_not_fit_is_a_mistake_with_advice() -> None:
    with pytest.raises(Mistake, match="out of memory on the device with a batch of one: CUDA") as window:
        embeddings(40, 50, [])
    assert "--precision bf16" in window.value.fix
    with pytest.raises(Mistake, match=r"\.wav is 2\.\d s long, and cannot be embedded in one piece: out of memory"):
        embeddings(100, "whole", [])


def subject(said: list[str], model: Model | None = None) -> Subject:
    generator = torch.Generator().manual_seed(1)
    of_windows = Embeddings(torch.randn(120, 6, generator=generator), torch.arange(60).repeat_interleave(2))
    return Subject(of_windows, sounds(), CPU.device, CPU.autocast, model, say=said.append)


def test_finetune_halves_the_windows_of_its_evaluation() -> None:
    views, encoder = net()
    head, said, every = nn.Linear(8, 3), list[str](), torch.arange(CLIPS)
    model = Model(lambda: encoder, views, views, 50)
    whole = clip_outputs(subject(said, model), encoder, head, every)
    assert said == []
    encoder.most = 130
    torch.testing.assert_close(clip_outputs(subject(said, model), encoder, head, every), whole, rtol=0, atol=1e-6)
    assert said


LABELS = Labels(torch.arange(60) % 3, torch.arange(60) // 3 % 4 + 1, torch.arange(60), 3)


def evaluated(protocol: Knn | Freeze, said: list[str]) -> list[np.ndarray]:
    outcomes = protocol.evaluate(subject(said), Split(LABELS), [1, 2, 3, 4], 0, lambda *told: None)
    return [outcome.scores for outcome in outcomes]


def of_few_rows(compute: Callable[..., Any], most: int) -> Callable[..., Any]:
    def limited(self: object, *given: object) -> Any:
        if any(len(x) > most for x in given if isinstance(x, Tensor)):
            raise torch.OutOfMemoryError("out of memory")
        return compute(self, *given)

    return limited


def test_knn_and_freeze_halve_what_they_compare_and_evaluate(monkeypatch: pytest.MonkeyPatch) -> None:
    knn, freeze = Knn(Knn.Config(k=[1, 5])), Freeze(Freeze.Config(epochs=1))
    whole = [evaluated(knn, []), evaluated(freeze, [])]
    monkeypatch.setattr(_neighbours.Banks, "nearest", of_few_rows(_neighbours.Banks.nearest, 4))
    monkeypatch.setattr(FoldHeads, "one", of_few_rows(FoldHeads.one, 4))
    said_of_knn, said_of_freeze = list[str](), list[str]()
    made = [evaluated(knn, said_of_knn), evaluated(freeze, said_of_freeze)]
    for piecewise, scores, said in zip(made, whole, (said_of_knn, said_of_freeze), strict=True):
        for halved, one in zip(piecewise, scores, strict=True):
            np.testing.assert_allclose(halved, one, rtol=1e-5, atol=1e-6)
        assert said
        assert "out of memory on the device" in said[0]
