"""What the doctor found, for a person and as data.

Rules of this file:
- A finding is a line: grade, check, where, what; its fix stands indented below.
- The last line counts, and says what the exit code says.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from cf_mtls.model.asked import NOBODY, Asked
from cf_mtls.remote.findings import Grade
from cf_mtls.report.terminal import harmless, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.remote.findings import Finding
    from cf_mtls.report.terminal import Paint


COLUMNS = 80
"""How wide the words of a fix may run."""


def doctor_text(findings: Sequence[Finding], paint: Paint, whom: Asked = NOBODY) -> str:
    """The findings of the account, then those of each hostname, then whom it asked and the count."""
    width = max((len(f.check) for f in findings), default=0)
    lines: list[str] = []
    for on in dict.fromkeys(f.on for f in findings):
        lines += ["", paint.bold(harmless(on))] if on else [paint.bold("Token and account")]
        lines += [line for f in findings if f.on == on for line in _lines(f, width, paint)]
    asked = [] if whom == NOBODY else [harmless(str(whom))]
    return "\n".join([*lines, "", *asked, _count(findings)])


def _lines(finding: Finding, width: int, paint: Paint) -> Iterator[str]:
    colour = {Grade.OK: paint.green, Grade.WARN: paint.yellow, Grade.FAIL: paint.red}[finding.grade]
    grade = colour(finding.grade.value) + " " * (4 - len(finding.grade.value))
    yield f"  {grade}  {finding.check:<{width}}  {harmless(finding.said)}"
    for line in finding.fix.splitlines():
        # A command to copy stays on its line.
        parts = [line] if line.startswith("    ") else wrap(harmless(line), COLUMNS)
        yield from (f"  {' ' * 4}  {'':<{width}}  {harmless(part)}" for part in parts)


def _count(findings: Sequence[Finding]) -> str:
    counts = {grade: len([f for f in findings if f.grade is grade]) for grade in Grade}
    ok, warn = counts[Grade.OK], plural(counts[Grade.WARN], "warning")
    said = "Nothing stands in the way" if not counts[Grade.FAIL] else "Something stands in the way"
    return f"{said}: {ok} ok, {warn}, {counts[Grade.FAIL]} failed."


def doctor_json(findings: Sequence[Finding], whom: Asked = NOBODY) -> dict[str, Any]:
    """The findings as data, and whether any failed."""
    rows = [
        {"check": f.check, "on": f.on or None, "grade": f.grade.value, "said": f.said, "fix": f.fix or None}
        for f in findings
    ]
    return {"format_version": "1.0", "ok": is_well(findings), "asked": whom.data(), "findings": rows}


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed: the exit code is made of this."""
    return all(f.grade is not Grade.FAIL for f in findings)
