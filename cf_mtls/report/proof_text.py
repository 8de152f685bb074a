"""Verdicts for a person: a table of URL and client, expected and got, and one sentence.

Rules of this file:
- What failed is explained below the table, and what could not be told last of all.
- The sentence and the exit code come from the same list.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Exit
from cf_mtls.model.evidence import Outcome
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.model.evidence import Verdict
    from cf_mtls.report.terminal import Paint

HEAD = ("", "client", "expected", "got", "ms", "ray")


def exit_for(verdicts: Sequence[Verdict]) -> Exit:
    """3 when any probe failed, else 1 when any (or everything) could not be told, else 0."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if Outcome.FAIL in outcomes:
        return Exit.VERIFY_FAILED
    return Exit.OK if outcomes == {Outcome.PASS} else Exit.ERROR


def proof_text(verdicts: Sequence[Verdict], paint: Paint) -> str:
    """The table by URL, the reasons, and the sentence of verdict."""
    urls = dict.fromkeys(verdict.probe.target.url for verdict in verdicts)
    blocks = [_table(url, [v for v in verdicts if v.probe.target.url == url], paint) for url in urls]
    reasons = [_reason(v, paint) for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE) for v in verdicts
               if v.outcome is outcome]  # fmt: skip
    return "\n\n".join(filter(None, [*blocks, "\n".join(reasons), paint.bold(sentence(verdicts))]))


def _table(url: str, verdicts: Sequence[Verdict], paint: Paint) -> str:
    rows = [HEAD, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    colours = {Outcome.PASS: paint.green, Outcome.FAIL: paint.red, Outcome.INCONCLUSIVE: paint.yellow}
    painted = [
        colours[verdict.outcome](line[: widths[0]]) + line[widths[0] :]
        for verdict, line in zip(verdicts, lines[1:], strict=True)
    ]
    return "\n".join([paint.bold(harmless(url)), *(f"  {line}" for line in [paint.dim(lines[0]), *painted])])


def _row(verdict: Verdict) -> tuple[str, ...]:
    evidence = verdict.evidence
    status = f"{evidence.http_version} {evidence.status}" if evidence.status else verdict.got.value
    return (
        verdict.outcome.value,
        harmless(verdict.probe.who),
        verdict.probe.expected.value,
        status,
        str(evidence.ms),
        harmless(evidence.header("cf-ray") or "-"),
    )


def _reason(verdict: Verdict, paint: Paint) -> str:
    colour = paint.red if verdict.outcome is Outcome.FAIL else paint.yellow
    where = harmless(f"{verdict.probe.target.url}, {verdict.probe.who}")
    return f"{colour(verdict.outcome.value)}: {where}: {harmless(verdict.why)}"


def sentence(verdicts: Sequence[Verdict]) -> str:
    """The verdict in one sentence, counts included."""
    count = Counter(verdict.outcome for verdict in verdicts)
    numbers = f"{count[Outcome.PASS]} passed, {count[Outcome.FAIL]} failed"
    if unsure := count[Outcome.INCONCLUSIVE]:
        numbers += f", {unsure} could not be told"
    match exit_for(verdicts):
        case Exit.OK:
            return f"Proven: what the file declares is what is enforced ({numbers})."
        case Exit.VERIFY_FAILED:
            return f"Not enforced as declared ({numbers})."
        case _ if not verdicts:
            return "Nothing to prove: the file declares no applications."
        case _:
            return f"Not proven ({numbers})."
