"""Jobs: units of work, named by all that determines their figures. Each kind is a file in ``benchmark/jobs``."""

import hashlib
import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, StringConstraints, ValidationError

from registry.errors import Mistake

if TYPE_CHECKING:
    from benchmark.jobs.workplace import Workplace

RECORD_SCHEMA = 1
_LONGEST_PLACE = 100  # characters of a stranger's name in a message
_NUMBERED = re.compile(r"(\w+) (\d+)")

Key = Annotated[str, StringConstraints(min_length=1)]  # of a job: see ``key_of``
# What stored files state. They may be a stranger's: a value out of its range would be computed with, or shown.
Measure = Annotated[FiniteFloat, Field(ge=0)]  # seconds, or a rate
Count = NonNegativeInt


class Config(BaseModel):
    """Base of a job's settings: all that determines its figures, and nothing else (no device, no worker count).

    An alias of a field is its name in keys, which never changes. A field that is not set stays out of the key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def canonical(self) -> dict[str, Any]:
        """The form that enters the key."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Needs(BaseModel):
    """Base of the jobs whose results a job uses: each field is a role, and its value the key, or keys, of the jobs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical(self) -> dict[str, str]:
        """The form that enters the key: the key of each role; several keys of one role are numbered."""
        by_role: dict[str, str] = {}
        for role, keys in self:
            if isinstance(keys, tuple):
                by_role |= {f"{role} {i}": key for i, key in enumerate(keys)}
            elif keys is not None:
                by_role[role] = keys
        return by_role

    def all_keys(self) -> list[str]:
        """The keys of all needed jobs."""
        return list(self.canonical().values())

    @classmethod
    def read(cls, stored: Mapping[str, str]) -> "Needs":
        """Needs from their canonical form."""
        roles: dict[str, Any] = {}
        for role, key in stored.items():
            numbered = _NUMBERED.fullmatch(role)
            if numbered:
                roles.setdefault(numbered[1], []).append(key)
            else:
                roles[role] = key
        return cls.model_validate(roles)


class Environment(BaseModel):
    """Where and how a job was done."""

    versions: dict[str, str] = Field({}, description="of Python, and of the packages that figures depend on")
    device: str = Field("", description="name of the GPU, or of the processor and the threads in use")
    device_type: str = Field("", description="cpu, cuda, ...")
    precision: str = Field("", description="fp32 or bf16")
    threads: Count = Field(0, description="of torch")
    commit: str | None = Field(None, description="of the code, with + where the tree differs from it")


class Forecast(BaseModel):
    """What a job was expected to take, before it began: see ``benchmark.ledger.forecast``."""

    seconds: float
    cpu_seconds: float = Field(description="of all threads of the process")
    peak_memory: dict[str, int] = Field(description="bytes, as in a record")
    disk: int = Field(description="bytes of the files beside the record")


class Record(BaseModel):
    """Base of a finished job's record. The default of a field that older records lack is here, and nowhere else.

    Beside every record of the kind are its ``files``. Of ``large`` files only the size is checked until they are read.
    """

    large: ClassVar[frozenset[str]] = frozenset()

    summary: str = Field(description="for people, in a line")
    key: str = Field("", description="of the job")
    seconds: Measure = Field(0.0, description="that the job took")
    cpu_seconds: Measure = Field(0.0, description="of all threads of the process, in this time; 0 if not known")
    peak_memory: dict[str, Count] = Field({}, description="bytes, of the process (host) and on the GPU (device)")
    forecast: Forecast | None = Field(None, description="what audiobench plan had said of these costs")
    environment: Environment = Environment()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files beside the record."""
        return ()

    def is_large(self, name: str) -> bool:
        """Whether the file of this name is one of the ``large`` files."""
        return name in self.large

    def figures(self) -> dict[str, float]:
        """What trackers show of a finished job, by name."""
        return {}

    def disagreement(self, folder: Path, *, thorough: bool) -> str:
        """How the record and the files beside it contradict each other, in words; empty if they do not.

        Args:
            folder: of the record.
            thorough: also compare figures that take long to compute again.

        Raises:
            Exception: of any kind, if a file cannot be read.
        """
        return ""


