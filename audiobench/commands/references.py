"""Components on the command line: given by a name, or by a mapping as in a suite."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from registry.lookup import C, Choice, Kind


def read_reference(text: str) -> Any:
    """Reads a reference: ``moco``, or ``{name: moco, queue_size: 4096}``.

    Raises:
        Mistake: if the text is neither a name nor a mapping.
    """
    import yaml

    from registry.errors import Mistake
    from registry.own_code import name_all

    try:
        read = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Mistake(
            f"{text!r} is no component: {error}", fix="give a name, or '{name: NAME, setting: VALUE}'"
        ) from error
    if not isinstance(read, str | dict):
        raise Mistake(f"{text!r} is no component", fix="give a name, or '{name: NAME, setting: VALUE}'")
    name_all(read)
    return read


def choose(kind: "Kind[C]", text: str) -> "Choice[C]":
    """The component of a kind that a text names, with complete settings.

    Raises:
        Mistake: if there is no such component, or a setting is wrong.
    """
    from registry.errors import Mistake
    from registry.lookup import chosen

    try:
        return chosen(kind, read_reference(text))
    except ValueError as error:
        raise Mistake(f"{text!r} is no {kind.singular}: {error}", fix=f"audiobench list {kind.folder}") from error
