"""What the command line does, as Python functions: the same plans, runs, boards and records."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import audiobench
from benchmark.jobs import evaluate, pretrain
from registry.errors import Mistake, Mistakes
from tests.audiobench.test_run import Call

Finished = tuple[Path, Path]  # a suite's file and its records


@pytest.fixture
def call(audiobench: Call) -> Call:
    """The command line, under a name that is not the package's."""
    return audiobench


def test_the_door_imports_nothing_until_it_is_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import audiobench\n"
        "assert set(sys.modules) - before == {'audiobench'}, set(sys.modules) - before\n"
        "audiobench.run, audiobench.plan, audiobench.leaderboard, audiobench.records, audiobench.load\n"
        "heavy = {'torch', 'pandas', 'numpy', 'sklearn', 'pydantic', 'registry', 'benchmark'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_name_that_the_door_lists_is_there() -> None:
    assert [name for name in audiobench.__all__ if getattr(audiobench, name, None) is None] == []


def test_a_suite_is_planned_run_and_read_again(tiny: Path, tmp_path: Path, call: Call) -> None:
    runs = tmp_path / "runs"
    planned = audiobench.plan(tiny, runs=runs)
    assert set(planned["state"]) == {"to do"}
    board = audiobench.run(tiny, entries=["random"], protocols=["knn"], runs=runs, device="cpu")
    after = audiobench.plan(tiny, runs=runs)
    assert after["key"].tolist() == planned["key"].tolist()
    assert sorted(after[after["state"] == "done"]["kind"]) == ["embed", "evaluate", "pack"]
    (cell,) = board[board["figure"].notna()].to_dict("records")
    assert (cell["suite"], cell["entry"], cell["protocol"]) == ("tiny", "random", "knn")
    told = call("plan", tiny, "--runs", runs)
    assert "3 done" in told.out
    pd.testing.assert_frame_equal(board, audiobench.leaderboard("tiny", runs=runs), check_frame_type=False)


def test_a_board_holds_what_the_command_writes(finished: Finished, call: Call, tmp_path: Path) -> None:
    suite, runs = finished
    board = audiobench.leaderboard(suite, runs=runs)
    call("leaderboard", suite, "--runs", runs, "--format", "csv", "--output", tmp_path / "board.csv")
    written = pd.read_csv(tmp_path / "board.csv")
    assert list(board.columns) == ["suite", *written.columns]
    assert board["figure"].tolist() == pytest.approx(written["figure"].tolist(), nan_ok=True)
    html = board._repr_html_()
    markdown = call("leaderboard", suite, "--runs", runs).out
    figure = f"{board['figure'].max():.3f}"
    assert figure in html
    assert figure in markdown
    assert html.count("<table>") == markdown.count("\n## ")
    assert "minus random" in html
    chosen = board[board["protocol"] == "knn"]
    assert type(chosen) is pd.DataFrame
    assert "minus random" not in str(chosen._repr_html_())  # rows that were chosen are shown, not the whole board


def test_several_folders_are_one_board(finished: Finished) -> None:
    suite, runs = finished
    once, twice = (audiobench.leaderboard(suite, runs=folders) for folders in (runs, [runs, runs]))
    pd.testing.assert_frame_equal(once, twice)


def test_records_are_typed_and_damage_is_named(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    runs = tmp_path / "runs"
    shutil.copytree(finished[1], runs)
    everything = list(audiobench.records(runs))
    assert {one.job.kind for one in everything} == {"pack", "pretrain", "embed", "evaluate"}
    evaluations = list(audiobench.records(runs, "evaluate"))
    assert len(evaluations) == 11  # of three entries, and five folds of finetune
    for one in evaluations:
        assert isinstance(one.record, evaluate.Record)
        assert one.record.key == one.job.key
        assert all(0 <= fold.figure("accuracy") <= 1 for fold in one.record.folds.values())
    trained = next(one for one in everything if one.job.kind == "pretrain")
    assert isinstance(trained.record, pretrain.Record)
    (runs / "pretrain" / trained.job.key / "result.json").write_text("{")
    capsys.readouterr()
    assert len(list(audiobench.records(runs))) == len(everything) - 1
    assert trained.job.key in capsys.readouterr().err


def test_mistakes_are_told(finished: Finished, tmp_path: Path) -> None:
    suite, runs = finished
    with pytest.raises(Mistake, match="mocoo"):
        audiobench.run(suite, entries=["mocoo"], runs=runs)
    with pytest.raises(Mistake, match="no suite was run here"):
        audiobench.leaderboard(runs=tmp_path / "none")
    with pytest.raises(Mistake, match="no folder of records"):
        audiobench.records(tmp_path / "none")
    with pytest.raises(Mistake, match="evaluations"):
        audiobench.records(runs, "evaluations")
    (tmp_path / "bad.yaml").write_text(suite.read_text().replace("cnn10", "cnn11"))
    with pytest.raises((Mistake, Mistakes), match="cnn11"):
        audiobench.plan(tmp_path / "bad.yaml", runs=runs)


def test_jobs_that_fail_are_told_and_the_others_kept(tmp_path: Path) -> None:
    from tests.conftest import TINY

    plugin = tmp_path / "broken.py"
    plugin.write_text(
        "from audiobench import Encoder, Settings\n"
        "class Broken(Encoder['Broken.Config']):\n"
        "    class Config(Settings):\n        pass\n"
        "    def __init__(self, config, channels, bins):\n"
        "        super().__init__(config, channels, bins)\n        self.embedding_dim = 2\n"
        "    def forward(self, x_BCFN):\n"
        "        if x_BCFN.shape[0] > 4:\n            raise RuntimeError('on purpose')\n"
        "        return x_BCFN.mean((1, 2)).unsqueeze(-1).expand(-1, -1, 2)\n"
    )
    suite = tmp_path / "tiny.yaml"
    suite.write_text(
        TINY.replace(
            "random: {weights: random}", "random: {weights: random}\n  bad: {encoder: broken, weights: random}"
        )
    )
    with pytest.raises(Mistake, match="on purpose"):
        audiobench.run(
            suite, entries=["random", "bad"], protocols=["knn"], runs=tmp_path / "runs", plugins=[plugin], device="cpu"
        )
    board = audiobench.leaderboard(suite, runs=tmp_path / "runs")
    assert board[board["figure"].notna()]["entry"].tolist() == ["random"]
