"""What the audit of installed packages makes of pip-audit's answers."""

import json
from typing import Any

from tests.audit import IGNORED, verdict


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


def package(*vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"name": "a", "version": "1", "vulns": list(vulnerabilities)}


MENDED = {"id": "PYSEC-1", "fix_versions": ["2"], "aliases": [], "description": ""}


def test_a_vulnerability_that_a_version_mends_fails() -> None:
    status, lines = verdict(answer(package(), package(MENDED)), "")
    assert status == 1
    assert lines[1] == "  a 1: PYSEC-1, mended in 2"


def test_one_that_no_version_mends_or_that_does_no_harm_is_told(monkeypatch: Any) -> None:
    assert verdict(answer(package({**MENDED, "fix_versions": []})), "")[0] == 0
    monkeypatch.setitem(IGNORED, "PYSEC-1", "we do not call it")
    status, lines = verdict(answer(package(MENDED)), "")
    assert (status, lines[1]) == (0, "  a 1: PYSEC-1, we do not call it")


def test_without_the_list_nothing_is_compared_and_that_is_said() -> None:
    skipped = {"name": "a", "skip_reason": "Dependency not found on PyPI and could not be audited: a (1)"}
    for out, err in ((answer(skipped), ""), ("", "ERROR: Could not connect"), (answer(), ""), ("[]", "")):
        status, (line,) = verdict(out, err)
        assert status == 0
        assert "NOT COMPARED" in line
    assert verdict(answer(skipped, package(MENDED)), "")[0] == 1
