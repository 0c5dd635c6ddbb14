"""The version of a target in keys."""

from pathlib import Path

from benchmark.jobs import pack
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
