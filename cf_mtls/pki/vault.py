"""Reading and writing certificate files: private ones for their owner alone, nothing lost by accident.

Rules of this file:
- A private file has mode 0600 from its first byte on; it is never written and then narrowed.
- Nothing is overwritten unless told so, and then as `output_file` does it: no link, whole or not at all.
- All files of one command are checked before the first is written.
"""

from __future__ import annotations

import os
from dataclasses import field
from typing import TYPE_CHECKING

from cf_mtls import input_file, output_file
from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Severity
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeAlias

    Opener: TypeAlias = Callable[[Path, int, int], int]

EXISTS = Code("file.exists", Severity.ERROR, Fault.INVOCATION, "a file is there already")

PRIVATE, PUBLIC = 0o600, 0o644


@dataclass(frozen=True, slots=True)
class File:
    """A file to write: where, what, and who may read it."""

    path: Path
    content: bytes = field(repr=False)
    private: bool = False


def read(path: Path) -> bytes:
    """The bytes of a file that was named on the command line. Failure when it cannot be read."""
    return input_file.needed(path, pipes=True)


def write(files: Sequence[File], *, force: bool = False, opener: Opener = os.open) -> None:
    """Write all files and their folders (0700). Failure before the first byte when any is there already.

    force: replace what is there. opener: as `os.open`.
    """
    there = [f.path for f in files if os.path.lexists(f.path)]
    refused = [d for path in there for d in (_refused(path) if force else [_exists(path)])]
    if refused:
        raise Failure(refused)
    for file in files:
        try:
            _write(file, opener, force=force)
        except OSError as error:
            if isinstance(error, FileExistsError) and os.path.lexists(file.path):
                raise Failure([_exists(file.path)]) from error  # somebody made it since we looked
            raise Failure(
                [
                    output_file.UNWRITABLE.found(
                        f"{file.path}: {error.strerror or error}.", "Name a folder that you may write to."
                    )
                ]
            ) from error


def _refused(path: Path) -> tuple[Diagnostic, ...]:
    """Why a file that is there cannot be replaced."""
    try:
        output_file.check(path)
    except Failure as failure:
        return failure.diagnostics
    return ()


def _write(file: File, opener: Opener, *, force: bool) -> None:
    file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if force:
        output_file.write(file.path, file.content, private=file.private)
        return
    # O_EXCL follows no link and opens nothing that exists, so the mode holds from the start.
    descriptor = opener(file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE if file.private else PUBLIC)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.content)
    except OSError:
        file.path.unlink(missing_ok=True)
        raise


def _exists(path: Path) -> Diagnostic:
    return EXISTS.found(
        f"{path} exists and was not touched.", "Choose another name, or give --force to replace it."
    )
