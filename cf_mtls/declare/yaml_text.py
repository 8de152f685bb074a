"""YAML text to plain data with the place of every node.

Rules of this file:
- Stricter than YAML: one document, no aliases, no tags, no duplicate keys, no scalar that YAML 1.1 and 1.2
  read differently (`no`, `on`, `1:20`, `0777`). Refused with a place; all problems at once.
- It nests no deeper and its numbers are no longer than any plan file needs: what lies beyond is refused with its
  place, before anything goes through it by recursion.
- Scalars resolve as YAML 1.2's core schema does: null, booleans, decimal numbers, else text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Place, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNTAX = Code("yaml.syntax", Severity.ERROR, Fault.FILE, "the file is not YAML")
DUPLICATE = Code("yaml.duplicate-key", Severity.ERROR, Fault.FILE, "a key is written twice")
ALIAS = Code("yaml.alias", Severity.ERROR, Fault.FILE, "anchors and aliases are not allowed")
TAG = Code("yaml.tag", Severity.ERROR, Fault.FILE, "tags are not allowed")
AMBIGUOUS = Code("yaml.ambiguous-scalar", Severity.ERROR, Fault.FILE, "a value can be read in two ways")
SEVERAL = Code("yaml.several-documents", Severity.ERROR, Fault.FILE, "the file holds more than one document")
NOT_MAPPING = Code("yaml.not-a-mapping", Severity.ERROR, Fault.FILE, "the file holds no settings")
TOO_DEEP = Code("yaml.too-deep", Severity.ERROR, Fault.FILE, "the file nests too deep")
TOO_LONG = Code("yaml.number-too-long", Severity.ERROR, Fault.FILE, "a number is too long")
BAD_KEY = Code("yaml.key", Severity.ERROR, Fault.FILE, "a key is not plain text")

Path: TypeAlias = tuple[str | int, ...]

DEEPEST = 40
"""How many mappings and lists may stand within each other; a rule of a policy stands in the ninth."""

LONGEST_NUMBER = 18
"""Digits."""

_SHARED = re.compile(r"(?:^|[\s\ufeff\[\]{},:])[&*]")
"""Where an anchor or alias can begin."""

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?")
_AMBIGUOUS = re.compile(
    r"(?i:yes|no|on|off)"  # booleans of YAML 1.1
    r"|[-+]?0[0-7_]+|0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7]+"  # octal and friends
    r"|[-+]?[0-9]+_[0-9_]*"  # digits with underscores
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"  # base sixty
)


class _TooDeep(Exception):
    """Something begins that is deeper than `DEEPEST`, at a mark."""

    def __init__(self, mark: Any) -> None:
        super().__init__()
        self.mark = mark


class _Loader(yaml.SafeLoader):
    """PyYAML's own, which composes no deeper than may be."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST + 1:  # a scalar is one level more
            raise _TooDeep(self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


@dataclass(slots=True)
class Reading:
    """What a text holds: `data` (None when nothing could be read), the place of each path, the problems."""

    file: str
    lines: list[str]
    data: dict[str, Any] | None = None
    places: dict[Path, Place] = field(default_factory=dict)
    """Of each value, keyed by its path; of each mapping key under `path + ("?key",)`."""
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def source(self, place: Place) -> str:
        """The line that a place points at, '' when there is none."""
        return self.lines[place.line - 1] if 0 < place.line <= len(self.lines) else ""

    def place(self, path: Path) -> Place:
        """Where a path stands, or the nearest thing above it; the path is named in full."""
        dotted = ".".join(str(part) for part in path if part != "?key")
        for size in range(len(path), -1, -1):
            found = self.places.get(path[:size])
            if found:
                return Place(found.file, found.line, found.column, dotted)
        return Place(self.file, path=dotted)

    def problem(self, code: Code, path: Path, detail: str, fix: str = "") -> None:
        """Gather a problem with the place and the source line of a path."""
        place = self.place(path)
        self.diagnostics.append(code.found(detail, fix).at(place, self.source(place)))


def read(text: str, file: str) -> Reading:
    """The data of a YAML text, with places; problems are in `diagnostics`, never raised.

    file: the name to show in places.
    """
    reading = Reading(file, text.splitlines())
    try:
        # Looking for them takes as long as reading, so only where the text can have any.
        aliases = list(_shared(text)) if _SHARED.search(text) else []
        documents = [] if aliases else list(yaml.compose_all(text, _Loader))
    except _TooDeep as deep:
        _at(reading, (), deep.mark)
        detail = f"Here begins level {DEEPEST + 1}; a plan file needs no more than {DEEPEST}."
        reading.problem(TOO_DEEP, (), detail)
        return reading
    except yaml.YAMLError as error:
        _syntax(reading, error)
        return reading
    for event in aliases:
        _at(reading, (), event.start_mark)
        reading.problem(ALIAS, (), "An anchor (&name) or alias (*name) stands here.", "Write the value out.")
    if aliases:
        return reading
    _at(reading, (), documents[1].start_mark if len(documents) > 1 else None)
    if len(documents) > 1:
        reading.problem(SEVERAL, (), "A second document starts here.", "Keep one stack in one file.")
        return reading
    data = _build(reading, documents[0], ()) if documents and documents[0] is not None else None
    if isinstance(data, dict):
        reading.data = data
    elif not reading.diagnostics:
        reading.problem(
            NOT_MAPPING, (), "The top of a plan file is a mapping with `version: 1` and `stack:`."
        )
    return reading


@dataclass(slots=True)
class Top:
    """The keys at the top of a text's documents, as far as it can be read."""

    keys: dict[str, str] = field(default_factory=dict)
    """With the text of their values, '' for a value that is none; of a key that is there twice the first."""
    is_mapping: bool = False
    problem: Diagnostic | None = None
    """Why reading ended before the text did: with its place, and without the line that stands there."""


def top(text: str, file: str) -> Top:
    """What stands at the top of a YAML text, of whatever kind; nothing is built, so aliases cost nothing.

    file: the name to show in places. Not checked: anything below the top; `read` refuses more than this does.
    """
    found = Top()
    try:
        _outline(text, found)
    except _TooDeep as deep:
        place = Place(file, deep.mark.line + 1, deep.mark.column + 1)
        found.problem = TOO_DEEP.found(f"Here begins level {DEEPEST + 1}.", place=place)
    except yaml.YAMLError as error:
        reading = Reading(file, [])
        _syntax(reading, error)
        found.problem = reading.diagnostics[0]
    return found


def is_yaml(text: str) -> bool:
    """Whether a text is YAML at all, by the quickest parser that is here."""
    try:
        for _ in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.YAMLError:
        return False
    return True


def _outline(text: str, found: Top) -> None:
    depth, key = 0, None  # the key whose value comes next
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.NodeEvent):
            starts = isinstance(event, yaml.CollectionStartEvent)
            if depth == 0:
                inside, key = isinstance(event, yaml.MappingStartEvent), None
                found.is_mapping |= inside
            elif depth == 1 and inside:
                value = event.value if isinstance(event, yaml.ScalarEvent) else ""
                if key is not None:
                    found.keys[key] = found.keys[key] or value
                else:
                    found.keys.setdefault(value, "")
                key = value if key is None else None
            depth += starts
            if depth > DEEPEST:
                raise _TooDeep(event.start_mark)


