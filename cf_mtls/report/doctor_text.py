"""What the doctor found, for a person and as data.

Rules of this file:
- A finding is a line: grade, check, where, what; its fix stands indented below.
- The last line counts, and says what the exit code says.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

from cf_mtls.model.asked import NOBODY, Asked
from cf_mtls.model.coverage import Coverage
from cf_mtls.quick import dataclass
from cf_mtls.remote.findings import Grade
from cf_mtls.report.terminal import harmless, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cf_mtls.model.coverage import Whole
    from cf_mtls.remote.findings import Finding
    from cf_mtls.report.terminal import Paint


COLUMNS = 80
"""How wide the words of a fix may run."""


def doctor_text(findings: Sequence[Finding], paint: Paint, whom: Asked = NOBODY) -> str:
    """The findings of the account, then those of each hostname, then whom it asked and the count."""
    widths = tuple(max((len(word) for word in words), default=0) for words in _columns(findings))
    lines: list[str] = []
    for on in dict.fromkeys(f.on for f in findings):
        lines += ["", paint.bold(harmless(on))] if on else [paint.bold("Token and account")]
        lines += [line for f in findings if f.on == on for line in _lines(f, widths, paint)]
    asked = [] if whom == NOBODY else [harmless(str(whom))]
    return "\n".join([*lines, "", *asked, verdict(findings)])


def _columns(findings: Sequence[Finding]) -> tuple[list[str], list[str]]:
    return [f.grade.value for f in findings], [f.check for f in findings]


def _lines(finding: Finding, widths: Sequence[int], paint: Paint) -> Iterator[str]:
    colour = {Grade.OK: paint.green, Grade.FAIL: paint.red}.get(finding.grade, paint.yellow)
    grade = colour(finding.grade.value) + " " * (widths[0] - len(finding.grade.value))
    yield f"  {grade}  {finding.check:<{widths[1]}}  {harmless(finding.said)}"
    for line in finding.fix.splitlines():
        # A command to copy stays on its line.
        parts = [line] if line.startswith("    ") else wrap(harmless(line), COLUMNS)
        yield from (f"  {'':<{widths[0]}}  {'':<{widths[1]}}  {harmless(part)}" for part in parts)


@dataclass(frozen=True, slots=True)
class NothingInTheWay:
    """The claim that an apply would meet nothing.

    whole: that every check could be told. Raises ValueError where one failed, or of other checks.
    """

    findings: tuple[Finding, ...]
    whole: Whole

    def __post_init__(self) -> None:
        """Whatever makes one."""
        if not is_well(self.findings) or coverage(self.findings) != self.whole.coverage:
            message = "something failed, or it was not told"
            raise ValueError(message)

    def __str__(self) -> str:
        """The sentence, without its counts."""
        return "Nothing stands in the way"


def coverage(findings: Sequence[Finding]) -> Coverage:
    """Which checks could be told: by name and hostname."""
    names = {finding: f"{finding.check} {finding.on}".rstrip() for finding in findings}
    untold = {name: () for finding, name in names.items() if finding.grade is Grade.UNTOLD}
    return Coverage(frozenset(names.values()) - untold.keys(), untold, rests_on=frozenset(names.values()))


def verdict(findings: Sequence[Finding]) -> str:
    """What the findings come to, counts included."""
    counts = {grade: len([f for f in findings if f.grade is grade]) for grade in Grade}
    said = _said(tuple(findings))
    told = f"{counts[Grade.OK]} ok, {plural(counts[Grade.WARN], 'warning')}, {counts[Grade.FAIL]} failed"
    return f"{said} ({told}, {counts[Grade.UNTOLD]} not told)."


def _said(findings: tuple[Finding, ...]) -> str:
    if not is_well(findings):
        return "Something stands in the way"
    if whole := coverage(findings).whole():
        return str(NothingInTheWay(findings, whole))
    untold = ", ".join(dict.fromkeys(f.check for f in findings if f.grade is Grade.UNTOLD))
    return (
        f"Nothing that could be told stands in the way; not told: {untold}"
        if untold
        else "Nothing was looked at"
    )


def doctor_json(findings: Sequence[Finding], whom: Asked = NOBODY) -> dict[str, Any]:
    """The findings as data: ok when nothing failed, complete when everything could be told."""
    rows = [
        {"check": f.check, "on": f.on or None, "grade": f.grade.value, "said": f.said, "fix": f.fix or None}
        for f in findings
    ]
    return {
        "format_version": "1.0",
        "ok": is_well(findings),
        "complete": coverage(findings).is_complete,
        "asked": whom.data(),
        "findings": rows,
    }


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing failed: the exit code is made of this."""
    return all(f.grade is not Grade.FAIL for f in findings)
