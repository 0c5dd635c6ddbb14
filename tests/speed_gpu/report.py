"""The table, and the same as JSON."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from tests.speed_gpu.bench import Row

GOAL = 1.05  # of a step's seconds, over the bare net's
_HEAD = """| work | samples a second | TFLOP/s | of the matrix rate | of the bare net | in full | hours in full | |
|---|--:|--:|--:|--:|---|--:|---|"""


@dataclass
class Done:
    """How a part ended.

    Args:
        part: its name.
        ending: ``done``, ``failed``, ``stopped`` when its time was over, or ``skipped``.
        why: it did not end well; empty if it did.
        seconds: that it took.
        rows: that it gave, also before it failed.
    """

    part: str
    ending: str = "done"
    why: str = ""
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)


@dataclass
class Report:
    """What was measured until now.

    Args:
        where: what states the device and the versions.
        parts: in their order.
    """

    where: dict[str, str]
    parts: list[Done] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Writes ``speed-gpu.json`` and ``speed-gpu.md``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "speed-gpu.json").write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        (folder / "speed-gpu.md").write_text(self.text())

    def text(self) -> str:
        """The table, and under it what was not measured."""
        matrix = [row.flops for done in self.parts if done.part == "matrix" for row in done.rows]
        whole = matrix[0] if matrix else None
        lines = [", ".join(f"{name} {value}" for name, value in self.where.items()), "", _HEAD]
        lines += [_line(row, whole) for done in self.parts for row in done.rows]
        unwell = [done for done in self.parts if done.ending != "done"]
        lines += ["", *(f"- {done.part}: {done.ending} after {done.seconds:.0f} s: {done.why}" for done in unwell)]
        return "\n".join(lines).rstrip() + "\n"


def _line(row: Row, whole: float | None) -> str:
    share = f"{row.flops / whole:.1%}" if row.flops and whole else ""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}" + (" (missed)" if row.ratio > GOAL else "")
    cells = [
        row.work,
        f"{row.rate:,.4g}" if row.rate else "",
        f"{row.flops / 1e12:.3g}" if row.flops else "",
        share,
        ratio,
        row.schedule,
        f"{row.hours:,.3g}" if row.hours is not None else "",
        row.note,
    ]
    return f"| {' | '.join(cells)} |"
