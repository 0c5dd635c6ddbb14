"""Records and plans from elsewhere: what they name lies in the store, or is refused."""

import json
from pathlib import Path

import pytest

from benchmark.store.integrity import check_record, own_digest
from benchmark.store.store import Store
from registry.errors import Damaged, Mistake
from tests.benchmark.store.test_store import JOB
from tests.jobs import MEASURED


@pytest.mark.parametrize("name", ["../other", "/dev/zero", "..", "a/../../other"])
def test_a_record_names_files_beside_it_alone(name: str, tmp_path: Path) -> None:
    folder = Store(tmp_path).folder(JOB)
    folder.mkdir(parents=True)
    (folder.parent / "other").write_bytes(b"")
    record = {**MEASURED, "key": JOB.key, "files": {name: {"bytes": 0, "sha256": ""}}}
    (folder / "result.json").write_text(json.dumps({**record, "sha256": own_digest(record)}))
    with pytest.raises(Damaged, match=r"names a file that is not beside it|is no file"):
        check_record(JOB.kind, folder, large=True)


@pytest.mark.parametrize("key", ["../x", "/etc", "", "..", "a/b", "a.gone"])
def test_a_key_is_no_path(key: str, tmp_path: Path) -> None:
    with pytest.raises(Mistake, match="is no key of a job"):
        Store(tmp_path).find("pack", key)
