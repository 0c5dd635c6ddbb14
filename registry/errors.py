"""Exceptions for mistakes that a user can correct."""

from pathlib import Path


class Mistake(Exception):
    """A mistake that the user can correct: what is wrong, where, and what to do.

    The command line prints it without a traceback.

    Args:
        what: One sentence that says what is wrong, with the value received.
        where: A file, a position in it, or a component.
        fix: What to do.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where, fix)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.fix:
            lines.append(f"  to do: {self.fix}")
        return "\n".join(lines)


class Damaged(Mistake):
    """A file that is not what was written.

    Args:
        what: one sentence that says what is wrong.
        path: of the file.
        fix: what to do.
        kind: of the job whose record the file belongs to; empty if there is none.
        key: of that job.
    """

    def __init__(self, what: str, path: Path, fix: str = "", *, kind: str = "", key: str = "") -> None:
        super().__init__(what, where=str(path), fix=fix)
        self.kind, self.key = kind, key


class Interrupted(KeyboardInterrupt):
    """The process was asked to stop.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.status = 128 + number  # the exit status by which shells and batch systems know it


class Mistakes(Exception):
    """Several mistakes, reported together."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        return "\n\n".join(str(m) for m in self.mistakes)
