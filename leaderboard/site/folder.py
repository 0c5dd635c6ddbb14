"""The folder of a site. It remembers, in ``site.json``, which files the site wrote and what each page was made from."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from benchmark.store.files import write_text
from leaderboard.site.summary import Summary
from registry.errors import Mistake

INDEX = "index.html"
STATE = "site.json"
# Paths of a state are deleted and written: none leads out of the folder.
OwnPath = Annotated[
    str, StringConstraints(pattern=r"^(index\.html|suites/[A-Za-z0-9][A-Za-z0-9.@_-]*\.(html|md|csv))$")
]


class Page(BaseModel):
    """What is remembered of a suite's page.

    Args:
        made_from: names everything that the page shows: see ``leaderboard.site.origin``.
        files: of the suite.
        summary: what the index says of it.
    """

    model_config = ConfigDict(extra="forbid")

    made_from: str
    files: list[OwnPath]
    summary: Summary


class _State(BaseModel):
    """The content of ``site.json``: by the suite's name, the pages; by their path, the SHA-256 of all files.

    Other versions may remember other things of a page, which is then made anew; that files are ours must stay known.
    """

    model_config = ConfigDict(extra="forbid")

    generator: Literal["audiobench site"] = "audiobench site"
    pages: dict[str, Any] = {}
    files: dict[OwnPath, str] = {}


@dataclass
class SiteFolder:
    """The folder of a site, with its state.

    The state is written before the files that it names: a site that was interrupted knows all files that are its own,
    and finds that those that are not there yet are not as written.
    """

    root: Path
    state: _State

    @staticmethod
    def open(root: Path) -> "SiteFolder":
        """A folder, which need not be there yet.

        Raises:
            Mistake: if it has a ``site.json`` that is none of ours.
        """
        path = root / STATE
        try:
            return SiteFolder(root, _State.model_validate_json(path.read_bytes()))
        except FileNotFoundError:
            return SiteFolder(root, _State())
        except ValidationError:
            what = "this is not the state of a site"
            raise Mistake(what, where=str(path), fix="name another folder, or move this file away") from None

    def require_own(self, paths: Collection[str]) -> None:
        """Refuses to write over a file that no site wrote.

        Raises:
            Mistake: if there is one.
        """
        for path in paths:
            if path not in self.state.files and (self.root / path).exists():
                what = "a file that no site wrote has the name of one of the site's"
                raise Mistake(what, where=str(self.root / path), fix="name another folder, or move this file away")

    def kept(self, name: str, made_from: str, files: Sequence[str]) -> Page | None:
        """A suite's page, if it was made from the same, and all its files are as they were written."""
        try:
            page = Page.model_validate(self.state.pages.get(name))
        except ValidationError:
            return None
        same = page.made_from == made_from and page.files == list(files)
        return page if same and all(map(self._is_as_written, files)) else None

    def write(self, texts: Mapping[str, str], pages: Mapping[str, Page] | None = None) -> None:
        """Writes files by their path, each whole; one that has its text already is left as it is."""
        self.state.files |= {path: _sha256(text.encode(errors="backslashreplace")) for path, text in texts.items()}
        self.state.pages |= {name: page.model_dump() for name, page in (pages or {}).items()}
        changed = [path for path in texts if not self._is_as_written(path)]
        if changed:
            self._remember()
        for path in changed:
            write_text(self.root / path, texts[path])

    def leave_out(self, pages: Mapping[str, Page]) -> list[Path]:
        """Deletes the files of suites that are not among these. Returns those that somebody changed: they stay."""
        wanted = {INDEX, *(path for page in pages.values() for path in page.files)}
        foreign = []
        for path in sorted(self.state.files.keys() - wanted):
            if self._is_as_written(path):
                (self.root / path).unlink()
            elif (self.root / path).exists():
                foreign.append(self.root / path)
        before = self.state.model_dump_json()
        self.state.files = {path: digest for path, digest in self.state.files.items() if path in wanted}
        self.state.pages = {name: page.model_dump() for name, page in pages.items()}
        if self.state.model_dump_json() != before:
            self._remember()
        return foreign

    def _is_as_written(self, path: str) -> bool:
        try:
            return self.state.files.get(path) == _sha256((self.root / path).read_bytes())
        except OSError:
            return False

    def _remember(self) -> None:
        write_text(self.root / STATE, self.state.model_dump_json(indent=1) + "\n")


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of files for the names of suites, without signs that a link would have to quote; all differ on any disk."""
    plain = {name: re.sub(r"[^A-Za-z0-9.@_-]+", "-", name).strip("-.@_") or "suite" for name in names}
    uses = Counter(short.lower() for short in plain.values())
    return {
        name: short if uses[short.lower()] == 1 else f"{short}-{_sha256(name.encode(errors='backslashreplace'))[:8]}"
        for name, short in plain.items()
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
