"""The points of a map, kept beside the records: damaged ones are made anew."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from leaderboard.report.maps import _projected
from tests.benchmark.store.test_flipped import harmed
from tests.jobs import embed_job


class Anew(Exception):
    """The embeddings are opened, to project them again."""


def opened(*given: object, **named: object) -> None:
    raise Anew


def test_a_map_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    evidence: Any = SimpleNamespace(store=SimpleNamespace(root=tmp_path, opened=opened))
    tested, job, (points, chosen) = (
        np.arange(9),
        embed_job("p"),
        (np.random.default_rng(0).random((4, 2)), np.arange(4)),
    )
    path = tmp_path / "maps" / f"{job.key}-9.npz"
    path.parent.mkdir()
    np.savez(path, points=points, chosen=chosen)
    whole, anew = path.read_bytes(), 0
    for content in list(harmed(whole))[::5]:
        path.write_bytes(content)
        try:
            found = _projected(evidence, job, tested)
        except Anew:
            anew += 1
        else:
            assert np.array_equal(found[0], points)
            assert np.array_equal(found[1], chosen)
    assert anew > len(whole) / 10
