"""Contracts: what a component of each kind keeps, as checks. A file a kind, called as its folder; a function a check.

The docstring of a check says, in one sentence, what a component does that keeps it. A check returns what it found, in
words, or nothing; it raises ``Broken`` for a component that does not, and ``NotApplicable`` for one that need not.
"""

import importlib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal

from registry.errors import Mistake
from registry.lookup import AnyComponent as AnyComponent
from registry.lookup import C, Choice, Kind, chosen

if TYPE_CHECKING:
    from registry.encoders import Encoder
    from registry.frontends import Frontend

Check = Callable[[Any], str | None]


class Broken(Exception):
    """A component does not do what its contract says.

    Args:
        expected: of it.
        found: instead.
        fix: what its author may do.
    """

    def __init__(self, expected: str, found: str, fix: str) -> None:
        super().__init__(expected, found, fix)
        self.expected, self.found, self.fix = expected, found, fix


class NotApplicable(Exception):
    """A check says nothing of this component; its text says why."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Args:
        check: its name, as its function is called.
        title: what is checked, in words.
        state: what came out.
        told: of what passed, what was found; of what failed, what was expected, found and is to be done; else why not.
    """

    check: str
    title: str
    state: Literal["passed", "failed", "not applicable"]
    told: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.told}" if self.told else self.title


@dataclass(frozen=True)
class Beside:
    """What stands beside a component while it is checked; None of what a contract has a default for.

    Args:
        data: the folder that holds data sets, for tasks.
        frontend: for encoders, methods and weights.
        encoder: for methods and weights.
    """

    data: Path | None = None
    frontend: "Choice[Frontend] | None" = None
    encoder: "Choice[Encoder] | None" = None


class Specimen(Generic[C]):
    """A component that is checked; the files of the kinds add what its checks need, and say in ``place`` where it is.

    Args:
        kind: of the component.
        reference: the component, as a suite names it.
        beside: what stands beside it.

    Raises:
        Mistake: if there is no such component.
    """

    place: ClassVar[str] = ""

    def __init__(self, kind: Kind[C], reference: str | Mapping[str, Any], beside: Beside) -> None:
        self.kind, self.reference, self.beside = kind, reference, beside
        self.name = reference if isinstance(reference, str) else str(reference.get("name"))
        self.component: type[C] = kind.find(self.name)

    @cached_property
    def choice(self) -> Choice[C]:
        """The component with complete settings.

        Raises:
            ValueError: if the settings are wrong.
        """
        return chosen(self.kind, self.reference)

    def prepare(self) -> None:
        """Makes what the checks share.

        Raises:
            Mistake: if the component does not go with what stands beside it, so that it cannot be checked there.
        """


def findings(kind: Kind[C], reference: str | Mapping[str, Any], beside: Beside | None = None) -> Iterator[Finding]:
    """Checks a component against its contract: first what every kind keeps, then what its own does.

    Args:
        kind: of the component.
        reference: its name, or a mapping with its name and settings, as a suite has it.
        beside: what stands beside it.

    Raises:
        Mistake: if there is no such component, the settings are wrong, or it cannot be checked beside these things.
    """
    own = contract_of(kind)
    specimen: Specimen[C] = own.Specimen(kind, reference, beside or Beside())
    _require_settings(specimen)
    for check in checks_in(importlib.import_module("registry.contracts._every_kind")):
        finding = _found(check, specimen)
        yield finding
        if finding.state == "failed" and check.__name__ == "settings_are_plain":
            return  # nothing can be made of them
    made = _found(_is_made, specimen)
    yield made
    for check in checks_in(own) if made.state == "passed" else ():
        yield _found(check, specimen)


def contract_of(kind: Kind[C]) -> ModuleType:
    """The module of a kind's checks."""
    return importlib.import_module(f"registry.contracts.{kind.folder}")


def checks_in(module: ModuleType) -> list[Check]:
    """The checks of a module: its public functions, in their order."""
    functions = (value for value in vars(module).values() if inspect.isfunction(value))
    return [own for own in functions if own.__module__ == module.__name__ and not own.__name__.startswith("_")]


def _require_settings(specimen: Specimen[Any]) -> None:
    """Raises a Mistake for settings that are missing, or given and wrong: the request is wrong, not the component."""
    fields = specimen.component.Config.model_fields.items()
    required = [field.alias or name for name, field in fields if field.is_required()]
    given = {} if isinstance(specimen.reference, str) else specimen.reference
    lacking = [name for name in required if name not in given]
    kind, name = specimen.kind.folder, specimen.name
    if lacking:
        settings = ", ".join(f"{setting}: ..." for setting in lacking)
        fix = f"name them: audiobench check {kind} '{{name: {name}, {settings}}}'"
        raise Mistake(f"{name} has settings without a default: {', '.join(lacking)}", fix=fix)
    if set(given) > {"name"}:
        try:
            _ = specimen.choice
        except ValueError as error:
            raise Mistake(f"settings of {name} are wrong: {error}", fix=f"audiobench show {kind} {name}") from error


def _is_made(specimen: Specimen[Any]) -> None:
    """It is made from its settings."""
    specimen.prepare()


def _found(check: Check, specimen: Specimen[Any]) -> Finding:
    """What a check finds; whatever a component raises is a finding, but for a Mistake while it is made."""
    name, title = check.__name__.lstrip("_"), (inspect.getdoc(check) or "").partition(".\n")[0].rstrip(".")
    title = " ".join(title.replace("``", "").split())
    try:
        return Finding(name, title, "passed", check(specimen) or "")
    except NotApplicable as reason:
        return Finding(name, title, "not applicable", str(reason))
    except Broken as broken:
        told = f"expected {broken.expected}; found {broken.found}; to do: {broken.fix}"
    except Mistake as mistake:
        if check is _is_made:
            raise Mistake(mistake.what, where=mistake.where or specimen.place, fix=mistake.fix) from mistake
        told = f"expected no objection; found {mistake.what}; to do: {mistake.fix or 'mend it'}"
    except Exception as error:
        told = f"expected no exception; found {_told(error)}; to do: mend it there"
    return Finding(name, title, "failed", told)


def _told(error: Exception) -> str:
    """An exception in a line: what it is, and the last place outside of torch that it came from."""
    what = (str(error) or "without a message").splitlines()[0]
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    where = f" ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""
    return f"{type(error).__name__}: {what}{where}"
