"""What trackers are told, what they keep of it, and that no job suffers from one: as their own readers read it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmark.jobs.evaluate import EvaluateJob
from benchmark.jobs.pretrain import PretrainJob
from benchmark.store.store import Store
from benchmark.trackers import TRACKERS, Ending, Scalars, Tracked, Tracker, Tracking, chosen, make_tracking
from registry.errors import Mistake
from tests.benchmark.jobs.test_loop import Interrupts, train
from tests.benchmark.trackers.wandb_file import read
from tests.conftest import TINY, Answer
from tests.jobs import measure_job, pretrain_job

Call = Callable[..., Answer]
Curve = list[tuple[int, float]]
JOB = pretrain_job("corpus")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where every tracker writes, without any network."""
    for name, value in _environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "WANDB_PROJECT", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    if find_spec("tensorboard"):  # files of one second and process are ordered by a number, as text: 10 before 9
        from tensorboard.summary.writer import event_file_writer

        monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    return tmp_path


def _environment(folder: Path) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": (folder / "mlflow").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "WANDB_MODE": "offline",
    }


def tracking_in(place: Path, *names: str) -> Tracking:
    """New trackers, as another process makes them."""
    return make_tracking(names, place / "trackers", "made@cpu", print)


def tensorboard(folder: Path) -> dict[str, Curve]:
    """The scalars of an event folder, as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def near(curve: Curve) -> list[Any]:
    """A curve but for rounding: TensorBoard's values are float32."""
    return [(step, pytest.approx(value)) for step, value in curve]


def mlflow_run(key: str, number: int = 0) -> Any:
    """The client and a run of a job, the latest first."""
    from mlflow import MlflowClient

    client = MlflowClient()
    experiments = [one.experiment_id for one in client.search_experiments()]
    return client, client.search_runs(experiments, filter_string=f"tags.`audiobench.key` = '{key}'")[number]


def mlflow(key: str) -> dict[str, Curve]:
    client, run = mlflow_run(key)
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {name: [(point.step, point.value) for point in history] for name, history in histories.items()}


def wandb(place: Path, key: str) -> list[dict[str, Any]]:
    """What each part of a run holds, in order; a part is what one process wrote."""
    return [read(path) for path in sorted((place / "trackers" / "wandb").glob(f"wandb/*-{key}/*.wandb"))]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Store]]:
    """The folder and the store of a small suite that every tracker followed."""
    for name in TRACKERS:
        pytest.importorskip(name)
    from audiobench import run

    place = tmp_path_factory.mktemp("followed")
    entries = TINY[: TINY.index("  npid:")] + "  random: {weights: random, protocols: [finetune]}\n"
    (place / "tiny.yaml").write_text(entries.replace("batch_size: 16", "batch_size: 32") + TINY[TINY.index("tasks:") :])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _environment(place).items():
            patch.setenv(name, value)
        run(place / "tiny.yaml", runs=place, device="cpu", track=TRACKERS)
        yield place, Store(place)


def test_a_pretraining_is_followed_by_epoch(followed: tuple[Path, Store]) -> None:
    place, store = followed
    (folder,) = (place / "pretrain").iterdir()
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    record = store.result(PretrainJob, folder.name)
    (events,) = (place / "trackers" / "tensorboard").glob(f"pretrain moco on sounds {folder.name[:12]}")
    (of_wandb,) = wandb(place, folder.name)
    by_name = {name: [(row["step"], row[name]) for row in of_wandb["history"]] for name in ("loss", "steps_per_second")}
    for curves in (tensorboard(events), mlflow(folder.name), by_name):
        assert curves["loss"] == near([(row["epoch"], row["loss"]) for row in rows])
        assert [step for step, _ in curves["steps_per_second"]] == [1, 2]
    for curves in (tensorboard(events), mlflow(folder.name)):
        assert set(curves) == {*rows[0], "steps_per_second", "final/loss", "final/steps_per_second"} - {"epoch"}
        assert curves["deviation"] == near([(row["epoch"], row["deviation"]) for row in rows])
        assert curves["final/loss"] == near([(2, record.loss)])
    assert of_wandb["summary"]["final/loss"] == record.loss


def test_folds_are_followed_by_epoch(followed: tuple[Path, Store]) -> None:
    place, store = followed
    seen = set()
    for folder in (place / "evaluate").iterdir():
        record = store.result(EvaluateJob, folder.name)
        (of_wandb,) = wandb(place, folder.name)
        assert of_wandb["summary"]["final/accuracy/mean"] == record.figures()["accuracy/mean"]
        curves = mlflow(folder.name)
        assert curves["final/accuracy/mean"][0][1] == record.figures()["accuracy/mean"]
        for fold, figures in record.folds.items():
            expected = list(enumerate(figures.by_epoch("accuracy"), 1))
            assert curves.get(f"accuracy/fold-{fold}", []) == expected
            assert [step for step, _ in curves.get(f"loss/fold-{fold}", [])] == figures.epochs
            assert [(row["step"], row[f"accuracy/fold-{fold}"]) for row in of_wandb["history"]] == expected
            for events in (place / "trackers" / "tensorboard").glob(f"* {folder.name[:12]}"):
                assert tensorboard(events)[f"accuracy/fold-{fold}"] == near(expected)
            seen.add((len(record.folds), len(expected)))
    assert seen == {(5, 3), (5, 0), (1, 1)}  # freeze, knn, finetune
    assert len(list((place / "trackers" / "tensorboard").iterdir())) == 1 + 1 + 5  # knn has no epochs


