"""``audiobench plan`` on what jobs will cost, and the records that keep what it said."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.amounts import duration, size
from tests.conftest import TINY, Answer

Call = Callable[..., Answer]

KNN = (
    TINY[: TINY.index("control:")]
    + TINY[TINY.index("frontend:") : TINY.index("pretrain:")]
    + "entries: {random: {weights: random}}\ntasks: [{name: sounds, clips: 2}]\nprotocols: {knn: {k: [1]}}\n"
)


def records(runs: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(runs.glob("*/*/result.json"))]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.44, "0.4 s"),
        (12.3, "12 s"),
        (99.4, "99 s"),
        (100, "1 min 40 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_times_are_written_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (3100, "3.1 kB"), (412e6, "412 MB"), (1.25e9, "1.2 GB"), (2e16, "20,000.0 TB")],
)
def test_sizes_are_written_for_people(number: float, words: str) -> None:
    assert size(number) == words


def test_a_finished_job_tells_what_another_seed_takes_and_the_record_keeps_it(tmp_path: Path, audiobench: Call) -> None:
    suite, runs = tmp_path / "knn.yaml", tmp_path / "runs"
    suite.write_text(KNN)
    options = (suite, "--runs", runs, "--device", "cpu")
    assert audiobench("run", *options, "--track", "none").status == 0
    assert not (runs / "forecasts").exists()
    first = {record["key"] for record in records(runs)}
    assert all(record["forecast"] is None and record["cpu_seconds"] > 0 for record in records(runs))
    answer = audiobench("plan", *options, "--seed", 0, "--seed", 1)
    assert answer.status == 0, answer.err
    told = {line.split()[2]: line for line in answer.out.splitlines() if "to do" in line}
    for kind in ("embed", "evaluate"):
        assert re.search(r": [\d.]+ s, [\d.]+ [MG]B of memory, [\d.]+ kB of disk$", told[kind])
    assert "still to do, one after the other" in answer.out
    assert "costs are not known" not in answer.out
    planned = json.loads(audiobench("plan", *options, "--seed", 0, "--seed", 1, "--json").out)
    forecasts = [job["forecast"] for job in planned["jobs"] if job["state"] == "to do"]
    assert [set(one) for one in forecasts] == [{"seconds", "cpu_seconds", "peak_memory", "disk"}] * 2
    assert audiobench("run", *options, "--seed", 1, "--track", "none").status == 0
    new = [record for record in records(runs) if record["key"] not in first]
    assert len(new) == 2
    for record in new:
        said = json.loads((runs / "forecasts" / f"{record['key']}.json").read_text())
        assert record["forecast"] == {name: said[name] for name in record["forecast"]}
    answer = audiobench("plan", *options, "--seed", 0, "--seed", 1)
    assert "2 finished jobs had forecasts; by how much they were off, in the median: seconds" in answer.out
    assert audiobench("store", "check", "--runs", runs).status == 0


@pytest.mark.slow
def test_calibrated_forecasts_come_true(tiny: Path, tmp_path: Path, audiobench: Call) -> None:
    """In CPU time, because other programs may run; within a factor, because these jobs take tenths of a second."""
    runs = tmp_path / "runs"
    options = (tiny, "--runs", runs, "--device", "cpu")
    answer = audiobench("plan", *options)
    assert "costs" not in answer.out
    assert not runs.exists()
    answer = audiobench("plan", *options, "--calibrate")
    assert answer.status == 0, answer.err
    assert "not calibrated" not in answer.err
    assert "costs are not known" not in answer.out
    calibrated = answer.err.count("calibrated: ")
    assert calibrated == 7  # a pack, two methods, one encoder, three protocols
    again = audiobench("plan", *options, "--calibrate")
    assert (again.out, again.err) == (answer.out, "")
    assert audiobench("run", *options, "--track", "none").status == 0
    made = records(runs)
    assert len(made) == 17
    for record in made:
        said = record["forecast"]
        assert said["disk"] == pytest.approx(sum(file["bytes"] for file in record["files"].values()), rel=0.3)
        assert record["peak_memory"]["host"] / 2 < said["peak_memory"]["host"] < record["peak_memory"]["host"] * 2
    expected, came = (sum(of["cpu_seconds"] for of in costs) for costs in ([r["forecast"] for r in made], made))
    assert came / 2.5 < expected < came * 2.5
