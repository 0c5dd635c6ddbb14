"""How the time of knn and of freeze grows with the clips: knn's with the clips squared, which are its pairs."""

import time
from collections.abc import Iterator, Mapping

from tests.speed import Row, exponent
from tests.speed._made import evaluated, made

_CLIPS = (1000, 4000, 16000)  # at 64,000 neighbours take two minutes
_DIM, _CLASSES = 256, 10


def rows() -> Iterator[Row]:
    yield exponent("knn with its choice of K, 5 folds, pairs of clips", _seconds("knn", power=2))
    yield exponent("freeze, 5 folds, 3 epochs, clips", _seconds("freeze", epochs=3))


def _seconds(name: str, power: int = 1, **settings: int) -> dict[int, float]:
    """CPU seconds by size; the shortest of three."""
    return {clips**power: min(_of(name, clips, settings) for _ in range(3)) for clips in _CLIPS}


def _of(name: str, clips: int, settings: Mapping[str, int]) -> float:
    subject, split = made(clips, _DIM, _CLASSES)
    began = time.process_time()
    evaluated(name, subject, split, settings)
    return time.process_time() - began
