"""The markers by which issues and comments of ours are known again.

Rules of this file:
- A marker is a first line and nothing else; what the account, a file or a person wrote cannot make one.
- The key is repository, stack and scope. The file is recorded beside it, and may change.
- What was said is recorded once it was said: the newest of the body's record and the comments' counts.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from cf_mtls.quick import dataclass
from cf_mtls.report.safe import code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cf_mtls.ci.github import Post

RESOLVED, GONE, DUPLICATE = "resolved", "gone", "duplicate"
"""What a comment says, where it is not the fingerprint of alarms."""

WHAT = rf"[0-9a-f]{{64}}|{RESOLVED}|{GONE}|{DUPLICATE}"

MARKER = re.compile(
    r"<!-- cf-mtls:drift v2 key=(?P<key>[0-9a-f]{16}) in=(?P<place>[\w.~%/-]*) file=(?P<file>[\w.~%/-]*)"
    rf" fp=(?P<fp>[0-9a-f]{{64}}) said=(?P<said>{WHAT}) n=(?P<count>\d{{1,9}}) first=(?P<first>[0-9TZ:-]+) -->",
    re.ASCII,
)

OLD_MARKER = re.compile(
    r"<!-- cf-mtls:drift v1 key=(?P<key>[0-9a-f]{16}) fp=(?P<fp>[0-9a-f]{64}) first=(?P<first>[0-9TZ:-]+) -->"
)
"""Its key was made of the file's path and the scope alone."""

SAID = re.compile(rf"<!-- cf-mtls:said v2 key=([0-9a-f]{{16}}) n=(\d{{1,9}}) what=({WHAT}) -->")


@dataclass(frozen=True, slots=True)
class Mark:
    """What the first line of an issue says."""

    key: str
    fingerprint: str
    """Of the alarms that the body shows."""
    first: str
    """When the drift was first seen, RFC 3339."""
    place: str = ""
    """The repository of the plan file, by its id or name."""
    file: str = ""
    """The plan file's path in its repository, as of the last time that the body was written."""
    said: str = ""
    """What the newest recorded comment says; of a new issue its own fingerprint."""
    count: int = 0
    """How many comments were written."""
    is_old: bool = False
    """Whether it is of version 1, which has only the first three."""

    def __str__(self) -> str:
        """The line, in version 2."""
        return (
            f"<!-- cf-mtls:drift v2 key={self.key} in={_quoted(self.place)} file={_quoted(self.file)}"
            f" fp={self.fingerprint} said={self.said} n={self.count} first={self.first} -->"
        )


def _quoted(text: str) -> str:
    return quote(text, safe="/~", errors="replace").replace("--", "-%2D")


def key_of(repository: str, stack: str, scope: str) -> str:
    """What the issue of a stack is found by: 16 hex digits over the repository, the stack's name and its scope."""
    return hashlib.sha256(f"{repository}\n{stack}\n{scope}".encode()).hexdigest()[:16]


def old_key_of(file: str, scope: str) -> str:
    """What version 1 found an issue by."""
    return hashlib.sha256(f"{file}\n{scope}".encode()).hexdigest()[:16]


def mark_of(body: str) -> Mark | None:
    """The marker in a body's first line, of either version; None when there is none."""
    line = body.partition("\n")[0].strip()
    if found := MARKER.fullmatch(line):
        place, file = unquote(found["place"]), unquote(found["file"])
        return Mark(
            found["key"], found["fp"], found["first"], place, file, found["said"], int(found["count"])
        )
    if found := OLD_MARKER.fullmatch(line):
        return Mark(found["key"], found["fp"], found["first"], said=found["fp"], is_old=True)
    return None


def is_of(body: str, stack: dict[str, Any]) -> bool:
    """Whether the issue with this body is the stack's.

    One of version 1 is the stack's whose name and scope stand in its text: its key was shared by stacks whose files
    had one path, and lost when a file was renamed.
    """
    mark = mark_of(body)
    if mark is None or not mark.is_old:
        return mark is not None and mark.key == key_of(stack["repository"], stack["stack"], stack["scope"])
    named = [line for line in body.split("\n")[1:9] if line.startswith("Plan file `")]
    if named:
        return f", stack {code(stack['stack'])}, {code(stack['scope'])}." in named[0]
    return mark.key == old_key_of(stack["file"], stack["scope"])


def said_line(key: str, count: int, what: str) -> str:
    """The first line of a comment of ours."""
    return f"<!-- cf-mtls:said v2 key={key} n={count} what={what} -->"


def last_said(mark: Mark, comments: Iterable[Post], bot: str) -> tuple[int, str]:
    """How many comments were written, and what the last one says: whichever is further, the record or the comments.

    Also of a comment whose answer was lost, or after which the run died.
    """
    lines = (c.body.partition("\n")[0].strip() for c in comments if c.author == bot)
    found = [(int(m[2]), m[3]) for m in map(SAID.fullmatch, lines) if m and m[1] == mark.key]
    return max([(mark.count, mark.said), *found], key=lambda pair: pair[0])
