"""Jobs: units of work named by what determines their figures."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Kind = Literal["pack", "measure", "pretrain", "embed", "evaluate"]
RECORD_SCHEMA = 1


@dataclass(frozen=True)
class Job:
    """One unit of work.

    Args:
        kind: pack, measure (statistics of a front end's output), pretrain, embed or evaluate.
        config: everything that is meant to change its figures, and nothing else (no device, no worker count).
        needs: keys of the jobs whose results it uses, by role.
        title: for people; not in the key.
        blocked: why it cannot be run, where the plan already knows.
        remarks: what is odd about the data it packs; not in the key.
    """

    kind: Kind
    config: dict[str, Any]
    needs: dict[str, str] = field(default_factory=dict)
    title: str = ""
    blocked: str = ""
    remarks: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of kind, config and needs: equal keys are the same work."""
        content = {"schema": RECORD_SCHEMA, "kind": self.kind, "config": self.config, "needs": self.needs}
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:32]

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "schema": RECORD_SCHEMA,
            "kind": self.kind,
            "config": self.config,
            "needs": self.needs,
            "title": self.title,
            "blocked": self.blocked,
            **({"remarks": list(self.remarks)} if self.remarks else {}),
        }

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Job":
        """A job from its stored form."""
        remarks = tuple(stored.get("remarks", ()))
        return Job(stored["kind"], stored["config"], stored["needs"], stored["title"], stored["blocked"], remarks)
