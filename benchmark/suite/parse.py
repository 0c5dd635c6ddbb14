"""Reads YAML text into plain data and the place of every value. Accepts no more YAML than a suite needs."""

import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from registry.errors import Mistake

Keys = tuple[str | int, ...]

_DEEPEST = 50  # levels; the shipped suites have ten
_MOST_VALUES = 20_000  # with each value that an alias repeats; the largest shipped suite has a few hundred
_LONGEST = 1_000_000  # characters
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_HEXADECIMAL = re.compile(r"[-+]?0[xo][0-9a-fA-F_]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_MERGE = "<<"


class _Loader(yaml.SafeLoader):
    """Composes nodes. It refuses tags, and more nodes or levels than a suite may have."""

    depth = 0
    values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None) is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            _refuse(f"tags are not read, and here stands {_short(tag)}", event.start_mark, "leave the tag out")
        if self.depth > _DEEPEST:
            _refuse(f"values are nested more than {_DEEPEST} levels deep", event.start_mark)
        self.values += 1
        if self.values > 2 * _MOST_VALUES:  # keys are nodes too
            _refuse(f"there are more than {_MOST_VALUES:,} values", event.start_mark, "a suite has fewer")
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse(text: str, name: str) -> tuple[Any, dict[Keys, str]]:
    """Reads text into plain data, and ``file:line:column`` of every value by its path; ``name`` is the file's.

    Unquoted words mean what YAML 1.2 says: ``no`` and ``on`` are words, and so are ``1:30`` and ``2024-01-01``. Keys
    are words too, except whole numbers, which count the items of a list. ``<<`` merges mappings; a merged value keeps
    the place where it is written.

    Raises:
        Mistake: if the text is not YAML; if it has a key twice, a tag, a number that is infinite, too large or octal, a
            key that is not a word, an alias inside itself, or more levels or values than any suite.
    """
    if len(text) > _LONGEST:
        raise Mistake(f"{len(text)} characters are more than a suite has", where=name, fix="name a suite file")
    try:
        node = yaml.compose(text, _Loader)
        reading = _Reading(name)
        return (reading.value(node, ()) if node else None), reading.places
    except _Refusal as refusal:
        raise refusal.mistake(name) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = f"{name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        what = f"not valid YAML: the character U+{ord(text[error.position]):04X} may not stand in it"
        raise Mistake(what, where=where, fix="take it out") from error
    except yaml.YAMLError as error:
        position = getattr(error, "problem_mark", None)
        where = _place(name, position) if position else name
        what = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        raise Mistake(what, where=where, fix="mend the file") from error


class _Refusal(Exception):
    """Something that is YAML, but may not be in a suite."""

    def __init__(self, what: str, position: yaml.Mark, fix: str) -> None:
        super().__init__(what)
        self.what, self.position, self.fix = what, position, fix

    def mistake(self, name: str) -> Mistake:
        return Mistake(self.what, where=_place(name, self.position), fix=self.fix)