def _shared(text: str) -> Iterator[Any]:
    """The events of a text that are an alias or have an anchor."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _TooDeep(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            yield event


def _at(reading: Reading, path: Path, mark: Any) -> None:
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    reading.places[path] = Place(reading.file, line, column)


def _syntax(reading: Reading, error: yaml.YAMLError) -> None:
    mark = getattr(error, "problem_mark", None)
    _at(reading, (), mark)
    parts = [
        getattr(error, "context", None),
        getattr(error, "problem", None) or getattr(error, "reason", None),
    ]
    said = ", ".join(str(p) for p in parts if p) or "The text cannot be parsed"
    reading.problem(SYNTAX, (), said[0].upper() + said[1:] + ".")


def _build(reading: Reading, node: yaml.Node, path: Path) -> Any:
    _at(reading, path, node.start_mark)
    if _tagged(reading, node):
        reading.problem(TAG, path, f"The tag {node.tag} stands here.", "Leave the tag out.")
        return None
    match node:
        case yaml.MappingNode():
            return _mapping(reading, node, path)
        case yaml.SequenceNode():
            return [_build(reading, item, (*path, i)) for i, item in enumerate(node.value)]
        case yaml.ScalarNode():
            return _scalar(reading, node, path)
        case _:
            message = f"a YAML node that is none of the three: {type(node).__name__}"
            raise TypeError(message)


def _tagged(reading: Reading, node: yaml.Node) -> bool:
    # A composed node does not say whether its tag was written, so the text is asked.
    start = node.start_mark
    line = reading.lines[start.line] if start.line < len(reading.lines) else ""
    return line[start.column :].startswith("!")


def _mapping(reading: Reading, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str) or key == "<<":
            _at(reading, (*path, "?key"), key_node.start_mark)
            reading.problem(BAD_KEY, (*path, "?key"), "A key must be one plain word or a quoted text.")
            continue
        inner = (*path, key)
        if key in built:
            first = reading.places[(*inner, "?key")]
            _at(reading, (*inner, "?again"), key_node.start_mark)
            detail = f"{key} stands here and on line {first.line}; only one of them can count."
            reading.problem(DUPLICATE, (*inner, "?again"), detail)
            continue
        _at(reading, (*inner, "?key"), key_node.start_mark)
        built[key] = _build(reading, value_node, inner)
    return built


def _scalar(reading: Reading, node: yaml.ScalarNode, path: Path) -> Any:
    text: str = node.value
    if node.style is not None:
        return text
    if _AMBIGUOUS.fullmatch(text):
        detail = f"{text} means different things to different readers of YAML."
        reading.problem(AMBIGUOUS, path, detail, "Write true, false, a decimal number, or put it in quotes.")
        return text
    if _is_too_long(text):
        detail = f"It has {len(text)} characters; a number has {LONGEST_NUMBER} digits at most."
        reading.problem(TOO_LONG, path, detail, "If it is a text, put it in quotes.")
        return text
    resolved: tuple[tuple[re.Pattern[str], Any], ...] = (
        (_NULL, lambda _: None),
        (_TRUE, lambda _: True),
        (_FALSE, lambda _: False),
        (_INT, int),
        (_FLOAT, float),
    )
    for pattern, make in resolved:
        if pattern.fullmatch(text):
            return make(text)
    return text


def _is_too_long(text: str) -> bool:
    """Whether it is a number of more digits than any that means something here, or beyond what a float can be."""
    if len(text) <= LONGEST_NUMBER or not (_INT.fullmatch(text) or _FLOAT.fullmatch(text)):
        return bool(_FLOAT.fullmatch(text)) and not math.isfinite(float(text))
    return True
