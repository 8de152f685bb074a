"""What went wrong or deserves a look: `Code`, `Diagnostic`, and the one exception.

Rules of this file:
- A `Code` is a fixed row: severity, code in words, whose fault, and a summary without any names in it.
  Each file owns the codes it can raise, as module constants; codes are never reused.
- A `Diagnostic` is one occurrence: the code, plus what exactly, what to do and where.
- Problems are gathered before anything stops: an exception carries all of them.

    Exception
     └── Failure            what ends a command; carries diagnostics and the exit code
          └── (no subclasses: the code tells them apart)
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(Enum):
    """How much it matters: an error stops, a warning is read, a note informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Fault(Enum):
    """Who can mend it; the value is how a message says so."""

    FILE = "your file"
    INVOCATION = "the command line or environment"
    ACCOUNT = "the Cloudflare account"
    CLOUDFLARE = "Cloudflare's answer"
    NETWORK = "the network"
    US = "a bug in cf-mtls"


class Exit(IntEnum):
    """The exit codes; 2 means differences and nothing else ever."""

    OK = 0
    ERROR = 1
    DIFFERENCES = 2
    VERIFY_FAILED = 3
    REFUSED = 4
    USAGE = 64
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A point in a file. Lines and columns count from 1; `path` is the dotted path of the YAML node."""

    file: str
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        """`file:line:column (path)`, leaving out what is not known."""
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where} ({self.path})" if self.path else where


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, said so that a person can act on it."""

    code: Code
    detail: str
    fix: str = ""
    """What to do, in full sentences; a command stands alone on a line that starts with four spaces."""
    place: Place | None = None
    source: str = ""
    """The line of the file that `place` points at, without its line break."""

    @property
    def is_error(self) -> bool:
        """Whether it must stop the command."""
        return self.code.severity is Severity.ERROR

    def at(self, place: Place, source: str = "") -> Diagnostic:
        """The same problem at a place, for a finder that did not know where the text came from."""
        return replace(self, place=place, source=source)


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of problem: `Code("chain.empty", Severity.ERROR, Fault.FILE, "the chain file is empty")`."""

    code: str
    severity: Severity
    fault: Fault
    summary: str

    def found(self, detail: str, fix: str = "", place: Place | None = None) -> Diagnostic:
        """One occurrence of this problem."""
        return Diagnostic(self, detail, fix, place)


BUG = Code("internal.bug", Severity.ERROR, Fault.US, "cf-mtls itself failed")


def bug(error: Exception) -> Diagnostic:
    """What should not have happened, with the line of ours or of a library where it did."""
    from traceback import extract_tb  # with `re` and more behind it, needed only here

    frames = extract_tb(error.__traceback__)
    file, line = (frames[-1].filename, frames[-1].lineno) if frames else ("", 0)
    where = f"{file.rpartition('cf_mtls')[2].lstrip('/') or file}:{line}"
    fix = "Please report it, with the output of the same command under CF_MTLS_TRACEBACK=1."
    return BUG.found(f"{type(error).__name__} at {where}: {error}", fix)


class Failure(Exception):
    """What ends a command: at least one error, with every other diagnostic gathered on the way."""

    def __init__(self, diagnostics: Iterable[Diagnostic], exit_code: Exit = Exit.ERROR) -> None:
        """diagnostics: in the order they should be read. exit_code: see `Exit`."""
        self.diagnostics = tuple(diagnostics)
        self.exit_code = exit_code
        super().__init__("; ".join(f"{d.code.summary}: {d.detail}" for d in self.diagnostics))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them must stop the command."""
    return any(d.is_error for d in diagnostics)
