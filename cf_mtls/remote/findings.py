"""What a check of the doctor finds, and what the checks share.

Rules of this file:
- Pure. A finding is data; `said` and `fix` may hold names of the account, which are untrusted.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING

from cf_mtls.model.coverage import Coverage
from cf_mtls.quick import dataclass
from cf_mtls.remote.doctor import items
from cf_mtls.remote.errors import failure
from cf_mtls.remote.gateway import Answer
from cf_mtls.remote.pages import paging
from cf_mtls.remote.shape import Misshapen

if TYPE_CHECKING:
    from datetime import datetime

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.state import State
    from cf_mtls.remote.doctor import Outcome


class Grade(Enum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNTOLD = "unknown"
    """It could not be told: neither well nor wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. on: a hostname, '' for the whole account. fix: what to do, '' when nothing."""

    check: str
    grade: Grade
    said: str
    fix: str = ""
    on: str = ""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a plan file declares, for the checks of hostnames. at: now, aware."""

    stack: str
    state: State
    at: datetime
    actual: State | None = None
    """The account as plan reads it, other scopes included; None when it could not be read."""
    coverage: Coverage = field(default_factory=Coverage)
    """What of it was looked at, and what is said of the file rests on."""
    why: tuple[Diagnostic, ...] = ()
    """Why it could not be read."""


def ok(outcome: Outcome) -> bool:
    """Whether it is an answer, and a good one."""
    return isinstance(outcome, Answer) and outcome.ok


def either(check: str, holds: bool, said: str, fix: str) -> Finding:  # noqa: FBT001 - a fact, not a mode
    """Well when it holds, else failed with the fix."""
    return Finding(check, Grade.OK if holds else Grade.FAIL, said, "" if holds else fix)


def refused(check: str, grade: Grade, outcome: Outcome, path: str, on: str = "") -> Finding:
    """An answer that is none, in the words that every other verb uses for it."""
    said = failure(outcome, "asking", path).diagnostics[0]
    return Finding(check, grade, f"{said.code.summary} [{said.code.code}]: {said.detail}", said.fix, on)


def count(outcome: Outcome) -> int | None:
    """How many things a list holds, by its own count; None when it was not read."""
    if not isinstance(outcome, Answer) or not outcome.ok:
        return None
    try:
        total = paging(outcome).items
    except Misshapen:
        total = None
    return len(items(outcome)) if total is None else total
