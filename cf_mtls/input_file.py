"""Input files: the one place that opens a path for reading whose content is not ours.

Rules of this file:
- A file is read whole or refused: not there, not readable, not a regular file, too large.
- A pipe or a device is read only where a person named it on the command line (`pipes`), as a shell's `<(program)` is;
  a file that another file names must be a regular one, or whoever wrote that could make the program wait for ever.
- Nothing is opened that would wait, and no more is read than may be.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Place, Severity

if TYPE_CHECKING:
    from pathlib import Path

MISSING = Code("file.missing", Severity.ERROR, Fault.FILE, "a file is not there")
UNREADABLE = Code("file.unreadable", Severity.ERROR, Fault.INVOCATION, "a file cannot be read")
NOT_REGULAR = Code("file.not-regular", Severity.ERROR, Fault.FILE, "a file is not a regular file")
TOO_LARGE = Code("file.too-large", Severity.ERROR, Fault.FILE, "a file is too large to be what it should be")

KB, MB = 1000, 1_000_000
LARGEST = 4 * MB
"""Bytes of a chain, a key, a certificate; a chain of three thousand CAs fits."""

LARGEST_PLAN = 2 * MB
"""Bytes of a plan file. One of 500 applications is under half a megabyte."""

LARGEST_REPORT = 32 * MB
"""Bytes of what this program wrote itself: saved plans, reports."""

LARGEST_SECRET = 64 * KB
"""Bytes of a file that holds a passphrase or a token."""


def read(path: Path, most: int = LARGEST, *, pipes: bool = False) -> bytes | Diagnostic:
    """The bytes of a file, or the diagnostic that says why there are none.

    most: how many there may be. pipes: whether what is no regular file is read too; then it may wait for its writer.
    """
    place = Place(str(path))
    try:
        data = _bytes(path, most, pipes=pipes)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING.found(f"There is no file {path}.", "Mend the path, or put the file there.", place)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return UNREADABLE.found(f"{path}: {why}.", "Name a file that you may read.", place)
    if data is None:
        return NOT_REGULAR.found(
            f"{path} is a pipe, a device or a socket; it was not opened.",
            "Name a regular file.",
            place,
        )
    return data if len(data) <= most else too_large(path, most)


def too_large(path: Path, most: int) -> Diagnostic:
    """That a file is larger than so many bytes."""
    size = f"{most // MB} MB" if most >= MB else f"{most // KB} kB"
    return TOO_LARGE.found(
        f"{path} is larger than {size}, the most that it may be.", "Name the right file.", Place(str(path))
    )


def is_there(path: Path) -> bool:
    """Whether this is a file, or a link to one; False for one that may not be looked at. Raises nothing."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def needed(path: Path, most: int = LARGEST, *, pipes: bool = False) -> bytes:
    """The bytes of a file, as `read`. Raises Failure where there are none."""
    found = read(path, most, pipes=pipes)
    if isinstance(found, Diagnostic):
        raise Failure([found])
    return found


def _bytes(path: Path, most: int, *, pipes: bool) -> bytes | None:
    """At most one byte more than `most`, None for what is no regular file and must be one."""
    if not pipes and not _is_file(path.stat().st_mode):
        return None
    # Without waiting, in case a pipe was put there since.
    flags = os.O_RDONLY | (0 if pipes else getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not pipes and not _is_file(os.fstat(file.fileno()).st_mode):
            return None
        return file.read(most + 1)


def _is_file(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # a folder says so itself, when it is read
