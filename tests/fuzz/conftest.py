"""How many cases hypothesis draws: few in every run of the tests, AUDIOBENCH_FUZZ of each property where it is set."""

import os

from hypothesis import HealthCheck, settings

_CASES = int(os.environ.get("AUDIOBENCH_FUZZ", "0"))
FEW = settings(
    max_examples=_CASES or 20,
    derandomize=not _CASES,  # the same cases in every run of the tests, and others in a search for faults
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
