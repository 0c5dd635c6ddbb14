"""Few labels: how many clips of a class train, and the columns of a leaderboard that this makes of a protocol."""

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
    """What a protocol that works on embeddings alone takes beside its own settings."""

    model_config = ConfigDict(extra="forbid")
    shots: list[Annotated[Annotated[int, Field(ge=1)] | Literal["all"], BeforeValidator(_is_shot)]] = Field(
        [ALL],
        min_length=1,
        json_schema_extra={"uniqueItems": True},
        description="a column each: how many clips of each class train, or all",
    )
    draws: int = Field(5, ge=1, le=1000, description="random subsets of so many clips, a job each")

    @field_validator("shots")
    @classmethod
    def _once(cls, shots: list[int | str]) -> list[int | str]:
        twice = next((one for one in shots if shots.count(one) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice} stands there twice")
        return shots


@dataclass(frozen=True)
class Column:
    """A protocol on all training clips, or on few.

    Args:
        protocol: its name in the suite.
        choice: the component with its settings.
        shots: how many clips of each class train; None for all.
        draws: how many random subsets of so many are evaluated.
    """

    protocol: str
    choice: "Choice[Protocol]"
    shots: int | None = None
    draws: int = 1

    @property
    def name(self) -> str:
        """What stands above it."""
        return self.protocol if self.shots is None else f"{self.protocol} {self.shots}-shot"


def columns_of(protocol: str, choice: "Choice[Protocol]", few: Few) -> list[Column]:
    """The columns of a protocol, in the order of its shots."""
    return [
        Column(protocol, choice, shots, few.draws) if isinstance(shots, int) else Column(protocol, choice)
        for shots in few.shots
    ]


def objections(few: Few, choice: "Choice[Protocol]", targets: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """What speaks against it: the key, what is wrong, and what to do.

    Args:
        few: what is asked.
        choice: of which protocol.
        targets: of each task, empty where its clips are not listed yet.
    """
    found = []
    if "draws" in few.model_fields_set and "shots" not in few.model_fields_set:
        found.append(("draws", "draws are of few shots, and none are named", "add shots: [1, 5, all]"))
    if "shots" in few.model_fields_set and not takes_few(choice.build()):
        what = f"{choice.name} works on the model here, and few shots are for protocols on embeddings alone"
        found.append(("shots", what, "leave shots out, and augment where it is what asks for the model"))
    holds = {task: find_target(name).holds for task, name in targets.items() if name and not find_target(name).by_class}
    if holds and any(shots != ALL for shots in few.shots):
        listed = ", ".join(f"{task} has {what}" for task, what in holds.items())
        found.append(("shots", f"shots are drawn class by class, and {listed}", "leave shots out, or the task"))
    return found


def without_few(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A protocol's own settings, and what is said of few labels."""
    own = {key: value for key, value in fields.items() if key not in Few.model_fields}
    return own, {key: value for key, value in fields.items() if key in Few.model_fields}


def takes_few(protocol: "Protocol | type[Protocol]") -> bool:
    """Whether few labels can be asked of a protocol, or of its class: it works on embeddings alone."""
    return bool(protocol.uses_embeddings and not protocol.uses_model)
