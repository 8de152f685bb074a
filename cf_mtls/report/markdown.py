"""A drift report as Markdown for job summaries, issues and comments, never longer than they take.

Rules of this file:
- Every text from outside stands in a code span or a fence; see `safe`.
- Too long: first the differences go, then the last rows, and what is missing is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.planning.drift import Status
from cf_mtls.report.drift_text import WORDS, alike, place, undecided, waiver_lines, why_unused
from cf_mtls.report.remedies import remedies
from cf_mtls.report.safe import code, fenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST = 60_000
"""Characters. GitHub takes 65,536 in an issue or comment; the rest is for what others add."""


def drift_markdown(stacks: Sequence[dict[str, Any]], most: int = LONGEST) -> str:
    """The report on these stacks, at most so many characters."""
    share = max(200, most // max(1, len(stacks)) - 2)
    text = "\n\n".join(stack_markdown(stack, share) for stack in stacks) + "\n"
    if len(text) <= most:
        return text
    return _verdicts(stacks, most)


def _verdicts(stacks: Sequence[dict[str, Any]], most: int) -> str:
    """One line a stack, as many as there is room for; what is missing is counted."""
    lines: list[str] = []
    for index, stack in enumerate(stacks):
        line = f"- {WORDS[Status(stack['status'])]}: {code(stack['file'])}"
        if sum(map(len, lines)) + len(lines) + len(line) + 40 > most:
            return "\n".join([*lines, f"- and {len(stacks) - index} more stacks"]) + "\n"
        lines.append(line)
    return "\n".join(lines) + "\n"


def stack_markdown(stack: dict[str, Any], most: int = LONGEST) -> str:
    """The report on one stack, at most so many characters."""
    whole = "\n\n".join(
        [*_head(stack), *_table(stack), *_details(alike(stack["findings"])[0]), *_tail(stack)]
    )
    if len(whole) <= most:
        return whole
    head = "\n\n".join(_head(stack))
    rows = _rows(alike(stack["findings"])[0])
    for kept in range(len(rows), -1, -1):
        left = len(stack["findings"]) - kept
        note = f"The differences{f' and {left} more findings' if left else ''} are left out: too long for this place."
        text = "\n\n".join([head, "\n".join([*TABLE, *rows[:kept]]), note])
        if len(text) <= most:
            return text
    return head[:most]


def _head(stack: dict[str, Any]) -> Iterator[str]:
    word = WORDS[Status(stack["status"])]
    yield f"### cf-mtls: {word}"
    whole = "" if stack["complete"] else f" Not everything could be checked{_missing(stack)}."
    name, scope = code(stack["stack"] or "?"), code(stack["scope"] or "no scope")
    yield f"Plan file {code(stack['file'])}, stack {name}, {scope}.{whole}"
    if left := undecided(stack):
        yield f"Not decided: {code(left.removeprefix('; not decided: '))}."
    if stack.get("asked"):
        yield code(stack["asked"])


TABLE = ("| | class | what | digest |", "|---|---|---|---|")


def _missing(stack: dict[str, Any]) -> str:
    """`: not read: groups`, where the report says what."""
    missing = stack.get("coverage", {}).get("missing", [])
    return f"; not read: {', '.join(map(code, missing))}" if missing else ""


def _table(stack: dict[str, Any]) -> Iterator[str]:
    if stack["findings"]:
        shown, rest = alike(stack["findings"])
        yield "\n".join([*TABLE, *_rows(shown)])
        yield from (f"And {left}." for left in rest)
    elif stack["status"] == Status.CLEAN.value:
        yield "Nothing to report."


def _rows(findings: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"| {'**alarm**' if f['alarm'] else 'waived' if f['waiver'] else ''} | {f['class']} "
        f"| {code(f['address'])} | {code(f['digest'])} |"
        for f in findings
    ]


def _details(findings: Sequence[dict[str, Any]]) -> Iterator[str]:
    for found in findings:
        lines = [
            f"# {found['class']} {found['address']}",
            *(f"# {line}" for line in found["says"].splitlines()),
            f"# {place(found)}",
            *(f"# {line}" for line in waiver_lines(found)),
            *found["diff"],
        ]
        yield f"<details><summary>{found['class']} {found['digest']}</summary>\n\n{fenced(lines)}\n\n</details>"


def _tail(stack: dict[str, Any]) -> Iterator[str]:
    if stack["notes"]:
        yield "\n".join(f"- note: {code(note)}" for note in stack["notes"])
    if stack["unused_waivers"]:
        yield "\n".join(
            f"- Unused waiver for {code(w['address'])}: {why_unused(w, stack)}."
            for w in stack["unused_waivers"]
        )
    for sentence, commands in remedies(stack):
        yield "\n\n".join([sentence, *([fenced(list(commands), "sh")] if commands else [])])
