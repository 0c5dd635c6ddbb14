"""The signals that ask a process to stop."""

import signal

# Ctrl-C; kill; a terminal that is closed; and what batch systems send before a time limit. Windows has the first two.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
STOP_SIGNALS = tuple(signal.Signals[name] for name in _NAMES if hasattr(signal, name))


def heeded() -> list[signal.Signals]:
    """Those that this process is to heed: ``nohup``, and shells for background jobs, have some of them ignored."""
    return [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
