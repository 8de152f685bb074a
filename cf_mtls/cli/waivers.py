"""`drift --write-waivers`: today's alarms into their plan files, each as a waiver for that one difference.

Rules of this file:
- A file is replaced whole or stays as it was; where the waivers cannot be put in, they are shown, to be put in by hand.
- Every file is tried before the failure of one is told.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_mtls import input_file, output_file
from cf_mtls.cli import console
from cf_mtls.declare.added_waivers import waivers_text, with_waivers
from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Place, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    Json = dict[str, Any]

NOT_ADDED = Code("waivers.not-added", Severity.ERROR, Fault.FILE, "waivers could not be put into a plan file")

REASON = "known when drift checks began"


def waive(stacks: Sequence[Json], owner: str, last: date) -> None:
    """Write the alarms of a drift report into the plan files. Raises Failure for those that stay as they were."""
    problems = [problem for stack in stacks for problem in _waive(stack, owner, last)]
    if problems:
        raise Failure(problems)


def _waive(stack: Json, owner: str, last: date) -> Iterator[Diagnostic]:
    path, rows = Path(stack["file"]), _rows(stack, owner, last)
    if not rows:
        console.say(f"{path}: nothing to waive.")
        return
    problem = _write(path, rows)
    if problem:
        yield replace(problem, fix=f"Put these below its `waivers:`\n{waivers_text(rows).rstrip()}")
    else:
        words = "1 waiver" if len(rows) == 1 else f"{len(rows)} waivers"
        console.say(f"{path}: {words} until {last} added. Read them, and give each its own reason.")


def _rows(stack: Json, owner: str, last: date) -> list[dict[str, str]]:
    """A row for each alarm, each once."""
    alarms = dict.fromkeys((f["address"], f["digest"]) for f in stack["findings"] if f["alarm"])
    return [
        {"address": address, "reason": REASON, "owner": owner, "until": last.isoformat(), "finding": digest}
        for address, digest in alarms
    ]


def _write(path: Path, rows: list[dict[str, str]]) -> Diagnostic | None:
    """What kept the file from being written, None when it is."""
    raw = input_file.read(path, input_file.LARGEST_PLAN)
    if isinstance(raw, Diagnostic):
        return raw
    made = with_waivers(raw, rows)
    if made is None:
        detail = (
            f"{path} is as it was: no place was found at which they leave everything else as it reads now."
        )
        return NOT_ADDED.found(detail, place=Place(str(path)))
    try:
        output_file.write(path, made, NOT_ADDED)
    except Failure as failure:
        return failure.diagnostics[0]
    return None
