"""What mkdocs is told beside ``mkdocs.yml``: pages from elsewhere in the repository, and the reference."""

import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
import _reference  # noqa: E402 - found by the lines above

BROUGHT = {
    "README.md": "index.md",
    **{name: name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")},
    **{
        path.relative_to(ROOT).as_posix(): path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "leaderboard").rglob("*.md"))
    },
    "docs/tutorial.ipynb": "tutorial.md",
}  # by its path in the repository, a page's path in the site
_ORIGINS = {page: origin for origin, page in BROUGHT.items()}
_LINK = re.compile(r"\[((?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are not in ``docs/``, or are made now."""
    for origin, page in BROUGHT.items():
        text = (ROOT / origin).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=notebook(text) if origin.endswith(".ipynb") else text))
    for page, text in _reference.pages().items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leads links to where their targets are in the site; comments are for tests, and left out."""
    here = page.file.src_uri
    origin = _ORIGINS.get(here, f"docs/{here}")

    def led(match: re.Match[str]) -> str:
        words, link, anchor = match.groups()
        words = re.sub(_LINK, led, words) if "](" in words else words
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
        inside = BROUGHT.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if inside is None:
            return words  # a file of the repository that is no page
        return f"[{words}]({posixpath.relpath(inside, posixpath.dirname(here) or '.')}{anchor or ''})"

    pieces = re.split(r"(```.*?```)", re.sub(r" *<!--.*?-->\n?", "", markdown, flags=re.DOTALL), flags=re.DOTALL)
    return "".join(piece if i % 2 else re.sub(_LINK, led, piece) for i, piece in enumerate(pieces))


def notebook(text: str) -> str:
    """A notebook as a page: its words, its code, and no outputs."""
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(parts) + "\n"
