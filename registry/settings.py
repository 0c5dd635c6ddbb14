"""The settings of a component: a pydantic model that forbids unknown fields."""

from collections.abc import Iterable
from copy import copy
from typing import Annotated, Any, ClassVar, Generic

from pydantic import BaseModel, ConfigDict, create_model
from typing_extensions import TypeVar  # typing's has no default before Python 3.13

from registry.standing import Objection, Standing

T = TypeVar("T")
_LATER = "came later"
_OUTSIDE = "not in keys"
# ``Outside[str]`` is the type of a field that names a file. It stays out of job keys, because they contain the file's
# digest. It needs a default.
Outside = Annotated[T, _OUTSIDE]
# ``Later[float]`` is the type of a field that was added later. At its default it stays out of job keys, so that older
# keys last: the default must be what the code did before the field existed.
Later = Annotated[T, _LATER]


class Settings(BaseModel):
    """Base of every component's ``Config``: unknown fields are errors, values are checked and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    def canonical(self) -> dict[str, Any]:
        """The form that enters job keys: every setting, with defaults.

        ``Outside`` fields are left out, and ``Later`` fields at their default.
        """
        left_out = {
            name
            for name, field in type(self).model_fields.items()
            if _OUTSIDE in field.metadata or (_LATER in field.metadata and getattr(self, name) == field.default)
        }
        return self.model_dump(mode="json", by_alias=True, exclude=left_out)


S = TypeVar("S", bound=Settings)
Own = TypeVar("Own", bound=Settings, default=Settings, covariant=True)


def with_defaults(settings: type[S], **defaults: Any) -> type[S]:
    """The same settings with other defaults; ranges and descriptions stay."""
    fields: dict[str, Any] = {}
    for name, default in defaults.items():
        field = copy(settings.model_fields[name])
        field.default = default
        fields[name] = (field.annotation, field)
    made: type[S] = create_model(settings.__name__, __base__=settings, **fields)
    return made


class Component(Generic[Own]):
    """Base of every registered class, of any kind.

    ``Config`` is the model of its settings. ``source`` says where it comes from (paper and section, or repository and
    path). ``version`` is part of every job key: raise it when a change of code changes figures. With
    ``class Knn(Protocol["Knn.Config"])`` type checkers know the settings in ``self.config``.
    """

    config: Own

    Config: ClassVar[type[Settings]] = Settings
    source: ClassVar[str] = "not stated"
    version: ClassVar[int] = 1

    @classmethod
    def objections(cls, config: Any, standing: Standing) -> Iterable[Objection]:
        """Why the component cannot work with these settings in this place, as far as the settings show it.

        A suite is checked by this rule before any work. The component itself raises the same objection when it works.

        Args:
            config: the component's own ``Config``.
            standing: the place where it is to work.
        """
        return ()
