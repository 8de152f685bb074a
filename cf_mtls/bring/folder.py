"""Certificates from folders, and a finished draft into files.

Rules of this file:
- Every file is read whole or passed over; what holds a private key is counted and never copied.
- Nothing is overwritten unless told so; everything is looked at before the first file is written.
- What is there already with the same content is left alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cf_mtls.declare import schema
from cf_mtls.diagnostics import Failure, Place
from cf_mtls.input_file import MISSING
from cf_mtls.input_file import read as read_file
from cf_mtls.pki import vault
from cf_mtls.pki.blocks import PRIVATE_KEY, read_blocks
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cf_mtls.bring.draft import Draft

SUFFIXES = frozenset({".pem", ".crt", ".cer", ".ca-bundle", ".chain"})


@dataclass(frozen=True, slots=True)
class Found:
    """Certificate files by path, and how many were passed over because a private key is in them."""

    files: dict[str, bytes]
    with_keys: int


def read(folders: Iterable[str]) -> Found:
    """The certificate files in these folders, and in those below them. Raises Failure when one is not there."""
    paths = [path for folder in folders for path in _paths(Path(folder))]
    data = {str(path): found for path in paths if isinstance(found := read_file(path), bytes)}
    keyed = {
        path for path, found in data.items() if any(d.code is PRIVATE_KEY for d in read_blocks(found)[1])
    }
    return Found({path: found for path, found in data.items() if path not in keyed}, len(keyed))


def _paths(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
    elif not folder.is_dir():
        raise Failure(
            [
                MISSING.found(
                    f"There is no folder {folder}.",
                    "Give --certs a folder that is there.",
                    Place(str(folder)),
                )
            ]
        )
    for base, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES:
                yield Path(base, name)


def write(made: Draft, out: Path, *, force: bool) -> tuple[Path, ...]:
    """The files written: the plan, its chains and the schema beside it. Raises Failure before the first one."""
    beside = [vault.File(out.parent / name, data) for name, data in made.chains().items()]
    schema_file = vault.File(out.parent / schema.FILE, schema.text().encode("utf-8"))
    wanted = [vault.File(out, made.text.encode("utf-8")), *beside]
    new = [file for file in wanted if not _is_there(file)]
    new += [] if os.path.lexists(schema_file.path) else [schema_file]
    vault.write(new, force=force)
    return tuple(file.path for file in new)


def _is_there(file: vault.File) -> bool:
    return read_file(file.path) == file.content


def relative(made: Draft, out: Path) -> dict[str, str]:
    """Of each matched file the path as a plan at `out` would name it where it lies."""
    paths = [entry.match.path for entry in made.entries if entry.match]
    return {path: Path(os.path.relpath(path, out.parent)).as_posix() for path in paths}
