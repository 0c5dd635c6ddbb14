"""Signals that ask to stop, and whether they are heeded."""

import os
import signal

import pytest

from benchmark.signals import heeded


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no such signal")
def test_what_the_parent_process_ignores_is_not_heeded() -> None:
    """As under ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in heeded()
    finally:
        signal.signal(signal.SIGHUP, before)
