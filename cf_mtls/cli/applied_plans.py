"""The saved plans that a drift check is given as evidence of what was applied.

Rules of this file:
- What is no saved plan, or was edited, is an error: somebody counts on it.
- What is one and proves nothing (refused, of another version, partial) is said, and judged without.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Place, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.planning.drift import Checked
    from cf_mtls.planning.saved import Saved

    Note = tuple[tuple[str, str] | None, Diagnostic]
    """What is said, and of which stack and scope; None where that cannot be read."""

NO_EVIDENCE = Code("drift.no-evidence", Severity.NOTE, Fault.FILE, "an applied plan is no evidence")
PARTIAL = Code(
    "drift.partial-evidence", Severity.NOTE, Fault.FILE, "an applied plan is no evidence of what it left out"
)
FIX = "Record what is applied:\n    cf-mtls apply PLANFILE --record FILE"


def read(names: Sequence[str]) -> tuple[tuple[Saved, ...], tuple[Note, ...]]:
    """The plans that are evidence, in the order given (of a folder, of its names), and what is to be said of others.

    Raises Failure for what cannot be read, is no saved plan, or was changed.
    """
    found: list[Saved] = []
    notes: list[Note] = []
    for name in names:
        paths = sorted(Path(name).glob("*.json")) if Path(name).is_dir() else [Path(name)]
        if not paths:
            notes.append((None, NO_EVIDENCE.found(f"{name} holds no saved plan.", FIX, Place(name))))
        for path in paths:
            saved = _read(path)
            if isinstance(saved, Diagnostic):
                notes.append((None, saved))
                continue
            notes += _doubts(saved, str(path))
            found += [] if saved.refused else [saved]
    return tuple(found), tuple(notes)


def none_for(checked: Checked, names: Sequence[str], plans: Sequence[Saved]) -> Checked:
    """A verdict with the note that plans were given and none of them is of its stack, where that is so."""
    if not names or not checked.stack or any(_whose(p) == (checked.stack, checked.scope) for p in plans):
        return checked
    detail = f"--applied {', '.join(names)}: nothing tells of the stack {checked.stack} in {checked.scope}."
    return replace(checked, notes=(NO_EVIDENCE.found(detail, FIX), *checked.notes))


def _whose(saved: Saved) -> tuple[str, str]:
    return saved.stack, str(saved.scope)


def _read(path: Path) -> Saved | Diagnostic:
    """A saved plan, or the note that it is of another version."""
    from cf_mtls.declare.files import read_bytes
    from cf_mtls.planning.planfile_reader import OTHER_SCHEMA, load

    raw = read_bytes(path)
    if isinstance(raw, Diagnostic):
        raise Failure([raw])
    try:
        return load(raw, str(path), to_apply=False)
    except Failure as failure:
        problem = failure.diagnostics[0]
        if problem.code is not OTHER_SCHEMA:
            raise Failure(
                failure.diagnostics
            ) from None  # an error of this check, whatever apply would make of it
        return NO_EVIDENCE.found(f"{path}: {problem.code.summary}. {problem.detail}", FIX, Place(str(path)))


def _doubts(saved: Saved, name: str) -> Iterator[Note]:
    whose = _whose(saved)
    if saved.refused:
        detail = f"{name}: the plan was refused when it was made ({', '.join(saved.refused)}), so nobody applied it."
        yield whose, NO_EVIDENCE.found(detail, FIX, Place(name))
    elif saved.left_out:
        listed = ", ".join(map(str, saved.left_out))
        detail = f"{name}: --target left out {listed}; there only a plan before it, named first, is evidence."
        yield whose, PARTIAL.found(detail, FIX, Place(name))
