"""ImageNet weights: those of a local file, and the full names of those that timm fetches."""

from pathlib import Path
from typing import Any

import pytest
import torch

from registry.errors import Mistake
from registry.lookup import ENCODERS
from tests.registry.test_encoders import build


@pytest.mark.real
def test_local_imagenet_weights_load_and_change_the_embedding(lite0_weights: Path) -> None:
    from safetensors.torch import load_file

    encoder = build({"name": "timm", "model": "tf_efficientnet_lite0"})
    encoder.load_imagenet(lite0_weights)
    state, file = encoder.net.state_dict(), load_file(lite0_weights)
    assert set(file) - set(state) == {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(state[name], file[name]) for name in state)


@pytest.mark.real
def test_weights_of_another_architecture_are_refused(lite0_weights: Path) -> None:
    with pytest.raises(Mistake, match="do not load"):
        build({"name": "timm", "model": "resnet18"}).load_imagenet(lite0_weights)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("esresnet", "resnet50.tv_in1k"),
        ({"name": "esresnet", "depth": 18}, "resnet18.tv_in1k"),
        ("efficientnet-b0", "efficientnet_b0.ra_in1k"),
        ({"name": "timm", "model": "resnet50"}, "resnet50.a1_in1k"),
        ({"name": "timm", "model": "resnet50.tv_in1k"}, "resnet50.tv_in1k"),
        ({"name": "timm", "model": "no-such-net"}, ""),
        ("cnn14", ""),
    ],
)
def test_imagenet_weights_have_the_full_name_that_timm_resolves(reference: str | dict[str, Any], name: str) -> None:
    import timm

    choice = ENCODERS.choose(reference)
    assert ENCODERS.find(choice.name).imagenet(choice.settings) == name
    if name:
        net, tag = name.split(".")
        assert tag in [known.partition(".")[2] for known in timm.list_pretrained(f"{net}.*")]
    if name and choice.name != "esresnet" and "." not in str(reference):  # no tag is asked for: timm's own
        assert timm.create_model(net).pretrained_cfg["tag"] == tag  # type: ignore[index]
