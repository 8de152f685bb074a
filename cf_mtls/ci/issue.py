"""One issue a stack: what to do with it, and what stands in it.

Rules of this file:
- `DEEDS` is the whole state machine. What could not be checked touches nothing, and neither does what was not looked
  at: a stack is gone only when the run read every plan file below the folder that had it.
- An issue is ours when its author is the bot and its first line is our marker with the stack's key;
  a marker anywhere else is somebody's text.
- A comment is written when what drifted changes, never for another run, and its marker is the record of it: whatever
  GitHub refuses, or whenever the run dies, the next run does what is left.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from cf_mtls.ci.mark import DUPLICATE, GONE, RESOLVED, Mark, is_of, key_of, last_said, mark_of, said_line
from cf_mtls.diagnostics import Failure
from cf_mtls.planning.drift import Status, worst
from cf_mtls.quick import dataclass
from cf_mtls.report.markdown import LONGEST, stack_markdown
from cf_mtls.report.safe import code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.ci.github import GitHub, Post
    from cf_mtls.ci.reading import Told
    from cf_mtls.diagnostics import Diagnostic


class Deed(StrEnum):
    """What is done to an issue."""

    CREATE = "create"
    REOPEN = "reopen"
    EDIT = "edit"
    SAY = "say"
    CLOSE = "close"


class Found(StrEnum):
    """The issue as it is."""

    NONE = "none"
    OPEN = "open"
    CLOSED = "closed"


D = Deed
DEEDS: dict[tuple[str, Found], tuple[Deed, ...]] = {
    (Status.DRIFT, Found.NONE): (D.CREATE,),
    (Status.DRIFT, Found.OPEN): (D.SAY, D.EDIT),
    (Status.DRIFT, Found.CLOSED): (D.REOPEN, D.SAY),
    (Status.CLEAN, Found.OPEN): (D.SAY, D.CLOSE),
    (GONE, Found.OPEN): (D.SAY, D.CLOSE),
    (DUPLICATE, Found.OPEN): (D.SAY, D.CLOSE),
}
"""By what is known of the stack, and its issue. What is not here does nothing. `say` is left out where the last comment
says it already; what is said is recorded in the body by the deed after it, or the next run's."""

MOST_FAILURES = 3
"""Stacks in a row with which GitHub failed, after which the rest is left to the next run."""


@dataclass(frozen=True, slots=True)
class Run:
    """This run: its time (RFC 3339), its address for people ('' when unknown), whose issues count."""

    at: str
    url: str
    bot: str
    labels: tuple[str, ...]
    """The first one finds the issues."""


@dataclass(slots=True)
class Done:
    """What a run did: a line for each deed, for the log; what GitHub refused."""

    lines: list[str] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)


def sync(github: GitHub, told: Told, run: Run, most_new: int) -> Done:
    """Do what each stack needs. One that GitHub fails at hides no other. most_new: issues made in one run.

    Raises Failure when the issues cannot be listed: then nothing was done.
    """
    ours = [p for p in github.issues(run.labels[0]) if p.author == run.bot and mark_of(p.body)]
    stacks = list(_each_once(told.stacks))
    round_ = _Round(github, run, most_new)
    works = [partial(round_.stack, stack, ours) for stack in stacks]
    works += [partial(round_.gone, post, told.covered) for post in _gone(ours, stacks, told)]
    failed = 0
    for index, work in enumerate(works):
        try:
            work()
            failed = 0
        except Failure as failure:
            round_.done.problems += failure.diagnostics
            failed += 1
        if failed == MOST_FAILURES and index + 1 < len(works):
            round_.done.lines.append(f"GitHub fails: left to the next run: {len(works) - index - 1} issues")
            break
    return round_.done


