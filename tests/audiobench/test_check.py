"""``audiobench check``: what it prints, and with which status it ends."""

import re
from pathlib import Path

import pytest

from tests.audiobench.test_run import Call

PLUGIN = '''
"""Makes waveforms louder."""

from audiobench import Augmentation


class Louder(Augmentation):
    """Doubles every sample."""

    domain = "waveform"
    source = "ours"

    def apply_batch(self, x):
        return 2 * x
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "louder.py"
    path.write_text(PLUGIN)
    return path


def test_a_plugin_that_keeps_its_contract_ends_with_0_and_a_line_a_check(plugin: Path, audiobench: Call) -> None:
    answer = audiobench("check", plugin)
    assert answer.status == 0, answer.out
    title, *checks, summary = answer.out.splitlines()
    assert title == "augmentations/louder"
    assert len(checks) > 10
    assert all(line.startswith("  passed          ") for line in checks)
    assert summary == f"augmentations/louder keeps its contract: {len(checks)} passed"


def test_what_is_broken_is_told_with_what_to_do_and_ends_with_1(plugin: Path, audiobench: Call) -> None:
    plugin.write_text(PLUGIN.replace("2 * x", "x.mul_(2)").replace('    source = "ours"\n', ""))
    answer = audiobench("check", plugin)
    assert answer.status == 1
    failed = [line for line in answer.out.splitlines() if line.startswith("  failed")]
    assert len(failed) == 2
    assert all(re.search("expected .*; found .*; to do: .*", line) for line in failed)
    assert "What is given stays as it is: expected the batch as it was" in failed[1]
    assert answer.out.splitlines()[-1].startswith("augmentations/louder does not keep its contract: ")
    assert answer.err == ""


def test_an_exception_is_told_with_its_place_and_no_traceback(plugin: Path, audiobench: Call) -> None:
    plugin.write_text(PLUGIN.replace("2 * x", "2 * y"))
    answer = audiobench("check", plugin)
    assert answer.status == 1
    assert "found NameError: name 'y' is not defined (louder.py, line 14)" in answer.out
    assert "Traceback" not in answer.out + answer.err


def test_components_of_the_registry_are_checked_by_name_with_settings_of_their_own(audiobench: Call) -> None:
    by_name = audiobench("check", "{name: conv2560, width: 4}", "--frontend", "{name: waveform, sample_rate: 8000}")
    assert by_name.status == 0, by_name.out + by_name.err
    assert "encoders/conv2560 keeps its contract" in by_name.out
    assert "not applicable  Its parts are" in by_name.out
    by_kind = audiobench("check", "weights", "random", "--encoder", "{name: conv160, width: 8}")
    assert by_kind.status == 0, by_kind.out + by_kind.err
    assert "seed" in by_kind.out


@pytest.mark.parametrize(
    ("asked", "what", "fix"),
    [
        (["nowhere.py"], "plugin nowhere.py does not exist", "give the path"),
        (["moco"], "moco is no encoder", "audiobench check methods moco"),
        (["esresent"], "no encoder is called 'esresent'", "did you mean esresnet"),
        (["encoders"], "which of the encoders is to be checked?", "audiobench check encoders NAME"),
        (["encoder", "cnn10"], "no kind of component is called 'encoder'", "did you mean encoders"),
        (["{name: cnn10, widht: 4}"], "settings of cnn10 are wrong: widht", "audiobench show encoders cnn10"),
        (["{name: cnn10"], "is no component", "'{name: NAME, setting: VALUE}'"),
        (["[cnn10]"], "'[cnn10]' is no component", "give a name"),
        (["tasks", "folder"], "folder has settings without a default: path", "'{name: folder, path: ...}'"),
        (["cnn10", "--frontend", "waveform"], "Cnn10 takes a spectrogram", "use a spectral front end"),
        (["methods", "deepcluster"], "10000 clusters are more than the corpus has clips", "lower clusters"),
        (["weights", "imagenet"], "has no ImageNet weights", "--encoder and --frontend name others"),
        (["cnn10", "--encoder", "cnn1"], "'cnn1' is no encoder: no encoder is called", "audiobench list encoders"),
    ],
)
def test_a_request_that_is_wrong_ends_with_2_and_says_what_to_do(
    asked: list[str], what: str, fix: str, audiobench: Call
) -> None:
    answer = audiobench("check", *asked)
    assert answer.status == 2
    assert what in answer.err
    assert fix in answer.err
    assert "Traceback" not in answer.err
