"""`Waiver`: a difference that somebody knows, answers for, and means to end by a day.

Rules of this file:
- It holds for one address, until its day has passed, and for that one difference alone which `finding` names.
- Without `finding` it covers only what lets nobody in: what ends, what is pending, what is unmanaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from datetime import date

    from cf_mtls.diagnostics import Place


@dataclass(frozen=True, slots=True)
class Waiver:
    """A row of `waivers:` in a plan file."""

    address: str
    reason: str
    owner: str
    until: date
    """The last day on which it holds, in UTC."""
    finding: str | None = None
    """The digest of the only difference that it covers; None covers what is found there and opens nothing."""
    place: Place | None = None
