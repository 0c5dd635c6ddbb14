"""Coverage-guided fuzzing with atheris: ``python -m tests.fuzz.coverage suites -runs=100000``.

``suites``, ``tables``, ``records`` and ``plans`` are the targets; what follows is libFuzzer's. It stops at the first
input that is neither read nor refused with a Mistake, and writes it into a file. Needs the extra ``fuzz``.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["benchmark", "registry"]):
    from benchmark.ledger.plan import Plan
    from benchmark.ledger.request import asked_digest
    from benchmark.store.integrity import read_json, read_record
    from benchmark.store.store import Store
    from benchmark.suite.document import parse_document
    from benchmark.suite.sweep import expand_sweep
    from registry.errors import Damaged, Mistake
    from registry.tasks._tables import read_table

from tests.conftest import TINY
from tests.fuzz.made import made_store

_PLACE = Path(tempfile.mkdtemp())


def suites(content: bytes) -> None:
    with suppress(Mistake):
        document = parse_document(content.decode("utf-8", "ignore"), "s.yaml")
        if isinstance(document.data, dict):
            asked_digest(document)
            expand_sweep(document, lambda what, where, fix: None)


def tables(content: bytes) -> None:
    (_PLACE / "t.csv").write_bytes(content)
    with suppress(Mistake):
        assert read_table(_PLACE / "t.csv", ["filename", "fold"], "the table is")


def records(content: bytes) -> None:
    folder = _PLACE / "evaluate" / "k"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_bytes(content)
    with suppress(Damaged):
        read_record("evaluate", folder)


def plans(content: bytes) -> None:
    (_PLACE / "p.json").write_bytes(content)
    with suppress(Mistake):
        Plan.from_json(read_json(_PLACE / "p.json"))


def seeds(target: str) -> list[bytes]:
    """Inputs to begin with."""
    made = made_store(_PLACE / "made")
    stored = next((_PLACE / "made").glob("evaluate/*/result.json"))
    record = {name: value for name, value in json.loads(stored.read_text()).items() if name not in ("files", "sha256")}
    record.pop("key")
    plan = Store(_PLACE / "made").load_plan("made")
    assert plan
    assert plan["plan"]["name"] == made.name
    table = "filename,fold,note\r\na.wav,1,x\r\n"
    return {
        "suites": [TINY.encode(), b"a: &a {b: [1, 2]}\nc: {<<: *a}\n"],
        "tables": [table.encode(), table.encode("utf-16"), table.replace(",", ";").encode("utf-8-sig")],
        "records": [json.dumps(record).encode()],
        "plans": [json.dumps(plan["plan"]).encode()],
    }[target]


TARGETS: dict[str, Callable[[bytes], None]] = {"suites": suites, "tables": tables, "records": records, "plans": plans}


def main() -> None:
    name, *options = sys.argv[1:]
    corpus = _PLACE / "corpus"
    corpus.mkdir()
    for i, seed in enumerate(seeds(name)):
        (corpus / str(i)).write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
