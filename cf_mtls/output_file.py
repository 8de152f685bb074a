"""Output files: the one place that opens a path that somebody named for writing.

Rules of this file:
- A regular file is written beside its place and put there by a rename, so that nobody reads half of it; what was
  there keeps its mode and owner. What is appended to (a journal, a CI system's files) stays in its place.
- `/dev/stdout` and `/dev/stderr` are this process's own streams, and a FIFO (`>(program)` too) is written through.
- A symbolic link, a device, a socket and a folder are refused: whoever made the link would choose what is replaced.
  Links among the folders above are followed.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from cf_mtls.diagnostics import Code, Failure, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UNWRITABLE = Code("file.unwritable", Severity.ERROR, Fault.INVOCATION, "a file cannot be written")

STREAMS = {"/dev/stdout": 1, "/dev/stderr": 2}
DESCRIPTORS = ("/dev/fd", "/proc/self/fd")
"""Where a shell's `>(program)` stands, as a link to its pipe."""

READER_S = 10.0
"""How long a FIFO may wait for somebody who reads it."""

PRIVATE, PUBLIC = 0o600, 0o666
"""Modes of a new file; of the second the process's umask is taken away."""


def check(path: Path, code: Code = UNWRITABLE) -> None:
    """Raise Failure with `code` when nothing could be written there. For before anything else is done."""
    with _failing(path, code):
        if _through(path) is None:
            _regular(path)
            folder = path.parent
            if folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK)):
                raise OSError(errno.EACCES, f"{folder} is no folder that you may write to")


def write(
    path: Path, content: bytes, code: Code = UNWRITABLE, *, private: bool = False, reader_s: float = READER_S
) -> None:
    """Write a file whole or not at all; its folder must be there. Raises Failure with `code`.

    private: for its owner alone from the first byte on, whatever the mode was. reader_s: how long a FIFO may wait for
    somebody who reads it.
    """
    with _failing(path, code):
        through = _through(path, reader_s)
        if through is None:
            _replace(path, content, _regular(path), private=private)
        else:
            with through() as stream:
                stream.write(content)


def appending(path: Path, code: Code = UNWRITABLE) -> BinaryIO:
    """A stream, open at the end of the file, which is made when it is not there. Raises Failure with `code`."""
    with _failing(path, code):
        through = _through(path)
        if through is not None:
            return through()
        _regular(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, PUBLIC)
        return os.fdopen(descriptor, "ab", buffering=0)


class _failing:  # noqa: N801 - a `with` block reads better in lower case, as `suppress` does
    """Turns an OSError into a Failure that names the file."""

    def __init__(self, path: Path, code: Code) -> None:
        self._path, self._code = path, code

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            detail = f"{self._path}: {error.strerror or error}."
            raise Failure([self._code.found(detail, "Name a file that can be written.")]) from None


def _through(path: Path, reader_s: float = READER_S) -> Callable[[], BinaryIO] | None:
    """What opens a stream that is written through; None for what must be a regular file."""
    stream = STREAMS.get(str(path))
    if stream is not None:
        return lambda: _own(stream)
    follow = str(path.parent) in DESCRIPTORS
    try:
        found = path.stat(follow_symlinks=follow)
    except FileNotFoundError:
        return None
    return (lambda: _fifo(path, reader_s, follow=follow)) if stat.S_ISFIFO(found.st_mode) else None


def _own(descriptor: int) -> BinaryIO:
    (sys.stdout if descriptor == 1 else sys.stderr).flush()
    return os.fdopen(os.dup(descriptor), "wb", buffering=0)


def _fifo(path: Path, reader_s: float, *, follow: bool) -> BinaryIO:
    """A FIFO, opened as soon as somebody reads it. Raises OSError when nobody does in that time."""
    flags = os.O_WRONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    for descriptor in _attempts(path, flags, reader_s):
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "wb", buffering=0)
    raise OSError(errno.ENXIO, f"nobody reads it, and it was waited for {reader_s:g} s")


def _attempts(path: Path, flags: int, reader_s: float) -> Iterator[int]:
    end = time.monotonic() + reader_s
    while time.monotonic() < end:
        try:
            yield os.open(path, flags)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            time.sleep(0.02)


def _regular(path: Path) -> os.stat_result | None:
    """What is there, None when nothing is. Raises OSError when it is no regular file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISREG(found.st_mode):
        return found
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, "it is a symbolic link, and none is followed or replaced")
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, "it is a folder")
    raise OSError(
        errno.EINVAL, "it is a device or a socket; only /dev/stdout, /dev/stderr and a FIFO are written to"
    )


def _replace(path: Path, content: bytes, before: os.stat_result | None, *, private: bool) -> None:
    beside = path.with_name(f".cf-mtls-{secrets.token_hex(8)}")
    # O_EXCL follows no link and opens nothing that exists, so the mode holds before the first byte.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(beside, flags, PRIVATE if private else PUBLIC), "wb") as stream:
        try:
            if before is not None and not private:
                _keep(stream.fileno(), before)
            stream.write(content)
            stream.flush()
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _keep(descriptor: int, before: os.stat_result) -> None:
    """Give the file that is being written the owner, where that may be done, and the mode of the one before."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        with suppress(OSError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
