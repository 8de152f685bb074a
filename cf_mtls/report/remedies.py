"""What to do about the alarms of a drift report, by class: `apply` is named only where it would mend something.

Rules of this file:
- It reads report data only. A sentence, then the commands that go with it, each for a line of its own.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from cf_mtls.planning.drift import Class

if TYPE_CHECKING:
    from collections.abc import Iterator

Remedy = tuple[str, tuple[str, ...]]

BACK = "To put the account back to what the file declares; or change the file, if the account is right:"
KEPT_ELSEWHERE = ("policy/", "group/")
"""How the addresses begin of what no file holds and an application of ours refers to."""

ELSEWHERE = "Rules kept elsewhere are mended there, by whoever owns them, or written into the file; apply leaves them."
IN_THE_WAY = "Something is in the way of an apply; this says what, and the ways out:"
REMEDIES: tuple[tuple[Class, str, tuple[str, ...]], ...] = (
    (
        Class.WEAKENED,
        (
            "What weakens is not declared in this file, so apply leaves it. Each one says how it is shut. If it may"
            " stay for a time, waive what there is today:"
        ),
        ("drift {file} --write-waivers --owner NAME",),
    ),
    (
        Class.UNENFORCED,
        "What was answered otherwise than it should be, request by request:",
        ("verify {file}",),
    ),
    (Class.EXPIRING, "What ends is issued or rolled anew, or taken out of the file where it is overdue.", ()),
    (Class.PENDING, "What waits in the file is applied with:", ("plan {file}", "apply {file}")),
    (
        Class.UNMANAGED,
        "What no file declares is taken over into one, or removed where it was made:",
        ("import",),
    ),
)


def remedies(stack: dict[str, Any]) -> Iterator[Remedy]:
    """What to do about a stack's alarms, in the order of the classes; nothing where there are none."""
    alarms = [found for found in stack["findings"] if found["alarm"]]
    is_refused, classes = any(map(_is_in_the_way, stack["findings"])), {found["class"] for found in alarms}
    if any(found["class"] == Class.DRIFT.value and found["action"] for found in alarms) and not is_refused:
        yield BACK, _typed(("plan {file}", "apply {file}"), stack["file"])
    if is_refused and classes & {Class.DRIFT.value, Class.PENDING.value}:
        yield IN_THE_WAY, _typed(("plan {file}",), stack["file"])
    if any(found["class"] == Class.DRIFT.value and _is_kept_elsewhere(found) for found in alarms):
        yield ELSEWHERE, ()
    for kind, sentence, commands in REMEDIES:
        if kind.value in classes and not (is_refused and kind is Class.PENDING):
            yield sentence, _typed(commands, stack["file"])


def _is_kept_elsewhere(found: dict[str, Any]) -> bool:
    return not found["action"] and found["address"].startswith(KEPT_ELSEWHERE)


def _is_in_the_way(found: dict[str, Any]) -> bool:
    """Whether it is a difference that no action mends, waived or not: then nothing of the file is applied at all."""
    return (
        found["class"] == Class.DRIFT.value
        and not found["action"]
        and not found["address"].startswith(("stack/", *KEPT_ELSEWHERE))
    )


def _typed(commands: tuple[str, ...], file: str) -> tuple[str, ...]:
    return tuple(f"cf-mtls {command.format(file=shlex.quote(file))}" for command in commands)
