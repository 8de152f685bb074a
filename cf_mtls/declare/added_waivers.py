"""Waivers put into the text of a plan file: what is there stays as it is, byte for byte.

Rules of this file:
- The text is parsed for positions, and one place of it is changed. What comes out is read again by the reader of plan
  files: the waivers must be there, and every other value what it was. Else nothing is given back.
- Several places are tried in turn, the one where a person would write first: which of them keeps all values depends on
  what stands last in the file (a block scalar takes the lines that follow it, for one).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from cf_mtls.declare import yaml_text
from cf_mtls.declare.border import document
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Rows = Sequence[Mapping[str, str]]

KEY = "waivers"

BOM = b"\xef\xbb\xbf"

_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
"""What ends a line: YAML 1.1, 5.4; the first of them in a file is what its added lines end with."""

_UNPRINTABLE = re.compile(r"[\x7f-\x84\x86-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff\x85]")
"""What JSON leaves as it is and YAML does not take, or takes for the end of a line: YAML 1.1, 5.1."""


@dataclass(frozen=True, slots=True)
class _Splice:
    """A text to be put in at a place, counted in characters."""

    at: int
    text: str

    def on(self, text: str) -> str:
        return text[: self.at] + self.text + text[self.at :]


def with_waivers(raw: bytes, rows: Rows) -> bytes | None:
    """A plan file with these rows among its waivers, None where that cannot be done so that all else stays.

    rows: members of a waiver by name; `until` as written. Not valid, or no UTF-8, or more than one document: None.
    """
    mark, body = (BOM, raw[len(BOM) :]) if raw.startswith(BOM) else (b"", raw)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    before = _values(text)
    if before is None:
        return None
    kept, added = list(before.get(KEY, ())), [dict(row) for row in rows]
    wanted = [_canonical({**before, KEY: listed}) for listed in (kept + added, added + kept)]
    for splice in _splices(text, rows):
        made = splice.on(text)
        if _canonical(_values(made)) in wanted and (_is_json(made) or not _is_json(text)):
            return mark + made.encode("utf-8")
    return None


def waivers_text(rows: Rows) -> str:
    """The rows as lines to be put below `waivers:` by hand."""
    return "".join(f"{line}\n" for line in _lines(rows, 2))


def _values(text: str) -> dict[str, Any] | None:
    """What the plan file says, None for one that is not valid."""
    reading = yaml_text.read(text, "")
    valid = document(reading) is not None and not reading.diagnostics
    return reading.data if valid else None


def _canonical(found: dict[str, Any] | None) -> str:
    """As JSON, in which true is not 1."""
    return json.dumps(found, sort_keys=True)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


# Where


def _splices(text: str, rows: Rows) -> Iterator[_Splice]:
    """The ways to put the rows in, best first. text: a valid plan file."""
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return
    pair = next(((key, value) for key, value in root.value if key.value == KEY), None)
    if pair is None:
        yield from _key_in_braces(text, root, rows) if root.flow_style else _key(text, root, rows)
    elif isinstance(pair[1], yaml.SequenceNode):
        yield from _in_brackets(text, *pair, rows) if pair[1].flow_style else _items(text, pair[1], rows)


def _key(text: str, root: yaml.MappingNode, rows: Rows) -> Iterator[_Splice]:
    """`waivers:` behind everything, set off by an empty line or not, else before everything."""
    margin, end = root.start_mark.column, _line_break(text)
    lines = [" " * margin + f"{KEY}:", *_lines(rows, margin + 2)]
    block = end.join(lines) + end
    for gap in (end, ""):
        yield _below(text, root.end_mark.index, gap + block)
    yield _Splice(root.start_mark.index, block[margin:] + " " * margin)


def _items(text: str, waivers: yaml.SequenceNode, rows: Rows) -> Iterator[_Splice]:
    """`- address: …` behind the last one, else before whatever follows, else before the first."""
    margin, end = waivers.start_mark.column, _line_break(text)
    block = end.join(_lines(rows, margin)) + end
    yield _below(text, _line_end(text, _last(waivers).end_mark.index), block)
    yield _below(text, waivers.end_mark.index, block)
    yield _Splice(waivers.start_mark.index, block[margin:] + " " * margin)


def _key_in_braces(text: str, root: yaml.MappingNode, rows: Rows) -> Iterator[_Splice]:
    """A last member of a flow mapping or a JSON object: a line of its own where the one before has one."""
    key, value = root.value[-1]
    margin = _margin(text, key)
    inner = _gap(text, margin, 2)
    outer = _gap(text, margin, 0)
    listed = f",{inner or ' '}".join(map(_braces, rows))
    yield _Splice(value.end_mark.index, f',{outer or " "}"{KEY}": [{inner}{listed}{outer}]')


def _in_brackets(
    text: str, key: yaml.ScalarNode, waivers: yaml.SequenceNode, rows: Rows
) -> Iterator[_Splice]:
    """Further items of a flow sequence or a JSON array."""
    last = waivers.value[-1] if waivers.value else None
    gap = _gap(text, _margin(text, last), 0) if last else _gap(text, _margin(text, key), 2)
    listed = f",{gap or ' '}".join(map(_braces, rows))
    if last:
        yield _Splice(last.end_mark.index, f",{gap or ' '}{listed}")
    else:
        yield _Splice(waivers.start_mark.index + 1, gap + listed)


def _below(text: str, at: int, block: str) -> _Splice:
    """A block of lines at a place, on a line of its own; where the file ends without a line break, so it does after."""
    if at == 0 or _BREAK.fullmatch(text[at - 1]):
        return _Splice(at, block)
    end = _line_break(text)
    return _Splice(at, end + block.removesuffix(end))


def _last(node: yaml.Node) -> yaml.Node:
    """The last scalar or flow collection of a block collection: where it ends is where its text ends."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node


def _line_end(text: str, at: int) -> int:
    """Behind the line in which a place is; a place at which a line begins is behind one already."""
    if at and _BREAK.fullmatch(text[at - 1]):
        return at
    found = _BREAK.search(text, at)
    return found.end() if found else len(text)


def _margin(text: str, node: yaml.Node) -> int | None:
    """How far in the line a node stands that is the first on it; None for one that is not."""
    before = text[: node.start_mark.index][-node.start_mark.column :] if node.start_mark.column else ""
    return node.start_mark.column if not before.strip(" \t") and node.start_mark.line else None


def _gap(text: str, margin: int | None, more: int) -> str:
    """A line break and so many spaces; '' for what stays on its line."""
    return "" if margin is None else _line_break(text) + " " * (margin + more)


def _line_break(text: str) -> str:
    found = _BREAK.search(text)
    return found[0] if found else "\n"


# What


def _lines(rows: Rows, margin: int) -> list[str]:
    """The rows as items of a block sequence, without line breaks."""
    return [
        f"{' ' * margin}{'  ' if number else '- '}{name}: {value if name == 'until' else _quoted(value)}"
        for row in rows
        for number, (name, value) in enumerate(row.items())
    ]


def _braces(row: Mapping[str, str]) -> str:
    """A row as JSON, which YAML reads too."""
    return "{" + ", ".join(f"{_quoted(name)}: {_quoted(value)}" for name, value in row.items()) + "}"


def _quoted(value: str) -> str:
    """A text in double quotes, as JSON and YAML both read it."""
    return _UNPRINTABLE.sub(lambda c: f"\\u{ord(c[0]):04x}", json.dumps(value, ensure_ascii=False))
