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

    reference = read_reference(text)
    name = reference if isinstance(reference, str) else reference.get("name")
    try:
        return chosen(kind, reference)
    except ValueError as error:
        shown = f"audiobench show {kind.folder} {name}" if name in kind.names() else f"audiobench list {kind.folder}"
        raise Mistake(f"{text!r} is no {kind.singular}: {error}", fix=shown) from error
