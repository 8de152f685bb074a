"""Verdicts for a person: a table of URL and proof, expected and got, and one sentence.

Rules of this file:
- What failed is explained below the table, and what could not be told last of all.
- The sentence and the exit code come from the same list.
- A terminal that is too narrow for the table gets each row in two lines; nothing is cut off.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Exit
from cf_mtls.model.evidence import Dossier, Outcome
from cf_mtls.quick import dataclass
from cf_mtls.report.terminal import harmless, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cf_mtls.model.evidence import Handshake, Verdict
    from cf_mtls.report.terminal import Paint

HEAD = ("", "", "who asks", "expected", "got", "ms", "ray")

MANY = 25
"""Above so many URLs, those where everything passed take one line each."""


def exit_for(verdicts: Sequence[Verdict]) -> Exit:
    """3 when any probe failed, else 1 when any (or everything) could not be told, else 0."""
    outcomes = {verdict.outcome for verdict in verdicts}
    if Outcome.FAIL in outcomes:
        return Exit.VERIFY_FAILED
    return Exit.OK if outcomes == {Outcome.PASS} else Exit.ERROR


def proof_text(found: Dossier, paint: Paint, width: int | None = None) -> str:
    """The table by URL, what the handshakes said, the reasons, and the sentence. width: in columns, None for any."""
    groups = by_url(found.verdicts)
    remarks = [*map(handshake_text, found.handshakes), *found.notes]
    parts = [
        *_blocks(groups, paint, width),
        "\n".join(_wrapped(harmless(line), width) for line in remarks),
        "\n".join(_reason(reason, paint, width) for reason in reasons(found.verdicts)),
        paint.bold(_wrapped(sentence(found.verdicts), width)),
    ]
    return "\n\n".join(filter(None, parts))


def by_url(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts of each target, in order."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.probe.target.url, []).append(verdict)
    return groups


def _blocks(groups: dict[str, list[Verdict]], paint: Paint, width: int | None) -> list[str]:
    lines = {
        url: f"{paint.green('pass')}  {paint.bold(harmless(url))}  {plural(len(verdicts), 'request')}"
        for url, verdicts in groups.items()
        if len(groups) > MANY and exit_for(verdicts) is Exit.OK
    }
    whole = [_table(url, verdicts, paint, width) for url, verdicts in groups.items() if url not in lines]
    return [*whole, "\n".join(lines.values())]


def _table(url: str, verdicts: Sequence[Verdict], paint: Paint, width: int | None) -> str:
    rows = [HEAD, *map(_row, verdicts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    title = paint.bold(harmless(url))
    if width is not None and sum(widths) + 2 * len(widths) > width:
        return "\n".join([title, *(_two_lines(v, paint) for v in verdicts)])
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    painted = [
        colour(verdict, paint, line[: widths[0]]) + line[widths[0] :]
        for verdict, line in zip(verdicts, lines[1:], strict=True)
    ]
    return "\n".join([title, *(f"  {line}" for line in [paint.dim(lines[0]), *painted])])


def _two_lines(verdict: Verdict, paint: Paint) -> str:
    word, number, who, expected, got, ms, ray = _row(verdict)
    second = f"{expected} → {got}  {ms} ms  {ray}"
    return f"  {colour(verdict, paint, word)}  {number} {who}\n    {paint.dim(second)}"


def colour(verdict: Verdict, paint: Paint, text: str) -> str:
    """The text in the colour of the verdict."""
    colours = {Outcome.PASS: paint.green, Outcome.FAIL: paint.red, Outcome.INCONCLUSIVE: paint.yellow}
    return colours[verdict.outcome](text)


def _row(verdict: Verdict) -> tuple[str, ...]:
    evidence = verdict.evidence
    return (
        verdict.outcome.value,
        str(verdict.probe.proof),
        harmless(who(verdict)),
        verdict.probe.expected.value,
        got(verdict),
        str(evidence.ms),
        harmless(evidence.header("cf-ray") or "-"),
    )


def who(verdict: Verdict) -> str:
    """Who asks, and by which witness when it is not the default one."""
    by = verdict.evidence.witness
    return f"{verdict.probe.who} ({by})" if by not in {"", "httpx"} else verdict.probe.who


def got(verdict: Verdict) -> str:
    """`HTTP/2 403`, or what happened in place of an answer."""
    evidence = verdict.evidence
    return f"{evidence.http_version} {evidence.status}".strip() if evidence.status else verdict.got.value


def handshake_text(seen: Handshake) -> str:
    """What a hostname's handshake said, in one line of untrusted text."""
    if not seen.asked:
        why = f" ({seen.failure})" if seen.failure else ""
        return f"{seen.host} asked for no client certificate{why}."
    named = ", ".join(seen.names) or "none"
    return f"{seen.host} asked for a client certificate; CAs that it named: {named}."


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not a pass, and everybody at one URL for whom it is so."""

    outcome: Outcome
    url: str
    why: str
    who: tuple[str, ...]


def reasons(verdicts: Sequence[Verdict]) -> list[Reason]:
    """What failed, then what could not be told; the same reason at the same URL once."""
    grouped: dict[tuple[Outcome, str, str], list[str]] = {}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        for v in verdicts:
            if v.outcome is outcome:
                grouped.setdefault((outcome, v.probe.target.url, v.why), []).append(who(v))
    return [Reason(outcome, url, why, tuple(names)) for (outcome, url, why), names in grouped.items()]


def _reason(reason: Reason, paint: Paint, width: int | None) -> str:
    word = reason.outcome.value
    said = harmless(f"{word}: {reason.url}: {'; '.join(reason.who)}: {reason.why}")
    painted = paint.red(word) if reason.outcome is Outcome.FAIL else paint.yellow(word)
    return painted + _wrapped(said, width).removeprefix(word)


def _wrapped(text: str, width: int | None) -> str:
    """The text in lines of at most so many columns, broken between words; a word that is longer stays whole."""
    if width is None:
        return text
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def sentence(verdicts: Sequence[Verdict]) -> str:
    """The verdict in one sentence, counts included."""
    counts = numbers(verdicts)
    match exit_for(verdicts):
        case Exit.OK:
            return f"Proven: what the file declares is what is enforced ({counts})."
        case Exit.VERIFY_FAILED:
            return f"Not enforced as declared ({counts})."
        case _ if not verdicts:
            return "Nothing to prove: the file declares no applications."
        case _:
            return f"Not proven ({counts})."


def numbers(verdicts: Sequence[Verdict]) -> str:
    """`8 passed, 0 failed, 1 could not be told`."""
    count = Counter(verdict.outcome for verdict in verdicts)
    unsure = count[Outcome.INCONCLUSIVE]
    told = f"{count[Outcome.PASS]} passed, {count[Outcome.FAIL]} failed"
    return f"{told}, {unsure} could not be told" if unsure else told
