"""Forecasts: the arithmetic against figures worked out by hand, and what a forecast is bound to."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.jobs.contents import Contents, listed
from benchmark.jobs.embed import Record as EmbedRecord
from benchmark.jobs.rates import Calibration, Cost
from benchmark.ledger.forecast import (
    Scope,
    errors,
    forecast,
    keep,
    kept,
    median_errors,
    size_of_files,
    stored_model,
    units,
)
from benchmark.ledger.outlook import Outlook
from benchmark.ledger.plan import Plan
from benchmark.store.job import AnyJob, Environment, Forecast
from benchmark.store.store import Store
from registry.audio import window_starts
from registry.tasks import Clip
from registry.tasks.sounds import Sounds
from tests.jobs import EMBEDDED, embed_job, evaluate_job, made_facts, measure_job, pack_job, pretrain_job

HERE = Environment(device="a processor, 2 threads", device_type="cpu", precision="fp32", threads=2)


def contents(*samples: int, folds: tuple[int, ...] = ()) -> Contents:
    """Clips of these lengths at 16 kHz, each of its own source and, if not stated, of fold 1."""
    names = np.array([f"clip {i}" for i in range(len(samples))], object)
    lengths_N = np.array(samples, np.int64)
    fold_N = np.array(folds or (1,) * len(samples))
    return Contents(16000, 2, lengths_N, np.zeros(len(samples), np.int64), fold_N, names, names, 10, "one-label")


FIVE = contents(8000, 16000, 16001, 24000, 80000)  # 1, 1, 2, 2 and 9 windows of a second, half a second apart


def test_windows_are_counted_as_they_are_cut() -> None:
    assert [contents(n).windows(16000) for n in (8000, 16000, 16001, 24000, 80000)] == [1, 1, 2, 2, 9]
    lengths = np.random.default_rng(0).integers(1, 3000, 50)
    for window in (1, 2, 3, 999, 1000):
        assert contents(*lengths).windows(window) == sum(len(window_starts(int(n), window)) for n in lengths)
    assert (FIVE.windows("whole"), FIVE.amount("whole"), FIVE.bytes) == (5, 144001 / 16000, 288002)


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (pack_job(), {"second of sound": 144001 / 16000}),
        (measure_job(samples=16000), {"net": 1, "window": 15}),
        (embed_job("p"), {"net": 1, "window": 15}),
        (pretrain_job("p", epochs=7), {"net": 1, "epoch": 7, "step": 14}),  # two whole batches of 2
        (evaluate_job("p", "e"), {"clip of an epoch": 0, "pair of clips": 25, "clip": 5}),
        (
            evaluate_job("p", "e", "freeze", epochs=30),
            {"clip of an epoch": 29 * 5, "pair of clips": 25, "clip": 5},
        ),
    ],
)
def test_how_much_work_a_job_is(job: AnyJob, expected: dict[str, float]) -> None:
    assert units(job, Scope(FIVE)) == expected


def test_probes_are_counted_by_their_windows() -> None:
    job = pretrain_job("p", epochs=12)  # a probe every 5 epochs
    assert units(job, Scope(FIVE, probed=contents(80000, 80000)))["probed window"] == 2 * 18


def test_a_forecast_is_the_sum_of_units_times_rates() -> None:
    rates = {"net": Cost(seconds=0.5, cpu_seconds=1), "window": Cost(seconds=0.1, cpu_seconds=0.2)}
    made = Calibration(rates=rates, clips=1, sizes={"dim": 8}, peak_memory={"host": 1000, "device": 50})
    said = forecast(embed_job("p"), Scope(FIVE, windows=15, dim=8), made)
    assert [said.seconds, said.cpu_seconds] == pytest.approx([0.5 + 1.5, 1 + 3])
    # Four of five clips come on top of the calibrated one: their sound, and all embeddings.
    assert said.peak_memory == {"host": 1000 + int((288002 + 15 * 8 * 4) * 0.8), "device": 50}
    assert said.disk == 15 * (8 * 4 + 8)


def test_the_disk_of_a_pack_and_of_predictions() -> None:
    made = Calibration(rates={}, clips=5, sizes={"clip": 100, "tested clip": 30, "net": 4000})
    clips = contents(16000, 16000, 16000, folds=(1, 2, 3))
    assert forecast(pack_job(), Scope(clips), made).disk == 3 * 32000 + 3 * 100
    assert forecast(evaluate_job("p", "e"), Scope(clips), made).disk == 2 * 30  # folds 1 and 2 are tested
    assert forecast(pretrain_job("p", epochs=2), Scope(clips), made).disk == 4000 + 2 * 350


def test_lengths_that_are_not_known_follow_from_the_sizes_of_files(tmp_path: Path) -> None:
    clips = [Clip(name, 0, 1, name, tmp_path / name, size) for name, size in (("a", 100), ("b", 300), ("c", 1000))]
    made = listed(pack_job(), Sounds(Sounds.Config()), clips, {"a": 800, "b": 2400})
    assert made.samples_N.tolist() == [800, 2400, 8000]
    computed = [Clip(name, 0, 1, name, None, 0) for name in "abc"]
    assert listed(pack_job(), Sounds(Sounds.Config()), computed, {"a": 10, "c": 30}).samples_N.tolist() == [10, 20, 30]


def test_a_corpus_is_without_tested_and_excluded_clips() -> None:
    clips = contents(1, 2, 3, 4, folds=(1, 1, 2, 3))
    assert clips.without((3,), []).samples_N.tolist() == [1, 2, 3]
    assert clips.without((1, 2, 3), []).samples_N.tolist() == [1, 2, 3, 4]
    assert clips.without((3,), [(clips.only(np.array([0])), False)]).samples_N.tolist() == [2, 3]


def test_some_clips_are_spread_over_every_fold() -> None:
    clips = contents(*range(1, 101), folds=tuple(i % 10 for i in range(100)))
    assert np.bincount(clips.some(10).fold_N).tolist() == [1] * 10
    assert len(clips.some(1000)) == 100


def finish(store: Store, job: AnyJob, **fields: Any) -> None:
    """Stores a record of a job, without a digest."""
    folder = store.folder(job)
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps({**EMBEDDED, "environment": HERE.model_dump(), **fields}))
    (folder / "job.json").write_text(json.dumps(job.to_json()))


def test_a_finished_job_tells_what_the_same_work_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    plan = Plan("made", made_facts())
    long, short, other = embed_job("long", seed=1), embed_job("short"), embed_job("short", width=8)
    for job in (long, short, other):
        plan.add(job)
    outlook = Outlook(plan, store, None, HERE)
    sound = {"long": contents(80000, 80000), "short": contents(80000)}
    monkeypatch.setattr(Outlook, "contents", lambda self, pack: sound[pack])
    assert outlook.forecast(short) is None
    finish(store, long, seconds=6.0, cpu_seconds=9.0, peak_memory={"host": 700})
    outlook = Outlook(plan, store, None, HERE)
    said = outlook.forecast(short)
    assert said == Forecast(seconds=3.0, cpu_seconds=4.5, peak_memory={"host": 700}, disk=0)
    assert outlook.forecast(other) is None  # another encoder
    elsewhere = HERE.model_copy(update={"threads": 4})
    assert Outlook(plan, store, None, elsewhere).forecast(short) is None


def test_clips_of_many_windows_are_calibrated_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = {"a": contents(80000, 80000), "b": contents(72000), "c": contents(16000)}  # 9, 8 and 1 windows a clip
    monkeypatch.setattr(Outlook, "contents", lambda self, pack: sound[pack])
    outlook = Outlook(Plan("made", made_facts()), Store(tmp_path), None, HERE)
    names = [outlook.name(embed_job(pack)) for pack in "abc"]
    assert names[0] == names[1] != names[2]


def test_a_calibration_is_of_one_work_on_one_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outlook, "contents", lambda self, pack: contents(80000))
    plan, made = Plan("made", made_facts()), Calibration(rates={"step": Cost(seconds=2)}, clips=1, sizes={"net": 1})
    outlook = Outlook(plan, Store(tmp_path), None, HERE)
    outlook.keep(pretrain_job("p"), made)
    assert outlook.calibration(pretrain_job("p", epochs=9, seed=3)) == made
    for other in (pretrain_job("p", method="simclr"), pretrain_job("q")):
        assert outlook.calibration(other) is None
    newer = HERE.model_copy(update={"versions": {"torch": "9"}})
    assert Outlook(plan, Store(tmp_path), None, newer).calibration(pretrain_job("p")) is None
    (file,) = (tmp_path / "calibrations").iterdir()
    file.write_text("{")
    assert outlook.calibration(pretrain_job("p")) is None


def test_a_forecast_is_kept_for_its_machine(tmp_path: Path) -> None:
    store, job = Store(tmp_path), embed_job("p")
    said = Forecast(seconds=1, cpu_seconds=2, peak_memory={"host": 3}, disk=4)
    assert kept(store, job, HERE) is None
    keep(store, job, said, HERE)
    assert kept(store, job, HERE.model_copy(update={"commit": "abc+"})) == said
    assert kept(store, job, HERE.model_copy(update={"precision": "bf16"})) is None
    (tmp_path / "forecasts" / f"{job.key}.json").write_bytes(b"\xff")
    assert kept(store, job, HERE) is None
    assert stored_model(tmp_path / "nothing", Forecast) is None


def test_errors_are_shares_of_what_came(tmp_path: Path) -> None:
    said = Forecast(seconds=15, cpu_seconds=5, peak_memory={"host": 300}, disk=50)
    record = EmbedRecord.model_validate(
        {**EMBEDDED, "seconds": 10, "cpu_seconds": 10, "peak_memory": {"host": 400}, "forecast": said}
    )
    (tmp_path / "embeddings.safetensors").write_bytes(bytes(40))
    off = errors(record, size_of_files(record, tmp_path))
    assert off == {"seconds": 0.5, "cpu_seconds": 0.5, "memory": 0.25, "disk": 0.25}
    assert "disk" not in errors(record, 0)
    assert median_errors([off, {"seconds": 0.1}, {"seconds": 0.2}])["seconds"] == 0.2
