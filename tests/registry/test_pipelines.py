"""Named pipelines: what they hold, and how suites name them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.suite.resolve import load_suite
from benchmark.suite.resolved import ResolvedSuite
from registry.errors import Mistakes
from registry.lookup import AUGMENTATIONS
from registry.pipelines import PIPELINES, expand
from registry.views import Views
from tests.conftest import TINY, Answer
from tests.registry.test_augmentations import build
from tests.registry.test_contrast import multiformat, multiformat_encoder
from tests.registry.test_methods import views


def load(tmp_path: Path, text: str) -> ResolvedSuite:
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    return load_suite(path, None, None)


def test_no_pipeline_has_the_name_of_an_augmentation() -> None:
    assert not set(PIPELINES) & set(AUGMENTATIONS.names())


@pytest.mark.parametrize("name", PIPELINES)
def test_every_step_is_an_augmentation_with_settings_that_it_has(name: str) -> None:
    torch.manual_seed(0)
    steps = [build(**{"name": step} if isinstance(step, str) else dict(step)) for step in expand(name)]
    out = Views(views().frontend, steps)(torch.randn(4, 16000) / 4)
    assert out.shape == views()(torch.zeros(4, 16000)).shape
    assert out.isfinite().all()
    assert PIPELINES[name].source


def test_the_sources_figures() -> None:
    chosen = {name: [AUGMENTATIONS.choose(step) for step in expand(name)] for name in PIPELINES}
    order = {name: [step.name for step in steps] for name, steps in chosen.items()}
    assert order["s1"] == ["time-reversal", "pad", "crop", "pitch-shift", "frequency-mask", "time-mask"]
    assert order["s2"] == ["mix", "frequency-shift"]
    mix, shift = (step.settings for step in chosen["s2"])
    assert (mix.alpha, mix.beta, shift.bins) == (5, 2, 40)
    assert all(step.settings.p == 0.5 for step in chosen["clar"][:6] if step.name != "waveform-mask")
    for policy, (warp, frequency, time, count) in {
        "lb": (80, 27, 100, 1),
        "ld": (80, 27, 100, 2),
        "sm": (40, 15, 70, 2),
        "ss": (40, 27, 70, 2),
    }.items():
        first, second, third = (step.settings for step in chosen[f"specaugment-{policy}"])
        assert (first.frames, second.width, second.count) == (warp, frequency, count)
        assert (third.width, third.count) == (time, count)


def test_a_suite_may_name_a_pipeline_wherever_it_names_augmentations(tmp_path: Path) -> None:
    text = TINY.replace("augment: [{name: frequency-shift, bins: 2}]", "augment: [gain, s2, polarity]")
    text = text.replace("random: {weights: random}", "random: {weights: random, augment: [cola]}")
    moco, npid, random = load(tmp_path, text.replace("epochs: 2,", "epochs: 2, augment: [byol-a],")).entries
    assert [a.name for a in moco.augment] == ["gain", "mix", "frequency-shift", "polarity"]
    assert moco.augment[2].settings.bins == 40
    asked = npid.weights.pretraining
    assert asked
    assert [a.name for a in asked.augment] == ["log-mixup", "resized-crop"]
    assert random.augment == ()


def test_mistakes_stand_where_the_pipeline_is_named(tmp_path: Path) -> None:
    front = TINY[TINY.index("frontend:") : TINY.index("augment:")]
    raw = TINY.replace(front, "frontend: waveform\n").replace("{name: cnn10, width: 4, dropout: 0.1}", "conv320")
    raw = raw.replace("augment: [{name: frequency-shift, bins: 2}]", "augment: [gain, s2, s3]")
    with pytest.raises(Mistakes) as caught:
        load(tmp_path, raw)
    messages = [str(mistake) for mistake in caught.value.mistakes]
    line = raw.split("\n").index("augment: [gain, s2, s3]") + 1
    shift = next(m for m in messages if "frequency-shift works on spectrograms" in m)
    assert f"suite.yaml:{line}:17" in shift
    assert any("no augmentation is called 's3'" in m and f"suite.yaml:{line}:21" in m for m in messages)


def test_a_branch_of_multiformat_may_name_a_pipeline() -> None:
    trained = multiformat(multiformat_encoder(), augment={"logmel": ["gain", "panns"]})
    plain, changed = trained.augmentations
    assert plain == []
    assert [type(step).__name__ for step in changed] == ["Gain", "FrequencyMask", "TimeMask"]


def test_the_schema_and_the_listing_know_them(audiobench: Callable[..., Answer]) -> None:
    import yaml

    listed = json.loads(audiobench("list", "augmentations", "--json").out)["pipelines"]
    assert [row["name"] for row in listed] == list(PIPELINES)
    assert "pitch-shift" in listed[0]["steps"]
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(json.loads(audiobench("schema").out))
    for item, right in (("s1", True), ("s3", False), ("gain", True)):
        suite = yaml.safe_load(TINY.replace("{name: frequency-shift, bins: 2}", item))
        assert (not list(validator.iter_errors(suite))) is right, item
