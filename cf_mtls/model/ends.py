"""What ends, and how far away a moment is, in words.

Rules of this file:
- The largest unit that is not none of them: days, else hours, else minutes. Never more than has passed or is left.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class End:
    """Something that a stack needs ends."""

    address: str
    """Where it is reported."""
    at: datetime
    """Aware."""
    what: str = ""
    """Which of several certificates there, '' for the thing itself."""


UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def counted(number: int, unit: str) -> str:
    """`1 day`, `2 days`, `0 days`."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def span(length: timedelta) -> str:
    """`2 days`, `1 hour`, `less than a minute`; of a length that is not negative."""
    for unit, size in UNITS:
        if length >= size:
            return counted(length // size, unit)
    return "less than a minute"


def distance(at: datetime, now: datetime) -> str:
    """`in 2 days`, `3 hours ago`; the moment itself is still to come. Aware datetimes."""
    return f"in {span(at - now)}" if at >= now else f"{span(now - at)} ago"
