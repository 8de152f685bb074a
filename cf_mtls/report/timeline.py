"""When certificates end, as a picture: one bar each from today on, with its words beside it.

Rules of this file:
- SVG without script; colours come from the page. The same facts stand as text, so the picture is never needed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cf_mtls.model.ends import span
from cf_mtls.report.markup import text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cf_mtls.model.evidence import Expiry

WIDTH, ROW, LEFT, RIGHT = 860, 34, 10, 90
SOON = timedelta(days=30)
"""From when on an end deserves a look."""
SHORTEST = timedelta(days=90)
"""The least that the picture spans."""


def timeline(expiries: Sequence[Expiry], now: datetime, anchor: str = "timeline") -> str:
    """The picture as an SVG element, the nearest end first; '' when there is nothing to show.

    anchor: for its ids, one for each picture on a page.
    """
    listed = sorted(set(expiries), key=lambda e: (e.not_after, e.kind, e.name))
    if not listed:
        return ""
    span = max([e.not_after - now for e in listed] + [SHORTEST])
    height = ROW * len(listed) + 30
    rows = "".join(_row(index, expiry, now, span) for index, expiry in enumerate(listed))
    return (
        f'<svg class="timeline" role="img" viewBox="0 0 {WIDTH} {height}" aria-labelledby="{anchor}-title">'
        f'<title id="{anchor}-title">Days until certificates end, from {now:%Y-%m-%d} on</title>'
        f"{rows}{_axis(span, height)}</svg>"
    )


def _x(after: timedelta, span: timedelta) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(max(after / span, 0.0), 1.0)


def _row(index: int, expiry: Expiry, now: datetime, span: timedelta) -> str:
    left = expiry.not_after - now
    y, end = ROW * index, _x(left, span)
    return (
        f'<text x="{LEFT}" y="{y + 13}">{text(expiry.kind)} {text(_short(expiry.name))}</text>'
        f'<rect class="{mood(left)}" x="{LEFT}" y="{y + 18}" width="{max(end - LEFT, 3):.1f}" height="9" rx="2"/>'
        f'<text class="end" x="{end + 6:.1f}" y="{y + 27}">{days_left(left)}</text>'
    )


def _short(name: str) -> str:
    return name if len(name) <= 90 else name[:89] + "…"


def _axis(span: timedelta, height: int) -> str:
    """A mark for today, then one each year, or each month where that would be none."""
    step = timedelta(days=365) if span > timedelta(days=500) else timedelta(days=30)
    every = max(1, round(span / step / 8))
    marks = [step * n for n in range(0, int(span / step) + 1, every)]
    unit, per = ("y", 365) if step.days == 365 else ("d", 1)
    return "".join(
        f'<line class="mark" x1="{_x(mark, span):.1f}" x2="{_x(mark, span):.1f}" y1="0" y2="{height - 22}"/>'
        f'<text class="{"tick" if mark else "tick first"}" x="{_x(mark, span):.1f}" y="{height - 8}">'
        f"{'today' if not mark else f'+{mark.days // per} {unit}'}</text>"
        for mark in marks
    )


def mood(left: timedelta) -> str:
    """The class of an end: `fail` when over, `inconclusive` when near, else `pass`."""
    return "fail" if left <= timedelta() else "inconclusive" if left < SOON else "pass"


def days_left(left: timedelta) -> str:
    """`in 30 days`, `2 days ago`."""
    return f"in {span(left)}" if left >= timedelta() else f"{span(-left)} ago"
