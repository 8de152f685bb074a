"""Many stacks of one call: none twice, and how they are spread over CI runners."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cf_mtls.diagnostics import Diagnostic

TWICE = Code("stacks.twice", Severity.ERROR, Fault.FILE, "two files declare the same stack")

LABEL = re.compile(r"[a-z0-9-]{1,63}")

MOST_JOBS = 256
"""Jobs that GitHub makes of one matrix."""


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


def matrix(files: Sequence[tuple[Path, str]], jobs: int = MOST_JOBS) -> dict[str, Any]:
    """`{"include": [{name, files}]}`, files one a line; no more entries than jobs, as even as can be.

    files: path, and the stack's name, '' when it is not known.
    """
    count = min(len(files), max(1, jobs))
    shares = [files[i::count] for i in range(count)]
    return {
        "include": [
            {"name": _name(share, i), "files": "\n".join(str(path) for path, _ in share)}
            for i, share in enumerate(shares)
        ]
    }


def _name(share: Sequence[tuple[Path, str]], index: int) -> str:
    """What a job is called: its number and its only stack."""
    stack = share[0][1] if len(share) == 1 else ""
    return f"{index + 1}-{stack if LABEL.fullmatch(stack) else 'part'}"
