"""Damaged records: every bit is checked, and one bad file costs its own job alone."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.jobs.evaluate import model_of
from benchmark.ledger.execute import carry_out, needed
from benchmark.ledger.executors import Options
from benchmark.ledger.plan import Plan
from benchmark.ledger.request import Request
from benchmark.ledger.work import Work
from benchmark.store.integrity import check_record, read_record
from benchmark.store.store import Store
from registry.errors import Damaged
from registry.targets.several_labels import SeveralLabels
from tests.audiobench.test_run import Call, results

KINDS = {
    "pack": ("samples.i16", "clips.parquet"),
    "pretrain": ("encoder.safetensors", "metrics.jsonl"),
    "embed": ("embeddings.safetensors",),
    "evaluate": ("predictions.parquet", "epochs.parquet"),
}
FILES = [(kind, name) for kind, names in KINDS.items() for name in (*names, "job.json", "result.json")]
MOCO = ("--entry", "moco", "--protocol", "knn", "--protocol", "freeze")


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: rng.randrange(1, path.stat().st_size - 1)])


def empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


@pytest.fixture
def runs(finished: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[1], tmp_path / "runs"))


def plan_of(runs: Path) -> Plan:
    stored = Store(runs).load_plan("tiny")
    assert stored
    return Plan.from_json(stored["plan"])


def chain(runs: Path, protocol: str = "knn") -> dict[str, Path]:
    """The folders of one evaluation of moco, and of all that it rests on."""
    plan = plan_of(runs)
    row = next(row for row in plan.rows if (row.entry, row.protocol) == ("moco", protocol))
    needs = model_of(plan.evaluation(row), plan.jobs)[1]
    embedded = plan.evaluation(row).needs.embed
    assert embedded
    assert needs.pretrain
    keys = {"evaluate": row.key, "embed": embedded, "pretrain": needs.pretrain, "pack": needs.pack}
    return {kind: runs / kind / key for kind, key in keys.items()}


def found_in(kind: str, folder: Path) -> Damaged | None:
    try:
        check_record(kind, folder, large=True)
    except Damaged as damage:
        return damage
    return None


def unseal(folder: Path) -> None:
    """Makes a record one of an earlier version."""
    path = folder / "result.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({name: record[name] for name in record if name not in ("files", "sha256")}))


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_any_flipped_bit_cut_or_emptied_file_is_noticed_and_named(kind: str, name: str, runs: Path) -> None:
    folder, rng = chain(runs)[kind], random.Random(name)
    path = folder / name
    whole, meant = path.read_bytes(), read_record(kind, folder)
    for damage in [*[flip] * 40, *[cut] * 5, empty]:
        damage(path, rng)
        noticed = found_in(kind, folder)
        if noticed is None:  # of JSON, an e in the place of an E says the same
            assert name == "result.json"
            assert read_record(kind, folder) == meant
        else:
            assert (noticed.where, noticed.kind, noticed.key) == (str(path), kind, folder.name)
            assert name in noticed.what
        path.write_bytes(whole)
    check_record(kind, folder, large=True)


@pytest.mark.parametrize("content", ["", "null", "[]", "3", "{", "{}", '{"schema": 1}', '{"schema": 1, "files": 1}'])
@pytest.mark.parametrize("name", ["result.json", "job.json"])
def test_json_of_another_form_is_damage_in_records_of_any_age(content: str, name: str, runs: Path) -> None:
    folder = chain(runs)["evaluate"]
    unseal(folder)
    check_record("evaluate", folder, large=True)
    (folder / name).write_text(content)
    noticed = found_in("evaluate", folder)
    assert noticed
    assert Path(noticed.where).parent == folder
    assert name in noticed.what or content in ("{}", '{"schema": 1}')


@pytest.mark.parametrize(("kind", "name"), [one for one in FILES if not one[1].endswith("json")])
def test_a_cut_is_noticed_without_digests(kind: str, name: str, runs: Path) -> None:
    folder, rng = chain(runs, "freeze")[kind], random.Random(name)
    unseal(folder)
    check_record(kind, folder, large=True)
    for damage in (cut, empty, lambda path, _: path.unlink()):
        whole = (folder / name).read_bytes()
        damage(folder / name, rng)
        if not (name == "metrics.jsonl" and damage is empty):  # no lines are lines, too
            noticed = found_in(kind, folder)
            assert noticed
            assert Path(noticed.where).parent == folder
        (folder / name).write_bytes(whole)


HARM: dict[str, tuple[Callable[[Path, random.Random], None], dict[str, str]]] = {
    "flip": (flip, {kind: names[0] for kind, names in KINDS.items()}),
    "cut": (cut, {kind: names[-1] for kind, names in KINDS.items()}),
    "empty": (empty, {"pack": "result.json", "pretrain": "job.json", "embed": "result.json", "evaluate": "job.json"}),
}


@pytest.mark.parametrize("how", HARM)
def test_a_run_names_what_is_damaged_keeps_it_and_makes_it_again(
    how: str, finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    harm, names = HARM[how]
    folders = chain(runs)
    for kind, name in names.items():
        harm(folders[kind] / name, random.Random(kind))
    harmed = {kind: (folders[kind] / name).read_bytes() for kind, name in names.items()}
    answer = audiobench("run", finished[0], "--runs", runs, *MOCO)
    assert answer.status == 0, answer.err
    for kind, name in names.items():
        assert f"where: {folders[kind] / name}" in answer.err
        aside = runs / ".aside" / kind / f"{folders[kind].name}.1"
        assert f"kept in {aside}" in answer.err
        assert (aside / name).read_bytes() == harmed[kind]
        assert results(runs, kind) == results(finished[1], kind)
        check_record(kind, folders[kind], large=True)
    assert audiobench("run", finished[0], "--runs", runs, *MOCO).err == ""


def test_a_run_looks_at_what_finished_jobs_used_and_does_not_miss_what_is_gone(
    finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    folders = chain(runs)
    shutil.rmtree(folders["pretrain"])
    flip(folders["pack"] / "samples.i16", random.Random(0))
    asked = ("run", finished[0], "--runs", runs, *MOCO)
    answer = audiobench(*asked, "--dry-run")
    assert answer.out.startswith("tiny: 1 jobs, 0 done")
    assert f"damaged pack     {folders['pack'].name[:12]}" in answer.out
    assert folders["pack"].exists()
    answer = audiobench(*asked)
    assert answer.status == 0, answer.err
    (done,) = (line for line in answer.err.splitlines() if line.endswith(" s)"))
    assert done.startswith("pack sounds: 100 clips")
    assert results(runs, "pack") == results(finished[1], "pack")
    assert not folders["pretrain"].exists()


def test_a_leaderboard_leaves_what_is_damaged_out_names_it_and_touches_nothing(
    finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    ask = ("leaderboard", "tiny", "--runs", runs, "--format", "json")
    before = {(c["entry"], c["protocol"]): c["mean"] for c in json.loads(audiobench(*ask).out)["cells"]}
    folder = chain(runs)["evaluate"]
    flip(folder / "predictions.parquet", random.Random(0))
    answer = audiobench(*ask)
    assert answer.status == 0
    after = {(c["entry"], c["protocol"]): c["mean"] for c in json.loads(answer.out)["cells"]}
    assert after == {**before, ("moco", "knn"): None}
    assert answer.err.count(f"where: {folder / 'predictions.parquet'}") == 1
    assert "to do: run the suite again" in answer.err
    assert folder.exists()
    answer = audiobench("plan", finished[0], "--runs", runs)
    assert answer.out.startswith("tiny: 17 jobs, 16 done")
    assert f"damaged evaluate {folder.name[:12]}" in answer.out
    assert str(folder / "predictions.parquet") in answer.out
    assert folder.exists()
    for unharmed in ("pretrain/*/metrics.jsonl", "embed/*/embeddings.safetensors", "pack/*/clips.parquet"):
        for path in runs.glob(unharmed):
            cut(path, random.Random(0))
    answer = audiobench("report", finished[0], "--runs", runs)
    assert answer.status == 0, answer.err
    assert all(name in answer.err for name in ("predictions.parquet", "metrics.jsonl", "clips.parquet"))


@pytest.mark.parametrize("sealed", [True, False])
def test_predictions_in_the_place_of_others_are_noticed(sealed: bool, runs: Path, audiobench: Call) -> None:
    ask = ("leaderboard", "tiny", "--runs", runs, "--format", "json")
    for protocol, name in (("knn", "predictions.parquet"), ("freeze", "epochs.parquet")):
        folder = chain(runs, protocol)["evaluate"]
        predictions, path = pd.read_parquet(folder / "predictions.parquet"), folder / name
        label = predictions.set_index("clip").label
        forged = pd.read_parquet(path)
        forged["predicted"] = label[forged["clip"]].to_numpy()
        forged.to_parquet(path, index=False)
        if not sealed:
            unseal(folder)
    answer = audiobench(*ask)
    means = {c["protocol"]: c["mean"] for c in json.loads(answer.out)["cells"] if c["entry"] == "moco"}
    assert means == {"knn": None, "freeze": None}
    assert answer.err.count("  where: ") == 2
    assert answer.err.count("and the predictions give 1.0000") == (0 if sealed else 2)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_record_under_another_key_is_of_another_job(
    sealed: bool, finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    plan = plan_of(runs)
    ours, theirs = (next(r.key for r in plan.rows if (r.entry, r.protocol) == (e, "knn")) for e in ("random", "moco"))
    shutil.rmtree(runs / "evaluate" / ours)
    shutil.copytree(runs / "evaluate" / theirs, runs / "evaluate" / ours)
    if not sealed:
        unseal(runs / "evaluate" / ours)
    answer = audiobench("run", finished[0], "--runs", runs)
    assert answer.status == 0, answer.err
    assert f"result.json is of another job, {theirs}" in answer.err
    assert results(runs) == results(finished[1])


def test_a_folder_without_a_record_is_kept_and_the_job_done(
    finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    folder = chain(runs)["evaluate"]
    (folder / "result.json").unlink()
    assert "there is no result.json" in audiobench("leaderboard", "tiny", "--runs", runs).err
    answer = audiobench("run", finished[0], "--runs", runs, *MOCO)
    assert answer.status == 0, answer.err
    assert "there is no result.json" in answer.err
    assert results(runs) == results(finished[1])
    assert (runs / ".aside" / "evaluate" / f"{folder.name}.1" / "predictions.parquet").exists()


def test_damage_that_shows_while_a_job_runs_fails_that_job_and_is_mended_by_the_next_run(
    finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    folders, plan, store = chain(runs), plan_of(runs), Store(runs)
    shutil.rmtree(folders["evaluate"])
    rows = [row for row in plan.rows if row.key == folders["evaluate"].name]
    jobs = needed(plan, rows, store, lambda job, damage: pytest.fail(str(damage)))
    assert [job.kind for job in jobs] == ["evaluate"]
    flip(folders["embed"] / "embeddings.safetensors", random.Random(0))
    report = carry_out(Work(Request(finished[0], None, None), plan, store, "cpu"), jobs, Options())
    (reason,) = report.failed.values()
    assert "embeddings.safetensors is not what was written" in reason
    assert f"kept in {runs / '.aside' / 'embed' / folders['embed'].name}.1" in reason
    assert not folders["embed"].exists()
    assert audiobench("run", finished[0], "--runs", runs, *MOCO).status == 0
    for kind in KINDS:
        assert results(runs, kind) == results(finished[1], kind)


def test_an_evaluation_outlives_the_record_of_its_pretraining(
    finished: tuple[Path, Path], runs: Path, audiobench: Call
) -> None:
    folders = chain(runs)
    shutil.rmtree(folders["evaluate"])
    shutil.rmtree(folders["pretrain"])
    shutil.rmtree(folders["pack"])
    answer = audiobench("run", finished[0], "--runs", runs, *MOCO)
    assert answer.status == 0, answer.err
    assert not folders["pretrain"].exists()
    assert results(runs) == results(finished[1])


def test_what_a_record_says_of_rankings_is_what_its_scores_give(runs: Path) -> None:
    folder = chain(runs)["evaluate"]
    table = pd.read_parquet(folder / "predictions.parquet")
    record: dict[str, Any] = json.loads((folder / "result.json").read_text())
    for fold in record["folds"]:
        of_fold = table[table.fold == int(fold)]
        labels = of_fold.label.to_numpy()[:, None] == np.arange(len(of_fold.scores.iloc[0]))
        record["folds"][fold]["mAP"] = SeveralLabels().figure(labels, np.stack(of_fold.scores.to_list()))
    table["label"] = [[label] for label in table.label]
    table.to_parquet(folder / "predictions.parquet", index=False)
    record["metric"] = "mAP"
    for name in ("files", "sha256", "target", "judge"):  # as of an earlier version
        del record[name]
    (folder / "result.json").write_text(json.dumps(record))
    check_record("evaluate", folder, large=False)
    record["folds"]["1"]["mAP"] += 0.01
    (folder / "result.json").write_text(json.dumps(record))
    with pytest.raises(Damaged, match=r"states mAP .* of fold 1"):
        check_record("evaluate", folder, large=False)
