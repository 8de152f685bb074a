"""Untrusted text on its way into a log, Markdown, XML or an issue: secrets out, syntax off.

Rules of this file:
- Secrets leave first, by value and by shape, before anything is laid out.
- What is left cannot begin a workflow command, leave its line, its code span, its fence or its table cell,
  call somebody, or look like one of our own markers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cf_mtls.report.terminal import harmless, no_commands

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPE = re.compile(r"cf(?:ut|at|k)_[A-Za-z0-9_\-]+")
"""Cloudflare's tokens of users and accounts, and global keys: facts on CI 1.4."""

HIDDEN = "[secret]"

SHORTEST = 8
"""Characters: a shorter secret would tear holes into innocent text."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text without any of these secrets and without anything shaped like a token of Cloudflare."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return SHAPE.sub(HIDDEN, text)


def scrubbed(value: Any, secrets: tuple[str, ...]) -> Any:
    """JSON data with every text redacted and made printable, keys included."""
    match value:
        case str():
            lines = redacted(value, secrets).split("\n")
            return redacted("\n".join(map(harmless, lines)), secrets)
        case dict():
            return {scrubbed(k, secrets): scrubbed(v, secrets) for k, v in value.items()}
        case list() | tuple():
            return [scrubbed(item, secrets) for item in value]
        case _:
            return value


def logged(text: str) -> str:
    """A line for a log: printable, and no workflow command in either of GitHub's spellings."""
    return no_commands(harmless(text))


def code(text: str) -> str:
    """A Markdown code span that also stands in a table; nothing inside of it is anything but text.

    A pipe becomes a broken bar: readers of tables differ on how it is escaped behind a backslash.
    """
    shown = _unmarked(harmless(text)).replace("|", "¦")
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") or not shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def fenced(lines: Iterable[str], language: str = "diff") -> str:
    """A Markdown block of lines, with a fence longer than any run of backticks in it."""
    shown = [_unmarked(harmless(line)) for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(shown)) + 1)
    return "\n".join([f"{fence}{language}", *shown, fence])


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)


def _unmarked(text: str) -> str:
    return text.replace("<!--", "< !--")


def xml(text: str) -> str:
    """Text or an attribute's value in XML 1.0."""
    shown = harmless(text)
    for raw, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        shown = shown.replace(raw, entity)
    return shown


def command(name: str, properties: dict[str, str], message: str) -> str:
    """A workflow command of GitHub Actions: `::error file=…,line=…::message`."""
    escaped = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {escaped}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return harmless(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
