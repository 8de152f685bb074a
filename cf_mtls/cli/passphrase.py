"""Where passphrases come from: an environment variable, a file, or a prompt; never an argument.

Rules of this file:
- An argument would stand in the process list and the shell's history.
- A prompt shows nothing, and asks twice where a typing error would lock a key for ever.
"""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from cf_mtls.cli import console
from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from cf_mtls.input_file import LARGEST_SECRET, needed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOT_GIVEN = Code("passphrase.not-given", Severity.ERROR, Fault.INVOCATION, "a passphrase is needed")
EMPTY = Code("passphrase.empty", Severity.ERROR, Fault.INVOCATION, "the passphrase is empty")
DIFFERENT = Code("passphrase.different", Severity.ERROR, Fault.INVOCATION, "the passphrases differ")


def given(variable: str | None, file: Path | None, *, pipes: bool = True) -> bytes | None:
    """The passphrase in a variable or a file's first line, None when none is named. Failure when empty.

    pipes: whether the file may be a pipe; not where another file names it.
    """
    if variable is None and file is None:
        return None
    text, source = (
        _from_file(file, pipes=pipes) if file else (console.environment(variable or ""), f"${variable}")
    )
    if not text:
        raise Failure(
            [EMPTY.found(f"{source} is empty or not set.", "Set it to a passphrase, then run it again.")]
        )
    return text.encode("utf-8", errors="surrogateescape")


def _from_file(file: Path, *, pipes: bool) -> tuple[str, str]:
    """The first line of the file, and what to call it."""
    lines = needed(file, LARGEST_SECRET, pipes=pipes).decode("utf-8", errors="surrogateescape").splitlines()
    return (lines[0] if lines else ""), f"The first line of {file}"


def asked(what: str, flags: str, *, twice: bool = False, ask: Callable[[str], str] | None = None) -> bytes:
    """The passphrase typed at the terminal. flags: what to use where there is none. Failure then.

    ask: called with a prompt for what is typed; the terminal when left out.
    """
    if ask is None and not console.interactive():
        raise Failure([NOT_GIVEN.found(f"There is no terminal to ask for {what} at.", f"Use {flags}.")])
    ask = ask or getpass.getpass
    first = ask(f"Passphrase for {what}: ")
    if not first:
        raise Failure([EMPTY.found(f"Nothing was typed for {what}.", f"Type one, or use {flags}.")])
    if twice and ask("The same again: ") != first:
        raise Failure(
            [DIFFERENT.found("The second was not the first. Nothing was written.", "Run it again.")]
        )
    return first.encode("utf-8")
