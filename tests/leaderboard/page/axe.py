"""axe-core, which knows what the guidelines for accessibility (WCAG) ask of a page and a program can check."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page


def violations(page: "Page") -> list[str]:
    """What axe finds wrong on a page with everything unfolded, a line for each element; skips the test without axe."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]}).response
    assert len(found["passes"]) > 15  # it ran
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]
