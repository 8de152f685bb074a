"""One comment on a pull request, updated in place.

Rules of this file:
- Ours is the bot's comment whose first line is our marker with the key; everything else is somebody's text.
- Never longer than GitHub takes; plain text stands in a fence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cf_mtls.report.markdown import LONGEST
from cf_mtls.report.safe import fenced, redacted

if TYPE_CHECKING:
    from cf_mtls.ci.github import GitHub

KEY = re.compile(r"[a-z0-9-]{1,64}")


def marker(key: str) -> str:
    """The first line of our comment with this key. Raises ValueError for a key that is not [a-z0-9-]."""
    if not KEY.fullmatch(key):
        message = f"{key} is not made of a-z, 0-9 and hyphens"
        raise ValueError(message)
    return f"<!-- cf-mtls:comment v1 key={key} -->"


def of_text(text: str, language: str = "text") -> str:
    """A plain text as a fenced block, shortened with a note when it is too long."""
    lines = redacted(text, ()).splitlines()
    kept = len(lines)
    while len(made := _block(lines, kept, language)) > LONGEST - 100 and kept:
        kept //= 2
    return made


def _block(lines: list[str], kept: int, language: str) -> str:
    left = len(lines) - kept
    note = f"\n\n{left} more lines are left out: too long for this place." if left else ""
    return fenced(lines[:kept], language) + note


def upsert(github: GitHub, number: int, key: str, text: str, bot: str) -> str:
    """Write or update our comment: `created`, `updated`, or `unchanged`. text: Markdown of our own making."""
    head = marker(key)
    body = f"{head}\n{text}"[:LONGEST]
    ours = [
        c for c in github.comments(number) if c.author == bot and c.body.partition("\n")[0].strip() == head
    ]
    if not ours:
        github.comment(number, body)
        return "created"
    if ours[0].body.strip() == body.strip():
        return "unchanged"
    github.edit_comment(ours[0].id, body)
    return "updated"