class _Stored(BaseModel):
    """The stored form of a job; its config and needs are checked by the types of its kind."""

    model_config = ConfigDict(strict=True)

    kind: str
    config: dict[str, Any]
    needs: dict[str, str]
    title: str
    blocked: str
    remarks: Annotated[tuple[str, ...], Field(strict=False)] = ()


C = TypeVar("C", bound=Config, covariant=True)
N = TypeVar("N", bound=Needs, covariant=True)
R = TypeVar("R", bound=Record, covariant=True)


@dataclass(frozen=True)
class Job(Generic[C, N, R]):
    """One unit of work. Each kind of job is a subclass.

    Args:
        config: everything that is meant to change its figures, and nothing else.
        needs: keys of the jobs whose results it uses, by role.
        title: for people; not in the key.
        blocked: why it cannot run, if the plan already knows; else empty.
        remarks: oddities of the data that it packs; not in the key.
    """

    kind: ClassVar[str]
    types: ClassVar[tuple[type[Config], type[Needs], type[Record]]]  # the arguments of ``Job[...]``
    tracked: ClassVar[bool] = False  # whether trackers follow this kind: it gives scalars while it runs

    config: C
    needs: N
    title: str = ""
    blocked: str = ""
    remarks: tuple[str, ...] = field(default=())

    def __init_subclass__(cls) -> None:
        cls.types = get_args(vars(cls)["__orig_bases__"][0])

    @cached_property
    def key(self) -> str:
        """The job's key. Jobs with equal keys are the same work."""
        return key_of(self.kind, self.config.canonical(), self.needs.canonical())

    def run(self, folder: Path, at: "Workplace") -> R:
        """Does the work: writes its files into a folder, and returns the record.

        Raises:
            Mistake: if the job cannot be done with its settings and data.
        """
        raise NotImplementedError

    @property
    def lighter(self) -> str:
        """What to do if memory was short for this job."""
        return "end other programs, or run it where there is more memory"

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {
            "schema": RECORD_SCHEMA,
            "kind": self.kind,
            "config": self.config.canonical(),
            "needs": self.needs.canonical(),
            "title": self.title,
            "blocked": self.blocked,
            **({"remarks": list(self.remarks)} if self.remarks else {}),
        }

    @staticmethod
    def from_json(stored: object) -> "AnyJob":
        """A job from its stored form; the components that it names are looked up when they are used.

        Raises:
            Mistake: if it is not the stored form of a job.
        """
        try:
            read = _Stored.model_validate(stored)
            of_kind = job_kind(read.kind)
            config, needs = of_kind.types[0].model_validate(read.config), of_kind.types[1].read(read.needs)
        except ValidationError as error:
            raise Mistake(f"this is no stored job: {first_problem(error)}", fix="run the suite again") from None
        return of_kind(config, needs, read.title, read.blocked, read.remarks)


AnyJob = Job[Config, Needs, Record]


def key_of(kind: str, config: Mapping[str, Any], needs: Mapping[str, str]) -> str:
    """A job's key: SHA-256 of the canonical JSON of kind, config and needs, its first 32 digits."""
    content = {"schema": RECORD_SCHEMA, "kind": kind, "config": config, "needs": needs}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:32]


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong with a stored file, and its place in it, in a line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))[:_LONGEST_PLACE]
    return f"{place}: {first['msg']}" if place else first["msg"]


@cache
def job_kind(name: str) -> type[AnyJob]:
    """The kind of job with a name: the subclass of ``Job`` in ``benchmark/jobs/NAME.py``.

    Raises:
        Mistake: if there is no such kind.
    """
    kinds = importlib.import_module("..jobs", __package__).KINDS
    if name not in kinds:
        raise Mistake(f"no kind of job is called {name[:_LONGEST_PLACE]!r}", fix=f"known: {', '.join(kinds)}")
    members = vars(importlib.import_module(f"..jobs.{name}", __package__)).values()
    return next(
        member for member in members if isinstance(member, type) and issubclass(member, Job) and member.kind == name
    )
