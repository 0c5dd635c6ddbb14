"""The contracts of components, as checks. Each kind has a file, with the name of its folder; each function is a check.

The first sentence of a check's docstring says what a good component does. A check returns its finding in words, or
nothing. It raises ``Broken`` for a component that breaks the contract, and ``NotApplicable`` for one that the check is
not about.
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
    """A component breaks its contract.

    Args:
        expected: what the contract asks for.
        found: what the component does instead.
        fix: what its author may do.
    """

    def __init__(self, expected: str, found: str, fix: str) -> None:
        super().__init__(expected, found, fix)
        self.expected, self.found, self.fix = expected, found, fix


class NotApplicable(Exception):
    """A check is not about this component; the text says why."""


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Args:
        check: the name of the check's function.
        title: what is checked, in words.
        state: the result.
        told: if passed, what was found; if failed, what was expected, what was found, and what to do; else why the
            check is not applicable.
    """

    check: str
    title: str
    state: Literal["passed", "failed", "not applicable"]
    told: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.told}" if self.told else self.title


@dataclass(frozen=True)
class Beside:
    """What a component is checked together with; None means the contract's default.

    Args:
        data: the folder that holds data sets, for tasks.
        frontend: for encoders, methods and weights.
        encoder: for methods and weights.
    """

    data: Path | None = None
    frontend: "Choice[Frontend] | None" = None
    encoder: "Choice[Encoder] | None" = None


class Specimen(Generic[C]):
    """The component under check. Each kind's file has a subclass with what the kind's checks need.

    ``place`` says, for messages, with what the component is checked.

    Args:
        kind: of the component.
        reference: the component, as a suite names it.
        beside: what the component is checked together with.

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
            Mistake: if the component does not work with what ``beside`` names, so that it cannot be checked.
        """


def findings(kind: Kind[C], reference: str | Mapping[str, Any], beside: Beside | None = None) -> Iterator[Finding]:
    """Checks a component against its contract: first by the checks of every kind, then by those of its kind.

    Args:
        kind: of the component.
        reference: the component's name, or a mapping with its name and settings, as in a suite.
        beside: what the component is checked together with.

    Raises:
        Mistake: if there is no such component, the settings are wrong, or it does not work with what ``beside`` names.
    """
    contract = contract_of(kind)
    specimen: Specimen[C] = contract.Specimen(kind, reference, beside or Beside())
    _require_settings(specimen)
    for check in checks_in(importlib.import_module("._every_kind", __package__)):
        finding = _finding(check, specimen)
        yield finding
        if finding.state == "failed" and check.__name__ == "settings_are_plain":
            return  # no component can be made with such settings
    made = _finding(_is_made, specimen)
    yield made
    for check in checks_in(contract) if made.state == "passed" else ():
        yield _finding(check, specimen)


def contract_of(kind: Kind[C]) -> ModuleType:
    """The module of a kind's checks."""
    return importlib.import_module(f".{kind.folder}", __package__)


def checks_in(module: ModuleType) -> list[Check]:
    """The checks of a module: its public functions, in their order."""
    functions = (value for value in vars(module).values() if inspect.isfunction(value))
    return [check for check in functions if check.__module__ == module.__name__ and not check.__name__.startswith("_")]


def _require_settings(specimen: Specimen[Any]) -> None:
    """Raises a Mistake for settings that are missing or wrong in the request: then the component is not to blame."""
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


def _finding(check: Check, specimen: Specimen[Any]) -> Finding:
    """Runs a check. Whatever the component raises is a finding, except a Mistake while the component is made."""
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
    """An exception in one line, with the last place in its traceback outside of installed packages."""
    what = (str(error) or "without a message").splitlines()[0]
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    where = f" ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""
    return f"{type(error).__name__}: {what}{where}"
