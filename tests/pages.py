"""The blocks of the documents, and how a page is run: in order, in an empty folder, on sounds that are made.

A comment just before a block says what is special about it:

- ``not run: REASON``: it is only parsed;
- ``ends with STATUS``: of its last command; 0 else;
- ``told``: a text, each line of which the block before has printed.

A comment that begins with ``first`` holds code that stands for what a reader has: it is run in its place, and not
shown. A page with a comment ``slow`` takes more than some seconds; ``needs: onnx, ...`` names packages without which it
is skipped.
"""

import ast
import contextlib
import io
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from tests.conftest import Answer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_COMMENT_OR_FENCE = re.compile(r"^ *<!--(.*?)-->\n|^( *)```(\w*)\n(.*?)^\2```$", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"# ([\w./-]+\.\w+)(?::.*)?\n")
_NOT_RUN = "not run: "
_ENDS = "ends with "


@dataclass(frozen=True)
class Block:
    """A fenced block, or a comment with code.

    Args:
        line: of its page.
        language: of the fence.
        text: between the fences.
        marks: the comments just before it.
    """

    line: int
    language: str
    text: str
    marks: tuple[str, ...]

    @property
    def is_run(self) -> bool:
        """Whether it is run, or written into a file."""
        return not any(mark.startswith(_NOT_RUN) for mark in self.marks) and self.language != "text"

    @property
    def status(self) -> int:
        """What its last command ends with."""
        return next((int(mark.removeprefix(_ENDS)) for mark in self.marks if mark.startswith(_ENDS)), 0)

    @property
    def file(self) -> str:
        """The name that its first line gives it; empty if it is no file."""
        named = _NAME.match(self.text)
        return named[1] if named and self.language != "bash" else ""

    @property
    def commands(self) -> list[list[str]]:
        """The words of every command of a shell's block."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    marks: list[str] = []
    end = 0
    for match in _COMMENT_OR_FENCE.finditer(text):
        if text[end : match.start()].strip():
            marks = []
        comment, _, language, inside = match.groups()
        end, line = match.end(), text.count("\n", 0, match.start()) + 1
        if comment is None:
            found.append(Block(line, language, dedent(inside), tuple(marks)))
            marks = []
        elif comment.strip().startswith("first\n"):
            found.append(Block(line, "python", comment.strip().removeprefix("first\n") + "\n", ()))
        else:
            marks.append(comment.strip())
    return found


def remarks(page: Path) -> list[str]:
    """Every comment of a page."""
    return [comment.strip() for comment in re.findall(r"<!--(.*?)-->", page.read_text(encoding="utf-8"), re.DOTALL)]


def run(
    page: Path, folder: Path, audiobench: Callable[..., Answer], patch: pytest.MonkeyPatch
) -> tuple[list[Answer], dict[str, Any]]:
    """Runs a page, and returns what its commands came back with, and the names that its code left.

    Args:
        page: of the documents.
        folder: an empty one.
        audiobench: the command line.
        patch: puts the process back where it was.
    """
    for remark in remarks(page):
        for package in remark.removeprefix("needs: ").split(", ") if remark.startswith("needs: ") else ():
            pytest.importorskip(package, reason=f"{package} is not installed")
    if "transformers" in sys.modules:
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(folder / "modules"))
    patch.chdir(folder)
    patch.setattr(sys, "path", [str(folder), *sys.path])
    answers: list[Answer] = []
    names: dict[str, Any] = {"__name__": "page"}
    told = ""
    with _modules_of(folder):
        for block in blocks(page):
            where = f"{page.relative_to(ROOT)}:{block.line}"
            if "told" in block.marks:
                missing = [line for line in block.text.splitlines() if _plain(line) not in _plain(told)]
                assert not missing, f"{where}: not told: {missing}\n{told}"
            elif block.is_run and block.file:
                (folder / block.file).write_text(block.text, encoding="utf-8")
            elif block.is_run and block.language == "python":
                exec(compile(block.text, where, "exec"), names)
            elif block.is_run:
                new = [_call(command, folder, audiobench) for command in block.commands]
                for answer, status in zip(new, [0] * (len(new) - 1) + [block.status], strict=True):
                    assert answer.status == status, f"{where}: {answer.out}{answer.err}"
                told = "".join(answer.out + answer.err for answer in new)
                answers += new
    return answers, names


def _call(command: list[str], folder: Path, audiobench: Callable[..., Answer]) -> Answer:
    program, *arguments = command
    if program == "audiobench":
        return audiobench(*arguments)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        runpy.run_path(str(folder / arguments[0]), run_name="__main__")
    return Answer(0, out.getvalue(), "")


@contextlib.contextmanager
def _modules_of(folder: Path) -> Iterator[None]:
    """Forgets at the end what was imported from a folder: other pages have files of the same names."""
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]


def _plain(text: str) -> str:
    """A text without the line breaks of a terminal."""
    return " ".join(text.split())


def fault(block: Block) -> str:
    """Why a block is no honest one: it is neither run nor marked, or does not parse; empty if it is."""
    if block.language not in ("bash", "python", "yaml", "toml", "text"):
        return f"the fence is of {block.language or 'no language'}: bash, python, yaml, toml or text"
    try:
        if block.language == "python":
            ast.parse(block.text)
        elif block.language == "yaml":
            document = yaml.safe_load(block.text)
            if block.is_run and not block.file:
                return "a part of a suite: give it a file's name in its first line, or say why it is not run"
            assert isinstance(document, dict)
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "bash":
            return _fault_of_shell(block)
    except (SyntaxError, ValueError, AssertionError, yaml.YAMLError) as error:
        return f"it does not parse: {error}"
    return ""


def _fault_of_shell(block: Block) -> str:
    if block.is_run:
        others = {words[0] for words in block.commands} - {"audiobench", "python"}
        others |= {" ".join(words) for words in block.commands if words[0] == "python" and len(words) != 2}
        if others:
            return f"{', '.join(sorted(others))}: such commands are not run; say why"
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        with contextlib.suppress(ValueError):  # a quote that goes on in the next line: not ours
            told = _refused(list(lexer))
            if told:
                return f"{line.strip()}: {told}"
    return ""


def _refused(words: list[str]) -> str:
    """What the command line says against the first call of ``audiobench`` in a line; empty if it takes it."""
    import typer

    from audiobench.cli import _app

    calls = [at for at, word in enumerate(words) if word == "audiobench" or word.endswith("/bin/audiobench")]
    if not calls or words[0] in ("pip", "python", "docker"):
        return ""
    arguments = []
    for word in words[calls[0] + 1 :]:
        if set(word) <= set("|&;<>"):
            break
        arguments.append(word)
    if "--install-completion" in arguments:
        return "it would write into the shell's files of who runs the tests: fence it as text"
    command: Any = typer.main.get_command(_app())
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
        if name not in command.commands:
            return f"No such command: {name}"
        command = command.commands[name]
    try:
        command.make_context("audiobench", arguments, resilient_parsing=False)
    except Exception as error:
        is_fine = type(error).__name__ == "Exit" or "does not exist" in str(error)  # --help; a folder of the reader's
        return "" if is_fine else f"{type(error).__name__}: {error}"
    return ""
