"""Completion: what each shell is offered at Tab, through the variables by which shells ask."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audiobench.test_run import Call

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(params=SHELLS)
def offered(request: pytest.FixtureRequest, audiobench: Call, monkeypatch: pytest.MonkeyPatch) -> "Ask":
    return Ask(request.param, audiobench, monkeypatch)


class Ask:
    """Asks what may follow a line in one shell."""

    def __init__(self, shell: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell, self.call, self.monkeypatch = shell, call, monkeypatch

    def __call__(self, line: str) -> list[str]:
        words = line.split(" ")
        variables = {
            "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
            "zsh": {"_TYPER_COMPLETE_ARGS": line},
            "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        }[self.shell]
        with self.monkeypatch.context() as context:
            context.setenv("_AUDIOBENCH_COMPLETE", f"complete_{self.shell}")
            for name, value in variables.items():
                context.setenv(name, value)
            answer = self.call()
        assert answer.err == ""
        if self.shell == "zsh":
            return re.findall(r'(?:\(\(|\n)"([^"]+)"', answer.out)
        return [line.split("\t")[0] for line in answer.out.splitlines() if line]


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("audiobench lea", ["leaderboard"]),
        ("audiobench run quick", ["quickstart"]),
        ("audiobench run lin2022/table-3.", [f"lin2022/table-3.{i}" for i in range(1, 6)]),
        ("audiobench plan esc10 --scale cp", ["cpu"]),
        ("audiobench run quickstart --entry ", ["moco", "npid", "random", "scratch"]),
        ("audiobench run pretrained --task esc", ["esc10", "esc50"]),
        ("audiobench run pretrained --task us", ["us8k"]),
        ("audiobench run quickstart --protocol k", ["knn"]),
        ("audiobench list me", ["methods"]),
        ("audiobench show methods mo", ["moco"]),
        ("audiobench check cnn1", ["cnn10", "cnn14"]),
        ("audiobench check protocols ", ["finetune", "freeze", "knn"]),
        ("audiobench data verify gt", ["gtzan"]),
        ("audiobench data fetch esc", ["esc10", "esc50"]),
        ("audiobench export --suite quickstart mo", ["moco"]),
    ],
)
def test_names_are_offered(line: str, among: list[str], offered: Ask) -> None:
    assert offered(line) == among


def test_suite_files_are_offered_beside_shipped_ones(
    offered: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = "name: base\nentries: {one: {}, two: {}}\nscales: {tiny: {}}\ntasks: {own: esc10}\nprotocols: {knn: {}}"
    Path("queries.yaml").write_text(base)
    Path("quaver.yaml").write_text("extends: queries.yaml\nname: quaver\nentries: {three: {}}")
    assert offered("audiobench run qu") == ["quickstart", "quaver.yaml", "queries.yaml"]
    assert offered("audiobench run quaver.yaml --entry t") == ["two", "three"]
    assert offered("audiobench run quaver.yaml --scale ") == ["tiny"]
    assert offered("audiobench run quaver.yaml --task ") == ["own"]


@pytest.mark.parametrize(
    "line",
    ["run no-such --entry ", "run broken.yaml --entry ", "show nothing ", "run --entry ", "plan esc10 --scale zz"],
)
def test_what_is_wrong_offers_nothing_and_says_nothing(
    line: str, offered: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yaml").write_text("entries: [")
    assert offered(f"audiobench {line}") == []


def test_a_shell_waits_for_nothing_heavy() -> None:
    code = (
        "import sys\nfrom audiobench import completion\nimport typer\nfrom types import SimpleNamespace\n"
        "ctx = SimpleNamespace(params={'suite': 'quickstart', 'kind': 'methods'})\n"
        "for offer in ('suites', 'scales', 'entries', 'columns', 'protocols', 'kinds', 'names', 'data_sets'):\n"
        "    assert getattr(completion, offer)(ctx, '') or offer == 'scales', offer\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'pyarrow', 'matplotlib'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_for_a_shell_is_printed(shell: str, audiobench: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, f"/bin/{shell}"))
    answer = audiobench("--show-completion")
    assert answer.status == 0
    assert f"_AUDIOBENCH_COMPLETE=complete_{shell}" in answer.out