class _Reading:
    """Reads nodes into plain data, and notes their places."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Keys, str] = {}
        self.within: set[int] = set()  # the nodes around the current one: an alias of such a node would never end
        self.values = 0

    def value(self, node: yaml.Node, path: Keys) -> Any:
        self._count(node)
        if len(path) > _DEEPEST:
            _refuse(f"aliases nest values more than {_DEEPEST} levels deep", node.start_mark)
        if id(node) in self.within:
            _refuse("an alias stands inside what it repeats", node.start_mark)
        self._note(path, node)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        self.within.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]
            data: dict[str | int, Any] = {}
            assert isinstance(node, yaml.MappingNode)
            for key, key_node, value_node in self._items(node):
                data[key] = self.value(value_node, (*path, key))
                self._note((*path, key), key_node)
            return data
        finally:
            self.within.discard(id(node))

    def _count(self, node: yaml.Node) -> None:
        self.values += 1
        if self.values > _MOST_VALUES:
            _refuse(f"aliases repeat more than {_MOST_VALUES:,} values", node.start_mark, "repeat less")

    def _note(self, path: Keys, node: yaml.Node) -> None:
        self.places[path] = _place(self.name, node.start_mark)

    def _items(self, node: yaml.MappingNode) -> Iterator[tuple[str | int, yaml.Node, yaml.Node]]:
        """The merged keys of a mapping (the first of equal ones counts), then its written keys, with their values."""
        written: dict[str | int, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.MappingNode] = []
        for key_node, value_node in node.value:
            merges = key_node.value == _MERGE and key_node.style is None
            key = _MERGE if merges else _key(key_node)
            if key in written or (merges and merged):
                _refuse(f"the key {_short(repr(key))} stands here twice", key_node.start_mark)
            if merges:
                merged = _merged(value_node)
            else:
                written[key] = (key_node, value_node)
        # Merged keys come first, as if they were written above the keys that override them.
        inherited: dict[str | int, tuple[yaml.Node, yaml.Node]] = {}
        for source in merged:
            if id(source) in self.within:
                _refuse("a mapping merges itself", source.start_mark)
            self.within.add(id(source))
            self._count(source)
            for key, key_node, value_node in self._items(source):
                self._count(key_node)
                inherited.setdefault(key, (key_node, value_node))
            self.within.discard(id(source))
        for key, (key_node, value_node) in {**inherited, **written}.items():
            yield key, key_node, value_node


def _merged(node: yaml.Node) -> list[yaml.MappingNode]:
    """The mappings that ``<<`` names: one, or several in a list."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for merged in nodes:
        if not isinstance(merged, yaml.MappingNode):
            _refuse("<< merges a mapping, or a list of mappings", merged.start_mark, "name one: <<: *anchor")
    return list(nodes)


def _key(node: yaml.Node) -> str | int:
    if not isinstance(node, yaml.ScalarNode):
        kind = "list" if isinstance(node, yaml.SequenceNode) else "mapping"
        _refuse(f"a key is a word, and this one is a {kind}", node.start_mark, "quote it, or take the brackets off")
    if not node.value:
        _refuse("a key is empty", node.start_mark, "write a word before the colon")
    text: str = node.value
    return int(text) if node.style is None and re.fullmatch(r"0|[1-9][0-9]{0,8}", text) else text


def _scalar(node: yaml.ScalarNode) -> Any:
    """The value of a word by YAML 1.2; numbers that are infinite, too large or octal are refused."""
    text: str = node.value
    if node.style is not None:
        return text  # quoted, or a block of text
    if text.lower() in _WORDS and text in (text.lower(), text.upper(), text.capitalize()):
        return _WORDS[text.lower()]
    if _NOT_FINITE.fullmatch(text):
        _refuse(f"{text} is no finite number", node.start_mark, "write a number")
    if _LEADING_ZERO.fullmatch(text):
        what = f"{_short(text)} is octal to some readers of YAML, and decimal to others"
        _refuse(what, node.start_mark, "leave the zero out of a number, and put a text in quotes")
    if _HEXADECIMAL.fullmatch(text) or _INTEGER.fullmatch(text):
        return _integer(text, node)
    return _decimal(text, node) if _NUMBER.fullmatch(text) else text


def _integer(text: str, node: yaml.ScalarNode) -> int | str:
    if len(text) > 30:
        _refuse(f"{_short(text)} has {len(text)} characters, too many for a number", node.start_mark, "write less")
    try:
        number = int(text, 0)
    except ValueError:  # such as 1__0
        return text
    if abs(number) >= 2**63:
        _refuse(f"{text} is larger than any whole number here", node.start_mark, "put a text in quotes")
    return number


def _decimal(text: str, node: yaml.ScalarNode) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    digits = re.sub(r"[eE].*", "", text)
    if math.isinf(number) or (abs(number) < 1e-300 and re.search("[1-9]", digits)):
        size = "large" if math.isinf(number) else "small"
        _refuse(f"{_short(text)} is too {size} for a number", node.start_mark, "write another")
    return number


def _short(text: str) -> str:
    """A text for a message: the whole text, or its beginning if it is long."""
    return text if len(text) <= 60 else f"{text[:40]}..."


def _place(name: str, position: yaml.Mark) -> str:
    return f"{name}:{position.line + 1}:{position.column + 1}"


def _refuse(what: str, position: yaml.Mark, fix: str = "mend the file") -> NoReturn:
    raise _Refusal(what, position, fix)
