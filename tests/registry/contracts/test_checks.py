"""Every check can fail: for each there is a component that fails it, and no other."""

import importlib
from pathlib import Path

import pytest

from registry.contracts import Check, Finding, checks_in, contract_of, findings
from registry.lookup import AUGMENTATIONS, KINDS, AnyComponent, Kind, load_plugin

BROKEN = Path(__file__).parent / "broken"
OF_EVERY_KIND = checks_in(importlib.import_module("registry.contracts._every_kind"))


def cases() -> list[tuple[str, Kind[AnyComponent], list[Check]]]:
    return [
        ("_every_kind", AUGMENTATIONS, OF_EVERY_KIND),
        *((kind.folder, kind, checks_in(contract_of(kind))) for kind in KINDS),
    ]


def names(file: str) -> list[str]:
    return [found.partition("/")[2] for found in load_plugin(BROKEN / f"{file}.py")]


def failed(found: list[Finding]) -> set[str]:
    return {finding.check for finding in found if finding.state == "failed"}


@pytest.mark.parametrize(("file", "kind", "checks"), cases(), ids=lambda case: case if isinstance(case, str) else "")
def test_each_check_is_failed_by_its_broken_component_and_by_no_other(
    file: str, kind: Kind[AnyComponent], checks: list[Check]
) -> None:
    broken = names(file)
    assert {name.partition("-")[0] for name in broken} - {"is_made"} == {"whole", *(own.__name__ for own in checks)}
    for name in broken:
        found = list(findings(kind, name))
        assert failed(found) == {name.partition("-")[0]} - {"whole"}, [str(own) for own in found]
        for finding in found:
            assert finding.state != "failed" or all(
                word in finding.told for word in ("expected", "; found ", "; to do: ")
            )
