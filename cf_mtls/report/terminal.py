"""Text for a person: untrusted names made harmless, colour, and diagnostics as messages.

Rules of this file:
- Whatever came from a file, an account or a server passes through `harmless` before it is shown.
- However much is wrong, what is printed can be read: of diagnostics of one code twenty are shown and the rest counted,
  and of a long line the part that matters.
- Colour is a wrapper around words that already say it; without colour nothing is lost.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Severity
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

INDENT = "  "

MOST_ALIKE = 20
"""Diagnostics of one code that are shown in full."""

LONGEST_LINE = 1_000
"""Characters of a line of a message; of a source line a window of `WINDOW` around the column."""

WINDOW = 120


def harmless(text: str) -> str:
    """The text with everything unprintable written as an escape.

    That is controls (C0, C1), format characters (bidi overrides, zero width), surrogates, line breaks.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


PLAIN = {
    "→": "->", "…": "...", "✓": "+", "✗": "x", "×": "x", "─": "-", "│": "|", "└": "`", "├": "|", "–": "-", "—": "-",
    "“": '"', "”": '"', "‘": "'", "’": "'", "¦": "|", "·": "-", "•": "*", "∪": "or", "∖": "without",
    "≥": ">=", "≤": "<=",
}  # fmt: skip
"""What stands for a symbol where a stream's encoding lacks it."""


def plain(text: str) -> str:
    """The text with every symbol in plain characters, and everything else beyond ASCII as an escape."""
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in text)


_COMMAND = re.compile(r"(^|[\r\n])([^\S\r\n]*)::")


def no_commands(text: str) -> str:
    """The text with no workflow command of GitHub Actions, in either spelling, at the beginning of a line or within."""
    return _COMMAND.sub(r"\1\2: :", text.replace("##[", "# #["))


def plural(count: int, word: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours words, or leaves them alone when `enabled` is false."""

    enabled: bool = False

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and text else text

    def bold(self, text: str) -> str:
        """Headlines."""
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        """What may be skipped."""
        return self._wrap("2", text)

    def red(self, text: str) -> str:
        """Errors, deletions, failures."""
        return self._wrap("31", text)

    def green(self, text: str) -> str:
        """Additions, passes."""
        return self._wrap("32", text)

    def yellow(self, text: str) -> str:
        """Warnings, changes."""
        return self._wrap("33", text)

    def severity(self, severity: Severity) -> str:
        """The severity's word in its colour."""
        colour = {Severity.ERROR: self.red, Severity.WARNING: self.yellow, Severity.NOTE: self.bold}
        return colour[severity](severity.value)


def message(diagnostic: Diagnostic, paint: Paint) -> str:
    """One diagnostic as lines: severity, summary and code; place and source; what exactly; what to do."""
    code = diagnostic.code
    lines = [f"{paint.severity(code.severity)}: {paint.bold(code.summary)} [{code.code}]"]
    if diagnostic.place:
        lines.append(f"{INDENT}{harmless(str(diagnostic.place))}")
    if diagnostic.place and diagnostic.source:
        gutter = f"{diagnostic.place.line:>5} | "
        shown, column = _window(diagnostic.source.replace("\t", " "), diagnostic.place.column)
        lines += [gutter + shown, paint.red(" " * (len(gutter) + column - 1) + "^")]
    lines += [INDENT + harmless(_cut(line)) for line in diagnostic.detail.splitlines()]
    lines += [INDENT + harmless(_cut(line)) for line in diagnostic.fix.splitlines()]
    if code.severity is Severity.ERROR:
        lines.append(paint.dim(f"{INDENT}To mend: {code.fault.value}."))
    return "\n".join(line.rstrip() for line in lines)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}… ({len(line)} characters)"


def _window(line: str, column: int) -> tuple[str, int]:
    """The part of a line around a column, printable, and the column in it."""
    if len(line) <= 2 * WINDOW:
        return harmless(line), column
    start = max(0, column - 1 - WINDOW)
    before = "…" if start else ""
    after = "…" if start + 2 * WINDOW < len(line) else ""
    return harmless(before + line[start : start + 2 * WINDOW] + after), column - start + len(before)


def messages(diagnostics: Iterable[Diagnostic], paint: Paint) -> str:
    """All diagnostics, errors last so that a terminal shows them, an empty line between, or ''.

    Of those of one code the first `MOST_ALIKE` are shown, the rest counted behind them all.
    """
    shown, left = _alike(sorted(diagnostics, key=lambda d: d.is_error))
    counted = (f"{paint.severity(code.severity)}: {_more(code, count)}" for code, count in left)
    return "\n\n".join([*(message(diagnostic, paint) for diagnostic in shown), *counted])


def alike(diagnostics: Iterable[Diagnostic]) -> tuple[list[Diagnostic], list[str]]:
    """The first `MOST_ALIKE` of each code, in their order, and a line for each code with more: how many."""
    shown, left = _alike(diagnostics)
    return shown, [_more(code, count) for code, count in left]


def _alike(diagnostics: Iterable[Diagnostic]) -> tuple[list[Diagnostic], list[tuple[Code, int]]]:
    seen: dict[Code, int] = {}
    shown = []
    for diagnostic in diagnostics:
        seen[diagnostic.code] = seen.get(diagnostic.code, 0) + 1
        if seen[diagnostic.code] <= MOST_ALIKE:
            shown.append(diagnostic)
    return shown, [(code, count - MOST_ALIKE) for code, count in seen.items() if count > MOST_ALIKE]


def _more(code: Code, count: int) -> str:
    return f"{count} more of: {code.summary} [{code.code}]"
