"""Many stacks in a folder, and how they are spread over CI runners.

Rules of this file:
- A plan file is a YAML file with `stack:` at the left edge; whether it is right is for the check to say.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cf_mtls import input_file
from cf_mtls.diagnostics import Code, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cf_mtls.diagnostics import Diagnostic

_STACK = re.compile(rb"^stack:[ \t]*[\"']?([a-z0-9-]*)", re.MULTILINE)

_SCOPE = re.compile(rb"^(?:account|zone)_id:[ \t]*[\"']?([0-9a-f]{32})", re.MULTILINE)

TWICE = Code("stacks.twice", Severity.ERROR, Fault.FILE, "two files declare the same stack")

MOST_JOBS = 256
"""Jobs that GitHub makes of one matrix."""


def plan_files(path: Path) -> list[Path]:
    """The plan files below a folder, sorted; a file is itself."""
    if not path.is_dir():
        return [path]
    found = (p for suffix in ("*.yaml", "*.yml") for p in path.rglob(suffix))
    return sorted(p for p in found if _is_stack(p))


def stack_name(path: Path) -> str:
    """The stack's name as it stands in the file, '' when none can be read."""
    found = _STACK.search(_bytes(path))
    return found[1].decode("ascii") if found else ""


def _is_stack(path: Path) -> bool:
    return _STACK.search(_bytes(path)) is not None


def _bytes(path: Path) -> bytes:
    """What a regular file holds, nothing when it cannot be read: the check says why."""
    found = input_file.read(path, input_file.LARGEST_PLAN)
    return found if isinstance(found, bytes) else b""


def scope_id(path: Path) -> str:
    """The id of the account or zone as it stands in the file, '' when it has none."""
    found = _SCOPE.search(path.read_bytes()) if path.is_file() else None
    return found[1].decode("ascii") if found else ""


def twice(files: Sequence[tuple[Path, str, str]]) -> dict[Path, Diagnostic]:
    """The refusal of each file whose stack another file declares too: each would call the other's things not declared.

    files: path, the stack's name ('' when it is not known) and its scope.
    """
    refused = {}
    for path, name, scope in files:
        same = [p for p, other, where in files if name and (other, where) == (name, scope)]
        if len(same) > 1:
            listed = "\n".join(f"    {p}" for p in same)
            detail = f"The stack {name} is declared by:\n{listed}"
            refused[path] = TWICE.found(detail, "Give each its own name, or name one of them.")
    return refused


def matrix(files: Sequence[Path], jobs: int = MOST_JOBS) -> dict[str, Any]:
    """`{"include": [{name, files}]}`, files one a line; no more entries than jobs, as even as can be."""
    count = min(len(files), max(1, jobs))
    shares = [files[i::count] for i in range(count)]
    return {
        "include": [
            {"name": _name(share, i), "files": "\n".join(map(str, share))} for i, share in enumerate(shares)
        ]
    }


def _name(share: Sequence[Path], index: int) -> str:
    """What a job is called: its number and its only stack."""
    return f"{index + 1}-{(stack_name(share[0]) if len(share) == 1 else '') or 'part'}"
