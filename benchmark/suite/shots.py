"""Training on few labels: how many clips of each class train, and the leaderboard columns that a protocol has then."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from registry.lookup import Choice
from registry.targets import find_target

if TYPE_CHECKING:
    from registry.protocols import Protocol

ALL: Literal["all"] = "all"


def _is_shot(value: Any) -> Any:
    if value != ALL and (type(value) is not int or value < 1):
        raise ValueError(f"name a number of clips, at least 1, or {ALL}")
    return value


class Few(BaseModel):
    """Settings of few-label training, which every protocol that works on embeddings alone accepts."""

    model_config = ConfigDict(extra="forbid")
    shots: list[Annotated[Annotated[int, Field(ge=1)] | Literal["all"], BeforeValidator(_is_shot)]] = Field(
        [ALL],
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="how many clips of each class train, or all; each makes a column",
    )
    draws: int = Field(5, ge=1, le=1000, description="how many random subsets of that size, a job each")

    @field_validator("shots")
    @classmethod
    def _once(cls, shots: list[int | str]) -> list[int | str]:
        twice = next((one for one in shots if shots.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} stands there twice")
        return shots


@dataclass(frozen=True)
class Column:
    """A column of a leaderboard: a protocol on all training clips, or on few.

    Args:
        protocol: its name in the suite.
        choice: the component with its settings.
        shots: how many clips of each class train; None for all.
        draws: how many random subsets of that size are evaluated.
    """

    protocol: str
    choice: "Choice[Protocol]"
    shots: int | None = None
    draws: int = 1

    @property
    def name(self) -> str:
        """The column's title."""
        return self.protocol if self.shots is None else f"{self.protocol} {self.shots}-shot"


def columns_of(protocol: str, choice: "Choice[Protocol]", few: Few) -> list[Column]:
    """The columns of a protocol, in the order of its shots."""
    return [
        Column(protocol, choice, shots, few.draws) if isinstance(shots, int) else Column(protocol, choice)
        for shots in few.shots
    ]


def shot_objections(few: Few, choice: "Choice[Protocol]", targets: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Why a protocol cannot train on these few labels. Each objection is a key, what is wrong, and what to do.

    Args:
        few: the settings of few-label training.
        choice: the protocol.
        targets: the name of each task's target; empty for a task whose clips are not listed yet.
    """
    objections = []
    if "draws" in few.model_fields_set and "shots" not in few.model_fields_set:
        objections.append(("draws", "draws are of few shots, and none are named", "add shots: [1, 5, all]"))
    if "shots" in few.model_fields_set and not takes_few(choice.build()):
        what = f"{choice.name} works on the model here, and few shots are for protocols on embeddings alone"
        objections.append(("shots", what, "leave shots out; or leave augment out, if augment makes it need the model"))
    holds = {task: find_target(name).holds for task, name in targets.items() if name and not find_target(name).by_class}
    if holds and any(shots != ALL for shots in few.shots):
        listed = ", ".join(f"{task} has {what}" for task, what in holds.items())
        objections.append(("shots", f"shots are drawn class by class, and {listed}", "leave shots out, or the task"))
    return objections


def without_few(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits fields into the protocol's settings and those of few-label training."""
    settings = {key: value for key, value in fields.items() if key not in Few.model_fields}
    return settings, {key: value for key, value in fields.items() if key in Few.model_fields}


def takes_few(protocol: "Protocol | type[Protocol]") -> bool:
    """Whether a protocol, or its class, can train on few labels: it must work on embeddings alone."""
    return bool(protocol.uses_embeddings and not protocol.uses_model)
