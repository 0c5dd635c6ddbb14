"""Stores of older versions, which named packs by sizes: taken over where the recordings are the same, and else not."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from benchmark.jobs.embed import EmbedJob, WeightsKey
from benchmark.ledger import adopt
from benchmark.ledger.plan import Plan
from benchmark.ledger.request import Request
from benchmark.store.digests import Digests
from benchmark.store.store import Store
from registry.tasks import listing_hash
from tests.audiobench.test_stale import record
from tests.conftest import TINY, Answer
from tests.jobs import EMBEDDED

Call = Callable[..., Answer]

SUITE = """
schema_version: 1
name: mine
frontend: {name: logmel, sample_rate: 16000, normalise: dataset}
augment: [{name: frequency-shift, bins: 2}]
crop: 0.4
encoder: {name: cnn6, width: 4, dropout: 0.0}
pretrain:
  corpus: {name: folder, path: corpus, folds: 2, exclude: [EXCLUDED]}
  epochs: 1
  batch_size: 4
  learning_rate: 0.003
  optimizer: adamw
entries:
  npid: {weights: {pretrain: {name: npid, negatives: 8}}, protocols: [knn]}
  random: {weights: random}
tasks: [{name: folder, path: tested, folds: 2}]
protocols: {knn: {k: [1]}, finetune: {epochs: 1, batch_size: 4}}
"""
OTHERS = ("u", "v", "w", "x")


class Old:
    """A folder of data, a suite, and what an older version made of it."""

    def __init__(self, folder: Path, audiobench: Call) -> None:
        self.folder, self.call = folder, audiobench
        self.runs, self.suite = folder / "runs", folder / "mine.yaml"
        excluded = ", ".join(f"{{name: folder, path: {name}, folds: 2}}" for name in OTHERS)
        self.suite.write_text(SUITE.replace("EXCLUDED", excluded))
        for at, name in enumerate(("corpus", "tested", *OTHERS)):
            for i in range(4):
                record(self.file(name, f"low/{i}.wav"), 200 + 50 * at + 5 * i)
                record(self.file(name, f"high/{i}.wav"), 2000 + 50 * at + 5 * i)

    def file(self, name: str, file: str) -> Path:
        return self.folder / "data" / name / file

    def run(self, *options: object) -> Answer:
        answer = self.call("run", self.suite, "--data", self.folder / "data", "--runs", self.runs, *options)
        assert answer.status == 0, answer.err
        return answer

    def keys(self, *kinds: str) -> set[str]:
        return {path.parent.name for kind in kinds for path in self.runs.glob(f"{kind}/*/result.json")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an older version left: keys by sizes, no seals, one plan a name."""
    folder = tmp_path_factory.mktemp("old")
    patch = pytest.MonkeyPatch()
    patch.setattr(Digests, "listing", lambda self, task, clips: listing_hash(clips))

    def call(*arguments: object) -> Answer:
        from audiobench.cli import _app

        _app()([str(one) for one in arguments], standalone_mode=False)
        return Answer(0, "", "")

    old = Old(folder, call)
    try:
        old.run("--device", "cpu")
    finally:
        patch.undo()
    for path in old.runs.glob("*/*/result.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps({name: value for name, value in record.items() if name not in ("files", "sha256")}))
    (plan,) = (old.runs / "plans").iterdir()
    stored = json.loads(plan.read_text())["plan"]
    plan.rename(plan.with_name("mine.json"))
    older = {name: value for name, value in stored.items() if name not in ("texts", "older")}
    plan.with_name("mine.json").write_text(json.dumps({"schema": 1, "request": "", "plan": older}))
    shutil.rmtree(old.runs / "digests", ignore_errors=True)
    return folder


@pytest.fixture
def old(made: Path, tmp_path: Path, audiobench: Call) -> Old:
    for name in ("runs", "data"):
        shutil.copytree(made / name, tmp_path / name)
    return Old(tmp_path, audiobench)


def figures(runs: Path, key: str) -> Any:
    return json.loads((runs / "evaluate" / key / "result.json").read_text())["folds"]


WORK = ("measure", "pretrain", "embed", "evaluate")


def test_the_key_of_an_older_version_is_the_one_it_gave(old: Old) -> None:
    """The hash by sizes and the key that revision 7bd9be7 gave this very pack."""
    plan = Request(old.suite, None, old.folder / "data").plan(Store(old.folder / "none"))
    (key,) = [key for key, job in plan.jobs.items() if job.kind == "pack" and "tested" in str(job.config)]
    assert plan.older[key] == "d02c4ee737da57d914bbfe9fa65e2d40"
    assert (old.runs / "pack" / plan.older[key]).is_dir()


def test_a_finished_store_is_taken_over_and_nothing_is_done_again(old: Old) -> None:
    before = old.keys(*WORK)
    inodes = {path.stat().st_ino for path in old.runs.glob("*/*/*.parquet") if path.parts[-3] == "evaluate"}
    planned = old.call("plan", old.suite, "--data", old.folder / "data", "--runs", old.runs)
    assert f"{len(before)} were done by an older audiobench" in planned.out
    answer = old.run()
    told = answer.err.splitlines()
    assert f"{len(before)} results of an older audiobench are of the same recordings, and were taken over" in told
    assert all(line.startswith(("pack ", f"{len(before)} results")) for line in told), told
    after = old.keys(*WORK)
    assert len(after) == len(before)
    assert not after & before
    assert {p.stat().st_ino for p in old.runs.glob("*/*/*.parquet") if p.parts[-3] == "evaluate"} == inodes
    assert [path.name.count(".") for path in (old.runs / "plans").iterdir()] == [2]  # the older plan is gone
    assert old.call("store", "check", "--runs", old.runs).status == 0
    assert "20 jobs, 20 done" in old.call("plan", old.suite, "--data", old.folder / "data", "--runs", old.runs).out
    assert old.run().err == ""


@pytest.mark.parametrize("name", ["tested", "corpus", OTHERS[2]])
def test_results_of_other_recordings_are_not_taken_over(old: Old, name: str) -> None:
    before = old.keys("evaluate")
    record(old.file(name, "low/1.wav"), 500)  # as many bytes
    answer = old.run()
    done = [line for line in answer.err.splitlines() if line.startswith(("knn", "finetune"))]
    assert len(done) == {"tested": 6, "corpus": 2, OTHERS[2]: 2}[name]
    assert all("npid" in line for line in done) or name == "tested"
    assert ("pretrain npid" in answer.err) == (name != "tested")
    assert "taken over" in answer.err  # what does not rest on it
    kept = old.keys("evaluate") & before  # beside what is new
    assert len(kept) == len(done)
    assert (old.runs / "plans" / "mine.json").exists()


def test_without_evidence_of_every_pack_a_pretraining_is_not_taken_over(old: Old) -> None:
    (pretrain,) = [json.loads(path.read_text()) for path in old.runs.glob("pretrain/*/job.json")]
    shutil.rmtree(old.runs / "pack" / pretrain["needs"]["exclude 1"])
    answer = old.run()
    assert "pretrain npid" in answer.err
    assert "finetune" not in answer.err


def test_an_unfinished_pretraining_goes_on_under_its_new_key(old: Old) -> None:
    (older,) = old.keys("pretrain")
    partial = old.runs / ".partial"
    shutil.rmtree(old.runs / "pretrain")
    for kind in ("embed", "evaluate"):
        shutil.rmtree(old.runs / kind)
    (partial / f"{older}.checkpoint").write_text("no tensors")
    told = old.run("--entry", "npid").err
    assert "cannot be read" in told  # it was found, and is only set aside because it holds nothing
    assert not (partial / f"{older}.checkpoint").exists()


def test_what_another_plan_names_stays_under_its_older_name_too(old: Old) -> None:
    before = old.keys(*WORK)
    other = json.loads((old.runs / "plans" / "mine.json").read_text())
    other["plan"]["name"] = "other"
    (old.runs / "plans" / "other.json").write_text(json.dumps(other))
    old.run()
    assert old.keys(*WORK) > before
    board = old.call("leaderboard", "other", "--runs", old.runs, "--format", "json")
    assert all(cell["mean"] is not None for cell in json.loads(board.out)["cells"])


def test_records_without_packs_are_converted_beside_packs_in_another_store(old: Old) -> None:
    for kind in ("measure", "pretrain", "embed", "pack"):
        (old.runs / kind).rename(old.folder / kind)
    fresh = Store(old.folder / "fresh")
    request = Request(old.suite, None, old.folder / "data")
    plan: Plan = request.plan(fresh)
    old.runs, records = old.folder / "fresh", Store(old.runs)
    old.run("--entry", "random", "--protocol", "knn")
    taken = adopt.adopt(plan, records, fresh)
    assert {job.title for job in taken} == {
        f"{protocol} random on folder, fold {fold}" for protocol in ("knn", "finetune") for fold in (1, 2)
    }
    for job in taken:
        assert figures(records.root, job.key)
        assert json.loads((records.folder(job) / "result.json").read_text())["key"] == job.key
        assert json.loads((records.folder(job) / "job.json").read_text())["needs"] == job.needs.canonical()
    assert adopt.adopt(plan, records, fresh) == []
    for kind in ("pretrain", "pack"):  # which tell of the corpus and of what was left out of it
        shutil.copytree(old.folder / kind, fresh.root / kind, dirs_exist_ok=True)
    old.run("--entry", "npid")
    taken = adopt.adopt(plan, records, fresh)
    assert {job.title for job in taken} == {f"knn npid on folder, fold {fold}" for fold in (1, 2)}


@pytest.mark.parametrize("timm", [version("timm"), "0.1"])
def test_weights_without_a_full_name_are_those_of_the_same_timm(tmp_path: Path, timm: str) -> None:
    suite = TINY[: TINY.index("control:")] + TINY[TINY.index("frontend:") : TINY.index("pretrain:")]
    suite = suite.replace("{name: cnn10, width: 4, dropout: 0.1}", "{name: esresnet, depth: 18}")
    suite += "entries: {a: {weights: imagenet}}\ntasks: [{name: sounds, clips: 2}]\nprotocols: {knn: {k: [1]}}\n"
    (tmp_path / "mine.yaml").write_text(suite)
    store = Store(tmp_path / "runs")
    plan = Request(tmp_path / "mine.yaml", None, None).plan(store)
    (embed,) = [job for job in plan.jobs.values() if isinstance(job, EmbedJob)]
    older = EmbedJob(embed.config.model_copy(update={"weights": WeightsKey(kind="imagenet")}), embed.needs)
    assert plan.older[embed.key] == older.key
    store.folder(older).mkdir(parents=True)
    record = {**EMBEDDED, "key": older.key, "environment": {"versions": {"timm": timm}}}
    (store.folder(older) / "result.json").write_text(json.dumps(record))
    assert adopt.adopt(plan, store, store) == ([embed] if timm == version("timm") else [])
