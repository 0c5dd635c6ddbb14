"""A step of any method reads nothing back, and its loss is exact whatever the precision of the encoder."""

import pytest
import torch

from benchmark.jobs.model import choose_device
from registry.lookup import AUGMENTATIONS
from tests.readings import Readings
from tests.registry.test_a_minute_of_training import TRIALS, build
from tests.registry.test_augmentations import build as augmentation
from tests.registry.test_methods import corpus


@pytest.mark.parametrize("name", TRIALS)
def test_a_step_waits_for_nothing(name: str) -> None:
    method = build(name, corpus(64), choose_device("cpu", "fp32"))
    wave_BVT, index_B = torch.randn(32, method.windows, 16000) / 4, torch.arange(32)
    method.before_epoch()
    for step in range(2):
        with Readings() as readings:
            loss, _ = method(wave_BVT, index_B)
            loss.backward()
            method.after_step()
        if step == 1:  # in an epoch's first step DeepCluster clusters the corpus
            assert not readings.found


@pytest.mark.parametrize("name", AUGMENTATIONS.names())
def test_an_augmentation_waits_for_nothing(name: str) -> None:
    x = torch.randn(4, 20000) if AUGMENTATIONS.find(name).domain == "waveform" else torch.randn(4, 1, 64, 80)
    with Readings() as readings:
        augmentation(name)(x)
    assert not readings.found


@pytest.mark.parametrize("name", TRIALS)
def test_a_step_in_half_precision_has_a_loss_in_full(name: str) -> None:
    device = choose_device("cpu", "bf16")
    method = build(name, corpus(64), device)
    method.autocast = device.autocast
    wave_BVT, index_B = torch.randn(16, method.windows, 16000) / 4, torch.arange(16)
    method.before_epoch()
    loss, _ = method(wave_BVT, index_B)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())
