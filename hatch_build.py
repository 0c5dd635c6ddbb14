"""Puts everything that a wheel installs below one name.

In the checkout ``registry``, ``benchmark`` and ``leaderboard`` are packages of their own, which editors, mypy and an
editable install see where they lie. Beside packages of others such names could be anybody's: in a wheel they lie in
``audiobench._inside``, and what names them is rewritten, which is imports, and texts that are the name of a module. The
syntax tree tells where these are. What cannot be rewritten without doubt ends the build.
"""

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MOVED = ("registry", "benchmark", "leaderboard")
INSIDE = "audiobench._inside"  # not audiobench itself: there, leaderboard is a function
_TOPS = "|".join(MOVED)
_LEFT_OUT = ("leaderboard/records", "leaderboard/*.md", "leaderboard/*/*.md")  # for those who check figures


class Unclear(Exception):
    """Code that names a module in a way that cannot be rewritten without doubt."""


class OneName(BuildHookInterface[Any]):
    """Builds a wheel from a rewritten copy of the sources; an editable install keeps the sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the copy, and has it packed."""
        if version == "editable":
            return
        self.copy = Path(tempfile.mkdtemp(prefix="audiobench-wheel-"))
        write_tree(Path(self.root), self.copy)
        build_data["force_include"][str(self.copy / "audiobench")] = "audiobench"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Deletes the copy."""
        if version != "editable":
            shutil.rmtree(self.copy)


def write_tree(root: Path, to: Path) -> None:
    """Writes what a wheel holds, as it is to be installed.

    Args:
        root: of the sources.
        to: an empty folder, which gets ``audiobench``.

    Raises:
        Unclear: with the place, if a file names a module in a way that cannot be rewritten.
    """
    inside = to / Path(*INSIDE.split("."))
    modules = module_names(root)
    for folder in ("audiobench", *MOVED, "suites"):
        for file in _files(root, folder):
            name = file.relative_to(root)
            target = (to if folder == "audiobench" else inside) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".py":
                target.write_bytes(rewritten(file.read_bytes(), modules, str(name)))
            else:
                target.write_bytes(file.read_bytes())
    why = "The parts of audiobench. They may change with every version: import from ``audiobench``."
    (inside / "__init__.py").write_text(f'"""{why}"""\n', encoding="utf-8")


def module_names(root: Path) -> set[str]:
    """Names of all modules that a wheel moves, except for the names of the folders themselves: these are words, too."""
    paths = [file.relative_to(root).with_suffix("") for top in MOVED for file in _files(root, top, "*.py")]
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    return names - set(MOVED)


def rewritten(source: bytes, modules: set[str], name: str) -> bytes:
    """The source of a module with the names of other modules as they are where a wheel is installed.

    Args:
        source: UTF-8.
        modules: that are moved.
        name: of the file, for errors.

    Raises:
        Unclear: if it names a module in a way that cannot be rewritten.
    """
    lines = source.splitlines(keepends=True)
    try:
        places = set(_places(ast.parse(source), lines, modules))
    except Unclear as unclear:
        raise Unclear(f"{name}:{unclear}") from None
    for line, column in sorted(places, reverse=True):
        text = lines[line - 1]
        lines[line - 1] = text[:column] + f"{INSIDE}.".encode() + text[column:]
    return b"".join(lines)


def _places(tree: ast.Module, lines: list[bytes], modules: set[str]) -> Iterator[tuple[int, int]]:
    """Line, from 1, and column, in bytes, of every name that is to have ``INSIDE`` before it."""
    nodes = list(ast.walk(tree))
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    joined = [pairwise(node.values) for node in nodes if isinstance(node, ast.JoinedStr)]
    go_on = {id(piece) for pieces in joined for piece, _ in pieces}  # with a value in braces
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and not node.level and _is_moved(node.module or ""):
            start = lines[node.lineno - 1][node.col_offset :]
            found = re.match(rb"from[ \t]+(?=\w)", start)
            if not found:
                raise Unclear(f"{node.lineno}: write from and the module in one line")
            yield node.lineno, node.col_offset + found.end()
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _is_moved(alias.name):
                    if not alias.asname:
                        raise Unclear(f"{alias.lineno}: write from {alias.name} import ..., which names no folder")
                    yield alias.lineno, alias.col_offset
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield from _in_text(node, lines, modules, id(node) in go_on)


def _in_text(node: ast.Constant, lines: list[bytes], modules: set[str], goes_on: bool) -> Iterator[tuple[int, int]]:
    text = str(node.value)
    if text in modules and not goes_on:
        written = lines[node.lineno - 1][node.col_offset :]
        if not re.match(rb"""(["'])%s\1""" % re.escape(text.encode()), written):
            raise Unclear(f"{node.lineno}: write {text!r} in one piece")
        yield node.lineno, node.col_offset + 1
        return
    for found in re.finditer(rf"\b(?:{_TOPS})(?:\.\w+)*\.?", text):
        name = found.group()
        while name and name not in modules:
            name = name.rpartition(".")[0]
        if name or (goes_on and found.group().endswith(".") and found.end() == len(text)):
            what = f"{node.lineno}: {text!r} names a module inside a longer text"
            raise Unclear(f"{what}: import it and use __name__, or import_module('.NAME', __package__)")


def _is_moved(module: str) -> bool:
    return module.partition(".")[0] in MOVED


def _files(root: Path, folder: str, pattern: str = "*") -> list[Path]:
    left_out = {path for glob in _LEFT_OUT for path in root.glob(glob)}
    return sorted(
        file
        for file in (root / folder).rglob(pattern)
        if file.is_file() and "__pycache__" not in file.parts and not left_out & {file, *file.parents}
    )
