"""The facts that a leaderboard knows of a suite. A plan contains them, so nothing here imports torch.

A stored plan keeps its older layout: lists of columns, and beside these lists what is special about some columns.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError

from benchmark.suite.rules import Rule
from registry.errors import Mistake


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskFacts(_Facts):
    """A task as one column of a leaderboard."""

    name: str = Field(description="its name in the registry, which several columns may share")
    folds: tuple[int, ...] = Field(
        min_length=1, description="that are tested, in the suite's order; the first chooses under split1"
    )
    official_folds: PositiveInt = Field(description="how many folds the data set has")
    class_wise: int | None = Field(None, description="the fold whose figures are shown for each class")


class ProtocolFacts(_Facts):
    """A protocol as one column of a leaderboard."""

    protocol: str = Field(description="its name in the suite, which its columns with few shots share")
    shots: PositiveInt | None = Field(None, description="how many clips of each class train; null for all")


class SuiteFacts(_Facts):
    """A suite at one scale. A field's default holds for every plan that is older than the field."""

    suite: str = Field(description="its name, without the scale")
    scale: str | None = Field(description="among the suite's scales; null for the suite as it stands")
    title: str = Field(description="title of its tables")
    reproduces: str | None = Field(description="the published table whose figures stand beside the measured ones")
    anchors: tuple[str, ...] = Field(description="other systems whose published figures are listed")
    control: str | None = Field(description="the entry that the others are compared with")
    controls: Mapping[str, str] = Field({}, description="by entry, for entries with another control than the suite's")
    selection: Rule = Field(description="the rule that picks the epoch whose figures are shown")
    seeds: tuple[int, ...] = Field(min_length=1, description="every job with randomness is done once for each seed")
    samples: Literal["int16", "float32"] = Field("int16", description="type of decoded samples on disk")
    entries: tuple[str, ...] = Field(description="the rows; a swept entry is replaced by its variations")
    tasks: Mapping[str, TaskFacts] = Field(description="by column")
    protocols: Mapping[str, ProtocolFacts] = Field(description="by column")
    swept: Mapping[str, Mapping[str, Mapping[str, object]]] = Field(
        {},
        description="swept entry -> name of a variation -> path that it varies -> value",
    )

    def control_of(self, entry: str) -> str:
        """The entry that another entry is compared with: its own control, or the suite's; empty if there is none."""
        return self.controls.get(entry, self.control or "")

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "SuiteFacts":
        """The facts of a stored plan of any age.

        Raises:
            Mistake: if this version cannot read them.
        """
        try:
            return SuiteFacts.model_validate(_by_column(stored))
        except ValidationError as error:
            wrong = error.errors()[0]
            why = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = repr(error)
        what = f"a stored plan states facts of its suite that this version cannot read: {why}"
        raise Mistake(what, fix="update audiobench, or run the suite again")

    def to_json(self) -> dict[str, object]:
        """The stored form. Fields that only some suites use are left out where they are not used."""
        plain = self.model_dump(mode="json")
        samples, swept = plain.pop("samples"), plain.pop("swept")
        optional = {
            "samples": samples if samples != "int16" else None,
            "class_wise": {c: task.class_wise for c, task in self.tasks.items() if task.class_wise is not None},
            "shots": {column: facts for column, facts in plain["protocols"].items() if facts["shots"] is not None},
            "task_names": {column: task.name for column, task in self.tasks.items() if task.name != column},
            "swept": {entry: list(points) for entry, points in swept.items()},
            "variations": {name: point for points in swept.values() for name, point in points.items()},
        }
        return {
            **plain,
            "protocols": list(self.protocols),
            "tasks": {column: list(task.folds) for column, task in self.tasks.items()},
            "official_folds": {column: task.official_folds for column, task in self.tasks.items()},
            **{name: value for name, value in optional.items() if value},
        }


def _by_column(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored form, rearranged so that everything about a column is in one place."""
    facts = dict(stored)
    official, names, class_wise, shots, variations = (
        facts.pop(key, {}) for key in ("official_folds", "task_names", "class_wise", "shots", "variations")
    )
    if isinstance(class_wise.get("folds"), dict):
        class_wise = class_wise["folds"]  # older plans also stated the classes, which records state now
    facts["tasks"] = {
        column: {
            "name": names.get(column, column),
            "folds": folds,
            "official_folds": official.get(column, len(folds)),  # earlier suites could not ask for fewer
            "class_wise": class_wise.get(column),
        }
        for column, folds in facts["tasks"].items()
    }
    facts["protocols"] = {column: shots.get(column, {"protocol": column}) for column in facts["protocols"]}
    swept = facts.pop("swept", {})
    facts["swept"] = {entry: {name: variations[name] for name in names} for entry, names in swept.items()}
    return facts
