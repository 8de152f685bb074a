"""Verdicts for a person: a table of URL and proof, expected and got, and one sentence.

Rules of this file:
- What failed is explained below the table, and what could not be told last of all.
- The sentence and the exit code come from the same list.
- A terminal that is too narrow for the table gets each row in two lines; nothing is cut off.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Exit
from cf_mtls.model.evidence import Dossier, Outcome
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
    parts = [
        *_blocks(groups, paint, width),
        "\n".join([*map(handshake_text, found.handshakes), *map(harmless, found.notes)]),
        "\n".join(_reasons(found.verdicts, paint)),
        paint.bold(sentence(found.verdicts)),
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
    second = f"{expected}, got {got}  {ms} ms  {ray}"
    return f"  {colour(verdict, paint, word)}  {number} {who}\n      {paint.dim(second)}"


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
    """What a hostname's handshake said, in one line."""
    host = harmless(seen.host)
    if not seen.asked:
        why = f" ({harmless(seen.failure)})" if seen.failure else ""
        return f"{host} asked for no client certificate{why}."
    named = harmless(", ".join(seen.names)) or "none"
    return f"{host} asked for a client certificate; CAs that it named: {named}."


def _reasons(verdicts: Sequence[Verdict], paint: Paint) -> list[str]:
    """What failed, then what could not be told."""
    return [
        f"{colour(v, paint, v.outcome.value)}: {harmless(f'{v.probe.url}, {who(v)}: {v.why}')}"
        for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE)
        for v in verdicts
        if v.outcome is outcome
    ]


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
