"""One issue a stack: what to do with it, and what stands in it.

Rules of this file:
- `DEEDS` is the whole state machine. What could not be checked touches nothing.
- An issue is ours when its author is the bot and its first line is our marker with the stack's key;
  a marker anywhere else is somebody's text.
- A comment is written when the fingerprint changes, never for another run.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cf_mtls.planning.drift import Status
from cf_mtls.quick import dataclass
from cf_mtls.report.drift_data import key_of
from cf_mtls.report.markdown import LONGEST, stack_markdown
from cf_mtls.report.safe import code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.ci.github import GitHub, Post


class Deed(StrEnum):
    """What is done to an issue."""

    CREATE = "create"
    REOPEN = "reopen"
    EDIT = "edit"
    SAY_CHANGED = "say changed"
    SAY_RESOLVED = "say resolved"
    CLOSE = "close"


class Found(StrEnum):
    """The issue as it is."""

    NONE = "none"
    OPEN = "open"
    CLOSED = "closed"


D = Deed
DEEDS: dict[tuple[Status, Found, bool], tuple[Deed, ...]] = {
    (Status.DRIFT, Found.NONE, False): (D.CREATE,),
    (Status.DRIFT, Found.OPEN, False): (D.EDIT, D.SAY_CHANGED),
    (Status.DRIFT, Found.OPEN, True): (D.EDIT,),
    (Status.DRIFT, Found.CLOSED, False): (D.REOPEN, D.EDIT, D.SAY_CHANGED),
    (Status.DRIFT, Found.CLOSED, True): (D.REOPEN, D.EDIT),
    (Status.CLEAN, Found.OPEN, False): (D.SAY_RESOLVED, D.CLOSE),
    (Status.CLEAN, Found.OPEN, True): (D.SAY_RESOLVED, D.CLOSE),
}
"""By state, issue, and whether the fingerprint is the one in the issue. What is not here does nothing."""

MARKER = re.compile(
    r"<!-- cf-mtls:drift v1 key=(?P<key>[0-9a-f]{16}) fp=(?P<fp>[0-9a-f]{64}) first=(?P<first>[0-9TZ:-]+) -->"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the first line of an issue says."""

    key: str
    fingerprint: str
    first: str
    """When the drift was first seen, RFC 3339."""

    def __str__(self) -> str:
        """The line."""
        return f"<!-- cf-mtls:drift v1 key={self.key} fp={self.fingerprint} first={self.first} -->"


@dataclass(frozen=True, slots=True)
class Run:
    """This run: its time (RFC 3339), its address for people ('' when unknown), whose issues count."""

    at: str
    url: str
    bot: str
    labels: tuple[str, ...]
    """The first one finds the issues."""


def mark_of(body: str) -> Mark | None:
    """The marker in a body's first line, None when there is none."""
    found = MARKER.fullmatch(body.partition("\n")[0].strip())
    return Mark(found["key"], found["fp"], found["first"]) if found else None


def find(posts: Sequence[Post], key: str, bot: str) -> Post | None:
    """The issue of a stack: the open one, else the newest; None when the bot has written none."""
    ours = [p for p in posts if p.author == bot and (mark := mark_of(p.body)) and mark.key == key]
    return max(ours, key=lambda p: (p.is_open, p.id), default=None)


def deeds(stack: dict[str, Any], post: Post | None) -> tuple[Deed, ...]:
    """What is to be done about a stack."""
    found = Found.NONE if post is None else Found.OPEN if post.is_open else Found.CLOSED
    mark = mark_of(post.body) if post else None
    same = mark is not None and mark.fingerprint == stack["fingerprint"]
    return DEEDS.get((Status(stack["status"]), found, same), ())


def body(stack: dict[str, Any], post: Post | None, run: Run) -> str:
    """The text of an issue, at most 60,000 characters. first seen stays what it was while the issue is open."""
    old = mark_of(post.body) if post and post.is_open else None
    mark = Mark(key_of(stack["file"], stack["scope"]), stack["fingerprint"], old.first if old else run.at)
    link = f", by [this run]({run.url})" if run.url else ""
    head = f"{mark}\nFirst seen {mark.first}, last checked {run.at}{link}.\n\n"
    return head + stack_markdown(stack, LONGEST - len(head))


def title(stack: dict[str, Any]) -> str:
    """The title of an issue."""
    return f"cf-mtls: {stack['stack']} drifted"


def sync(github: GitHub, stacks: Sequence[dict[str, Any]], run: Run, most_new: int) -> list[str]:
    """Do what each stack needs; a line for each deed, for the log. most_new: issues made in one run."""
    posts = github.issues(run.labels[0])
    done: list[str] = []
    made = 0
    for stack in stacks:
        post = find(posts, key_of(stack["file"], stack["scope"]), run.bot)
        todo = deeds(stack, post)
        if D.CREATE in todo and made >= most_new:
            done.append(f"not made, {most_new} new issues are enough for one run: {stack['file']}")
            continue
        made += D.CREATE in todo
        for deed in todo:
            url = _do(github, deed, stack, post, run)
            done.append(f"{deed.value}: {stack['file']} {url}".rstrip())
    return done


def _do(github: GitHub, deed: Deed, stack: dict[str, Any], post: Post | None, run: Run) -> str:
    if post is None:
        return github.create(title(stack), body(stack, None, run), list(run.labels)).url
    match deed:
        case Deed.REOPEN:
            github.edit(post.id, {"state": "open"})
        case Deed.EDIT | Deed.CREATE:
            github.edit(post.id, {"body": body(stack, post, run)})
        case Deed.SAY_CHANGED:
            github.comment(
                post.id, f"What drifted has changed ({code(stack['fingerprint'][:12])}), see above."
            )
        case Deed.SAY_RESOLVED:
            github.comment(post.id, f"Resolved: the check of {run.at} was clean.")
        case Deed.CLOSE:
            github.edit(post.id, {"state": "closed"})
    return post.url