def test_settings_and_names_stand_with_a_run(followed: tuple[Path, Store]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    place, _ = followed
    (folder,) = (place / "pretrain").iterdir()
    config = json.loads((folder / "job.json").read_text())["config"]
    _, run = mlflow_run(folder.name)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "pretrain moco on sounds")
    assert {name: value for name, value in run.data.tags.items() if name.startswith("audiobench.")} == {
        "audiobench.key": folder.name,
        "audiobench.kind": "pretrain",
        "audiobench.suite": "tiny",
    }
    assert run.data.params["training.learning_rate"] == "0.003"
    assert run.data.params["augment.0.name"] == "frequency-shift"
    (of_wandb,) = wandb(place, folder.name)
    assert {name: of_wandb["config"][name] for name in config} == config
    assert (of_wandb["run"].project, of_wandb["run"].run_group, of_wandb["exit"]) == ("audiobench", "tiny", 0)
    assert list(of_wandb["run"].tags) == ["tiny", folder.name]
    (written,) = (place / "trackers" / "tensorboard").glob("pretrain*")
    events = EventAccumulator(str(written))
    events.Reload()
    text = events.Tensors("job/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.startswith(f"pretrain moco on sounds (tiny, key {folder.name})\n\n    {{")
    assert '"learning_rate": 0.003' in text


def test_records_do_not_know_of_trackers(followed: tuple[Path, Store], audiobench: Call) -> None:
    place, _ = followed
    assert audiobench("store", "check", "--runs", place).status == 0
    texts = [path.read_text() for path in place.glob("*/*/*.json")]
    assert texts
    assert not [text for text in texts for name in TRACKERS if name in text]


def test_a_resumed_pretraining_goes_on_in_its_run(place: Path) -> None:
    for name in TRACKERS:
        pytest.importorskip(name)

    def follow(progress: Interrupts | None = None) -> list[dict[str, float]]:
        tracking = tracking_in(place, *TRACKERS)
        with tracking.following(JOB) as note:
            _, log = train("moco", place, progress, tracking=tracking)
            note({"loss": log[-1]["loss"]})
        return log

    with pytest.raises(KeyboardInterrupt):
        follow(Interrupts(7))  # in the second epoch
    assert mlflow_run(JOB.key)[1].info.status == "KILLED"
    time.sleep(1.1)  # W&B names the folder of an offline run by the second and the id
    log = follow()
    expected = near([(int(row["epoch"]), row["loss"]) for row in log])
    assert len(expected) == 3
    (events,) = (place / "trackers" / "tensorboard").iterdir()
    assert tensorboard(events)["loss"] == expected
    assert mlflow(JOB.key)["loss"] == expected
    assert mlflow_run(JOB.key)[1].info.status == "FINISHED"
    first, second = wandb(place, JOB.key)
    assert [(row["step"], row["loss"]) for part in (first, second) for row in part["history"]] == expected
    assert (first["exit"], second["exit"]) == (130, 0)


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_steps_after_the_last_checkpoint_of_a_killed_process_stand_once(place: Path, name: str) -> None:
    pytest.importorskip(name)
    killed = tracking_in(place, name)
    never_ended = killed.following(JOB)
    never_ended.__enter__()
    for step in (1, 2, 3):
        killed.scalars(step, {"loss": 1 / step})
    resumed = tracking_in(place, name)
    with resumed.following(JOB):
        for step in (2, 3, 4):  # the checkpoint was of the first epoch
            resumed.scalars(step, {"loss": 1 / step})
    loss = mlflow(JOB.key)["loss"] if name == "mlflow" else tensorboard(_only(place / "trackers" / name))["loss"]
    assert loss == near([(step, 1 / step) for step in (1, 2, 3, 4)])


def _only(folder: Path) -> Path:
    (inside,) = folder.iterdir()
    return inside


def test_a_job_that_is_made_anew_is_shown_as_it_is_now(place: Path) -> None:
    for name in ("tensorboard", "mlflow"):
        pytest.importorskip(name)
    for scale in (1.0, 2.0):
        tracking = tracking_in(place, "tensorboard", "mlflow")
        with tracking.following(JOB):
            for step in (1, 2):
                tracking.scalars(step, {"loss": scale * step})
    assert tensorboard(_only(place / "trackers" / "tensorboard"))["loss"] == [(1, 2.0), (2, 4.0)]
    assert mlflow(JOB.key)["loss"] == [(1, 2.0), (2, 4.0)]
    assert mlflow_run(JOB.key, number=1)[1].info.status == "FINISHED"  # of the first time


class Listening(Tracker):
    """Remembers, and fails where it is asked to."""

    package = "json"

    def __init__(self, fails: str = "") -> None:
        self.fails, self.heard = fails, list[Any]()

    def _note(self, what: str, *told: Any) -> None:
        if what == self.fails:
            raise RuntimeError("no place\nin two lines")
        self.heard.append((what, *told))

    def begin(self, job: Tracked) -> None:
        self._note("begin", job.title)

    def scalars(self, step: int, values: Scalars) -> None:
        self._note("scalars", step, dict(values))

    def end(self, ending: Ending, figures: Scalars) -> None:
        self._note("end", ending, dict(figures))


@pytest.mark.parametrize("fails", ["begin", "scalars", "end"])
def test_a_tracker_that_fails_is_left_out_with_a_line(fails: str) -> None:
    told: list[str] = []
    whole, broken = Listening(), Listening(fails)
    tracking = Tracking({"broken": broken, "whole": whole}, "made", told.append)
    for _ in range(2):
        with tracking.following(JOB) as note:
            tracking.scalars(1, {"loss": 2.0})
            note({"loss": 2.0})
    of_job = [("begin", JOB.title), ("scalars", 1, {"loss": 2.0}), ("end", "done", {"loss": 2.0})]
    assert whole.heard == [*of_job, *of_job]
    assert told == ["the tracker broken failed, and follows nothing more in this run: RuntimeError: no place"]


def test_the_time_of_a_tracker_is_not_that_of_the_job(
    place: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, clock = [0.0], time.monotonic

    class Slow(Listening):
        def begin(self, job: Tracked) -> None:
            late[0] = 1000.0

    monkeypatch.setattr("benchmark.ledger.execute.time.monotonic", lambda: clock() + late[0])
    monkeypatch.setattr(
        "benchmark.ledger.executors.local.make_tracking", lambda *of: Tracking({"slow": Slow()}, "made", print)
    )
    (place / "tiny.yaml").write_text(TINY)
    answer = audiobench("run", place / "tiny.yaml", "--runs", place, "--entry", "random", "--protocol", "knn")
    assert answer.status == 0, answer.err
    (folder,) = (place / "evaluate").iterdir()
    assert Store(place).result(EvaluateJob, folder.name).seconds < 1000
    assert late == [1000.0]


def test_trackers_hear_how_a_job_ended() -> None:
    heard = Listening()
    tracking = Tracking({"heard": heard}, "made", print)
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), tracking.following(JOB):
            raise error
    with tracking.following(measure_job()) as note:  # of a kind without scalars
        note({"figure": 1.0})
    assert [told[1] for told in heard.heard if told[0] == "end"] == ["failed", "interrupted"]
    assert len(heard.heard) == 4


def test_a_run_whose_tracker_fails_is_done(place: Path, audiobench: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    (place / "tiny.yaml").write_text(TINY)
    (place / "runs").mkdir()
    (place / "runs" / "trackers").write_text("no folder")
    ask = ("run", place / "tiny.yaml", "--runs", place / "runs", "--entry", "random", "--protocol", "freeze")
    answer = audiobench(*ask, "--track", "tensorboard")
    assert answer.status == 0, answer.err
    assert answer.err.count("the tracker tensorboard failed") == 1


def test_what_cannot_be_asked_for_is_refused_before_work(
    tiny: Path, audiobench: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = audiobench("run", tiny, "--runs", tmp_path / "runs", "--track", "wanb")
    assert (answer.status, (tmp_path / "runs").exists()) == (2, False)
    assert "no tracker is called 'wanb'" in answer.err
    assert "wandb" in answer.err
    monkeypatch.setattr("benchmark.trackers.find_spec", lambda package: None)
    answer = audiobench("run", tiny, "--runs", tmp_path / "runs", "--track", "mlflow")
    assert (answer.status, "pip install 'audiobench[mlflow]'" in answer.err) == (2, True)
    assert chosen(None) == ()


def test_tensorboard_is_there_unless_something_else_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.trackers.find_spec", lambda package: object())
    assert chosen(None) == ("tensorboard",)
    assert chosen(["none"]) == chosen([]) == ()
    assert chosen(["wandb", "mlflow", "wandb"]) == ("wandb", "mlflow")
    with pytest.raises(Mistake, match="no tracker is called 'none'"):
        chosen(["none", "mlflow"])


def test_nothing_is_imported_before_a_job_begins() -> None:
    lines = [
        "import sys; from pathlib import Path",
        "import audiobench.api, benchmark.jobs.workplace, benchmark.ledger.execute",
        "from benchmark.trackers import TRACKERS, make_tracking",
        "make_tracking(TRACKERS, Path('x'), 'made', print)",
        "sys.exit(str(set(TRACKERS) & set(sys.modules)) if set(TRACKERS) & set(sys.modules) else 0)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
