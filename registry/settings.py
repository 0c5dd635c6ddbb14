"""The settings of a component: a pydantic model that forbids what it does not know."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every component's ``Config``: unknown fields are errors, values are checked and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Component:
    """What every registered class carries, whatever its kind.

    ``Config`` holds its settings, ``source`` says where it comes from (paper and section, or repository and path), and
    ``version`` is part of every job key: raise it when a change of code changes figures.
    """

    Config: ClassVar[type[Settings]] = Settings
    source: ClassVar[str] = "not stated"
    version: ClassVar[int] = 1
