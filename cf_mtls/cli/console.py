"""The process around a command: streams, colour, environment, prompts, exit codes.

Rules of this file:
- Data goes to stdout, messages to stderr; what goes through here in GitHub Actions is never a workflow command.
- Only this folder reads the environment; everything below is handed values.
- Prompts only when both stdin and stderr are terminals, and they name the flag that answers them.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from cf_mtls import diagnostics
from cf_mtls.model.asked import NOBODY
from cf_mtls.report.safe import redacted
from cf_mtls.report.terminal import Paint, harmless, messages, no_commands, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.asked import Asked


PLAIN_SYMBOLS = "cf-mtls-plain-symbols"
"""The name of our handler of what an encoding lacks."""


def environment(name: str) -> str | None:
    """An environment variable, None when unset or empty."""
    return os.environ.get(name) or None


def variables() -> Mapping[str, str]:
    """Every environment variable: for where a file says which one holds what it needs."""
    return os.environ


def paint_for(stream: TextIO) -> Paint:
    """Colour for a terminal: NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, TERM=dumb, then the stream."""
    if environment("NO_COLOR"):
        return Paint(enabled=False)
    if environment("FORCE_COLOR") or environment("CLICOLOR_FORCE"):
        return Paint(enabled=True)
    return Paint(enabled=os.environ.get("TERM") != "dumb" and stream.isatty())


def plain_where_needed() -> None:
    """From now on stdout and stderr write a plain symbol, or an escape, for what their encoding lacks."""
    codecs.register_error(PLAIN_SYMBOLS, lambda error: (_plain(error), _end(error)))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN_SYMBOLS)


def _plain(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end])


def _end(error: UnicodeError) -> int:
    return error.end if isinstance(error, UnicodeEncodeError) else 0


def out(text: str = "") -> None:
    """Text to stdout; in GitHub Actions no line of it can be a workflow command, and no token is in it."""
    command(_logged(text))


def whom(asked: Asked) -> None:
    """The line that says whom a report asked; nothing where nobody was."""
    if asked != NOBODY:
        out(paint_for(sys.stdout).dim(harmless(str(asked))))


def data(text: str) -> None:
    r"""JSON or YAML to stdout, exactly; in GitHub Actions spelt so that it holds no workflow command.

    What the stream's encoding lacks is written as JSON and quoted YAML both read it, such as `\u2026`.
    """
    text = text.replace("##[", "#\\u0023[") if environment("GITHUB_ACTIONS") else text
    command("".join(c if _fits(c) else _escape(c) for c in text) if not _fits(text) else text)


def _fits(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _escape(character: str) -> str:
    point = ord(character)
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


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
