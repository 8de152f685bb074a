"""Plain data to YAML text as a person writes it.

Rules of this file:
- What is written is read back as the same data: a text stands plain only when our own reader says so.
- Nothing can break out of a quote or a comment: whatever is not printable is written as an escape.
- Short lists and mappings stand on one line.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cf_mtls.declare import yaml_text
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 100
_LONGEST_PLAIN = 200
_PLAIN = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.@+:*-]*(?: [A-Za-z0-9_/.@+:*-]+)*")


def lines(data: dict[str, Any], indent: int = 0) -> Iterator[str]:
    """A mapping, a member a line; deeper where a line would become too long."""
    for key, value in data.items():
        yield from _member(f"{' ' * indent}{scalar(key)}:", value, indent)


def _member(head: str, value: Any, indent: int) -> Iterator[str]:
    flat = flow(value)
    if not _wants_lines(value) and len(head) + len(flat) < WIDTH:
        yield f"{head} {flat}"
    elif isinstance(value, dict) and value:
        yield head
        yield from lines(value, indent + 2)
    elif isinstance(value, list) and value:
        yield head
        for item in value:
            yield from _item(item, indent + 2)
    else:
        yield f"{head} {flat}"


def _item(item: Any, indent: int) -> Iterator[str]:
    if isinstance(item, dict) and len(item) > 1:
        first, *rest = lines(item, indent + 2)
        yield f"{' ' * indent}- {first.lstrip()}"
        yield from rest
    else:
        yield f"{' ' * indent}- {flow(item)}"


def _wants_lines(value: Any) -> bool:
    """Whether it is a list of things with several members, such as policies."""
    return isinstance(value, list) and any(isinstance(v, dict) and len(v) > 1 for v in value)


def flow(value: Any) -> str:
    """Any data on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(flow(v) for v in value) + "]"
        case str():
            return scalar(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _:
            return repr(value)


@lru_cache(maxsize=8192)
def scalar(text: str) -> str:
    """A text, plain when that reads back as the same text, else in double quotes."""
    may_be_plain = len(text) <= _LONGEST_PLAIN and _PLAIN.fullmatch(text)
    if may_be_plain:
        back = yaml_text.read(f"k: [{text}]\n", "")
        if back.data == {"k": [text]} and not back.diagnostics:
            return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def comment(text: str, longest: int = 160) -> str:
    """A text from the account as part of a comment: on one line, harmless, not endless."""
    shown = harmless(text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
