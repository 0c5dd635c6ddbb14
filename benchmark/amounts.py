"""Times and sizes in words."""

_KILO = 1000


def duration(seconds: float) -> str:
    """A time in two units at most: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours:,} h {left:02} min" if hours else f"{minutes} min {rest:02} s"


def size(number: float) -> str:
    """Bytes in a unit of a thousand, a million, ...: ``3.1 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < _KILO:
            return f"{number:.{0 if unit == 'B' or number >= 100 else 1}f} {unit}"
        number /= _KILO
    return f"{number:,.1f} TB"