def _each_once(stacks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each stack that is known by name and scope; of several reports on one the worst, as everywhere."""
    known: dict[str, list[dict[str, Any]]] = {}
    for stack in stacks:
        if stack["stack"] and stack["scope"]:
            known.setdefault(_key(stack), []).append(stack)
    for same in known.values():
        state = worst(Status(stack["status"]) for stack in same)
        yield next(stack for stack in same if stack["status"] == state.value)


def _key(stack: dict[str, Any]) -> str:
    return key_of(stack["repository"], stack["stack"], stack["scope"])


def _gone(ours: Sequence[Post], stacks: Sequence[dict[str, Any]], told: Told) -> Iterator[Post]:
    """The open issues of stacks that no plan file declares any more, of all in the folders that were covered whole."""
    keys = set(map(_key, stacks))
    for post in ours:
        mark = mark_of(post.body)
        if (
            post.is_open
            and mark
            and not mark.is_old
            and mark.key not in keys
            and told.covers(mark.place, mark.file)
        ):
            yield post


def kept(posts: Sequence[Post]) -> Post | None:
    """Of the issues of one stack the one that stays: the oldest open one, else the newest that was no duplicate."""
    opened = [post for post in posts if post.is_open]
    if opened:
        return min(opened, key=lambda post: post.id)
    return max(posts, key=lambda post: (_said(post) != DUPLICATE, post.id), default=None)


def _said(post: Post) -> str:
    mark = mark_of(post.body)
    return mark.said if mark else ""


class _Round:
    """One run at work."""

    def __init__(self, github: GitHub, run: Run, most_new: int) -> None:
        self.github, self.run, self.left = github, run, most_new
        self.most_new = most_new
        self.done = Done()

    def stack(self, stack: dict[str, Any], ours: Sequence[Post]) -> None:
        """Do what a stack's state asks for, then close what else is open for it. Raises Failure where GitHub does."""
        posts = [post for post in ours if is_of(post.body, stack)]
        post, status = kept(posts), Status(stack["status"])
        if status is Status.ERROR:
            self.done.lines.append(f"could not be checked, so its issue is left as it is: {stack['file']}")
            return
        what = stack["fingerprint"] if status is Status.DRIFT else RESOLVED
        self._settle(_Case(status, what, stack["file"], _said_of(status, stack, self.run), stack), post)
        for other in posts:
            if post and other.is_open and other is not post:
                text = f"The same as #{post.id}, which stays."
                self._settle(_Case(DUPLICATE, DUPLICATE, stack["file"], text, stack), other)

    def gone(self, post: Post, covered: Sequence[tuple[str, str]]) -> None:
        """Close the issue of a stack that is gone. Raises Failure where GitHub does."""
        mark = mark_of(post.body)
        folders = ", ".join(code(folder or ".") for _, folder in covered)
        text = (
            f"Closed: the stack is gone. By the check of {self.run.at} no plan file below {folders} declares it in"
            " this scope any more. What may be left of it in the account was not looked at."
        )
        self._settle(_Case(GONE, GONE, mark.file if mark else "", text), post)

    def _settle(self, case: _Case, post: Post | None) -> None:
        if post is None:
            if D.CREATE in DEEDS.get((case.state, Found.NONE), ()) and case.stack:
                self._create(case.stack)
            return
        mark = mark_of(post.body)
        if mark is None:
            return
        mark = _moved(mark, case.stack) if case.stack else mark
        for deed in DEEDS.get((case.state, Found.OPEN if post.is_open else Found.CLOSED), ()):
            mark = self._do(deed, case, post, mark)

    def _do(self, deed: Deed, case: _Case, post: Post, mark: Mark) -> Mark:
        """The issue's mark after a deed."""
        match deed:
            case Deed.SAY:
                return self._say(case, post, mark)
            case Deed.CLOSE:
                rest = post.body.partition("\n")[2]
                self.github.edit(post.id, {"state": "closed", "body": f"{mark}\n{rest}"})
            case _:
                mark = self._mark(case.stack or {}, mark, post)
                changes = {"state": "open"} if deed is Deed.REOPEN else {}
                self.github.edit(post.id, {**changes, "body": body(case.stack or {}, mark, self.run)})
        self._log(f"{deed.value}: {case.file} {post.url}")
        return mark

    def _say(self, case: _Case, post: Post, mark: Mark) -> Mark:
        count, said = last_said(mark, self.github.comments(post.id), self.run.bot)
        if said != case.what:
            count += 1
            again = said in {RESOLVED, GONE, DUPLICATE} and case.state is Status.DRIFT
            text = f"It drifted again: {case.text}" if again else case.text
            self.github.comment(post.id, f"{said_line(mark.key, count, case.what)}\n{text}")
            self._log(f"say {case.state}: {case.file} {post.url}")
        return replace(mark, said=case.what, count=count)

    def _create(self, stack: dict[str, Any]) -> None:
        if not self.left:
            self._log(f"not made, {self.most_new} new issues are enough for one run: {stack['file']}")
            return
        self.left -= 1
        mark = Mark(
            _key(stack),
            stack["fingerprint"],
            self.run.at,
            stack["repository"],
            stack["path"],
            stack["fingerprint"],
        )
        made = self.github.create(title(stack), body(stack, mark, self.run), list(self.run.labels))
        self._log(f"create: {stack['file']} {made.url}")

    def _mark(self, stack: dict[str, Any], mark: Mark, post: Post) -> Mark:
        """As of now. First seen stays what it was while the issue is open."""
        first = mark.first if post.is_open else self.run.at
        return replace(mark, fingerprint=stack["fingerprint"], first=first)

    def _log(self, line: str) -> None:
        self.done.lines.append(line.rstrip())


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of a stack, and what a comment on it says."""

    state: str
    what: str
    """What the last comment says once everything is done."""
    file: str
    text: str
    stack: dict[str, Any] | None = None


def _said_of(status: Status, stack: dict[str, Any], run: Run) -> str:
    if status is Status.CLEAN:
        return f"Resolved: the check of {run.at} was clean."
    return f"What drifted has changed ({code(stack['fingerprint'][:12])}), see above."


def _moved(mark: Mark, stack: dict[str, Any]) -> Mark:
    """The mark with the key, repository and file that the stack has now, whatever version it was of."""
    return replace(mark, key=_key(stack), place=stack["repository"], file=stack["path"], is_old=False)


def body(stack: dict[str, Any], mark: Mark, run: Run) -> str:
    """The text of an issue, at most 60,000 characters."""
    link = f", by [this run]({run.url})" if run.url else ""
    head = f"{mark}\nFirst seen {mark.first}, last checked {run.at}{link}.\n\n"
    return head + stack_markdown(stack, LONGEST - len(head))


def title(stack: dict[str, Any]) -> str:
    """The title of an issue."""
    return f"cf-mtls: {stack['stack']} drifted"
