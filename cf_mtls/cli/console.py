"""The process around a command: streams, colour, environment, prompts, exit codes.

Rules of this file:
- Data goes to stdout, messages to stderr.
- Only this folder reads the environment; everything below is handed values.
- Prompts only when both stdin and stderr are terminals, and they name the flag that answers them.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, TextIO

from cf_mtls import diagnostics
from cf_mtls.report.terminal import Paint, messages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cf_mtls.diagnostics import Diagnostic


def environment(name: str) -> str | None:
    """An environment variable, None when unset or empty."""
    return os.environ.get(name) or None


def paint_for(stream: TextIO) -> Paint:
    """Colour for a terminal: NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, TERM=dumb, then the stream."""
    if environment("NO_COLOR"):
        return Paint(enabled=False)
    if environment("FORCE_COLOR") or environment("CLICOLOR_FORCE"):
        return Paint(enabled=True)
    return Paint(enabled=os.environ.get("TERM") != "dumb" and stream.isatty())


def out(text: str = "") -> None:
    """Data: a line to stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str = "") -> None:
    """A message: a line to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def show(found: Iterable[Diagnostic]) -> None:
    """Diagnostics to stderr, nothing when there are none."""
    text = messages(found, paint_for(sys.stderr))
    if text:
        say(text)


def bug(error: Exception) -> Diagnostic:
    """What should not have happened, to be shown; its traceback is printed when CF_MTLS_TRACEBACK asks for it."""
    if environment("CF_MTLS_TRACEBACK"):
        traceback.print_exception(error)
    return diagnostics.bug(error)


def interactive() -> bool:
    """Whether a question can be asked and seen."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> str:
    """The answer typed at a terminal, stripped. Call only when `interactive()`."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()
