"""What records of evaluations tell of targets: those of earlier versions, and the version that enters keys."""

from pathlib import Path

from benchmark.jobs import evaluate, pack
from benchmark.ledger.planner import make_plan
from benchmark.suite.resolve import load_suite
from registry.lookup import load_plugin
from tests.conftest import TINY

TASK = """
from registry.tasks.sounds import Sounds

class Bearings(Sounds):
    '''Sounds, and where they come from.'''
    target = "angle"
    name = "bearings"
"""
TARGET = """
from registry.targets.number import Number

class Angle(Number):
    '''An angle in degrees.'''
    name = "angle"
"""


def test_records_of_earlier_versions_tell_their_target() -> None:
    old = {"summary": "", "folds": {}, "data_hash": "", "clips_seen_in_pretraining": 0, "skipped": 0}
    one = evaluate.Record.model_validate(old)
    assert (one.target, one.judge, one.metric) == ("one-label", "targets/one-label", "accuracy")
    several = evaluate.Record.model_validate({**old, "metric": "mAP"})
    assert (several.target, several.judge) == ("several-labels", "targets/several-labels")
    packed = {
        "summary": "",
        "clips": 1,
        "seconds": 1.0,
        "sample_rate": 1,
        "classes": [],
        "content_hash": "",
        "skipped": {},
    }
    assert pack.Record.model_validate(packed).target == "one-label"
    assert pack.Record.model_validate({**packed, "multi_label": True}).target == "several-labels"


def test_the_code_of_a_plugins_target_enters_keys_and_that_of_first_versions_does_not(tmp_path: Path) -> None:
    (tmp_path / "task.py").write_text(TASK)
    load_plugin(tmp_path / "task.py")
    suite = tmp_path / "suite.yaml"
    suite.write_text(TINY.replace("tasks: [{name: sounds, clips: 2}]", "tasks: [bearings, {name: sounds, clips: 2}]"))
    packed = []
    for code in (TARGET, TARGET, TARGET + "    holds = 'an angle a clip'\n"):
        (tmp_path / "target.py").write_text(code)
        load_plugin(tmp_path / "target.py")
        jobs = make_plan(load_suite(suite, None, None), None, [0]).jobs.values()
        packed.append({job.config.task.name: job for job in jobs if isinstance(job, pack.PackJob)})
    first, again, changed = packed
    assert first["bearings"].key == again["bearings"].key != changed["bearings"].key
    assert first["sounds"].key == changed["sounds"].key
    assert "target" not in first["sounds"].config.canonical()
