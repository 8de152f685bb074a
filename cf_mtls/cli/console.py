"""The process around a command: streams, colour, environment, prompts, exit codes.

Rules of this file:
- Data goes to stdout, messages to stderr; what goes through here in GitHub Actions is never a workflow command.
- Only this folder reads the environment; everything below is handed values.
- Prompts only when both stdin and stderr are terminals, and they name the flag that answers them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from cf_mtls import diagnostics
from cf_mtls.report.safe import redacted
from cf_mtls.report.terminal import Paint, messages, no_commands

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
    """Text to stdout; in GitHub Actions no line of it can be a workflow command, and no token is in it."""
    command(_logged(text))


def data(text: str) -> None:
    """JSON to stdout, exactly; in GitHub Actions spelt so that it holds no workflow command."""
    command(text.replace("##[", "#\\u0023[") if environment("GITHUB_ACTIONS") else text)


def command(text: str) -> None:
    """A line to stdout as it is: for our own workflow commands, and for nothing that somebody else wrote."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str = "") -> None:
    """A message: a line to stderr, of which the same is true."""
    sys.stderr.write(_logged(text) + "\n")
    sys.stderr.flush()


def _logged(text: str) -> str:
    if not environment("GITHUB_ACTIONS"):
        return text
    tokens = filter(None, map(environment, ("CLOUDFLARE_API_TOKEN", "GITHUB_TOKEN")))
    return no_commands(redacted(text, tokens))


def show(found: Iterable[Diagnostic]) -> None:
    """Diagnostics to stderr, nothing when there are none."""
    text = messages(found, paint_for(sys.stderr))
    if text:
        say(text)


def bug(error: Exception) -> Diagnostic:
    """What should not have happened, to be shown; its traceback is printed when CF_MTLS_TRACEBACK asks for it."""
    import traceback

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
