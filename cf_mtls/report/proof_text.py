"""Verdicts for a person: a table of URL and proof, expected and got, and one sentence.

Rules of this file:
- What failed is explained below the table, and what could not be told last of all.
- The sentence and the exit code come from the same claim (`verify/claim`).
- A terminal that is too narrow for the table gets each row in two lines; nothing is cut off.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from cf_mtls.model.asked import NOBODY
from cf_mtls.model.evidence import Dossier, Extent, Outcome
from cf_mtls.quick import dataclass
from cf_mtls.report.terminal import MOST_ALIKE, harmless, plural
from cf_mtls.verify.claim import TWO_LINES, Standing, by_url, claim
from cf_mtls.verify.proofs import REQUIRED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.model.evidence import Handshake, Verdict
    from cf_mtls.report.terminal import Paint
    from cf_mtls.verify.claim import Claim

HEAD = ("", "", "who asks", "expected", "got", "ms", "ray")

MANY = 25
"""Above so many URLs, those where everything passed take one line each."""


def proof_text(found: Dossier, paint: Paint, width: int | None = None) -> str:
    """The table by URL, what the handshakes said, the reasons, and the sentence. width: in columns, None for any."""
    groups = by_url(found.verdicts)
    remarks = [*map(handshake_text, found.handshakes), *found.notes]
    shown, left = alike(found)
    parts = [
        *_blocks(groups, paint, width),
        "\n".join(_wrapped(harmless(line), width) for line in remarks),
        "\n".join([*(_reason(reason, paint, width) for reason in shown), *left]),
        advice(found),
        "" if found.whom == NOBODY else paint.dim(_wrapped(harmless(str(found.whom)), width)),
        paint.bold(_wrapped(sentence(found), width)),
    ]
    return "\n\n".join(filter(None, parts))


def _blocks(groups: dict[str, list[Verdict]], paint: Paint, width: int | None) -> list[str]:
    lines = {
        url: f"{paint.green('pass')}  {paint.bold(harmless(url))}  {plural(len(verdicts), 'request')}"
        for url, verdicts in groups.items()
        if len(groups) > MANY and all(v.outcome is Outcome.PASS for v in verdicts)
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
    if not seen.reached:
        return f"{seen.host} was not reached ({seen.failure})."
    if seen.failure and not seen.asked:
        return f"{seen.host}: the TLS handshake failed ({seen.failure}): not known whether it asks for one."
    if not seen.asked:
        return f"{seen.host} asked for no client certificate."
    named = ", ".join(seen.names) or "none"
    return f"{seen.host} asked for a client certificate; CAs that it named: {named}."


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is not a pass, and everybody at one URL for whom it is so."""

    outcome: Outcome
    url: str
    why: str
    who: tuple[str, ...] = ()
    """Empty where nobody could be asked."""
    is_optional: bool = False
    """Whether it keeps nothing from being proven."""

    @property
    def word(self) -> str:
        """`fail`, `inconclusive`, or `optional` for what could not be told and need not be."""
        return "optional" if self.is_optional else self.outcome.value

    @property
    def said(self) -> str:
        """The reason in one line of untrusted text."""
        return ": ".join(filter(None, (self.word, self.url, "; ".join(self.who), self.why)))


def reasons(found: Dossier) -> list[Reason]:
    """What failed, what could not be told, what is missing; the same reason at the same URL once."""
    made = claim(found)
    grouped: dict[tuple[Outcome, str, str, bool], list[str]] = {}
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        for v in found.verdicts:
            if v.outcome is outcome:
                grouped.setdefault((outcome, v.probe.target.url, v.why, _is_optional(v, made)), []).append(
                    who(v)
                )
    missing = [Reason(Outcome.INCONCLUSIVE, gap.url, gap.why) for gap in made.gaps if gap.verdict is None]
    told = [Reason(o, url, why, tuple(names), o_) for (o, url, why, o_), names in grouped.items()]
    return sorted([*told, *missing], key=lambda r: (r.outcome is not Outcome.FAIL, r.is_optional))


def alike(found: Dossier) -> tuple[list[Reason], list[str]]:
    """The first `MOST_ALIKE` reasons of each kind, and a line for each kind with more: how many. The JSON has them all.

    A kind is what is said of a URL, whatever the URL.
    """
    counts: Counter[tuple[str, str]] = Counter()
    shown = []
    for reason in reasons(found):
        counts[reason.word, reason.why] += 1
        if counts[reason.word, reason.why] <= MOST_ALIKE:
            shown.append(reason)
    left = [(word, why, n - MOST_ALIKE) for (word, why), n in counts.items() if n > MOST_ALIKE]
    return shown, [f"{word}: {n} more URLs: {harmless(why)}" for word, why, n in left]


def _is_optional(verdict: Verdict, made: Claim) -> bool:
    """Whether a verdict that is neither pass nor failure keeps nothing from being proven."""
    is_required = verdict.probe.proof in REQUIRED and verdict.probe.target.url not in made.elsewhere
    return verdict.outcome is Outcome.INCONCLUSIVE and not is_required


def _reason(reason: Reason, paint: Paint, width: int | None) -> str:
    colour = paint.red if reason.outcome is Outcome.FAIL else paint.yellow
    return colour(reason.word) + _wrapped(harmless(reason.said), width).removeprefix(reason.word)


def advice(found: Dossier) -> str:
    """What makes more of it provable, '' when nothing in the file would."""
    if not claim(found).lacks_client:
        return ""
    return f"To have it proven, declare a client that gets in, in the plan file:\n{TWO_LINES}"


def _wrapped(text: str, width: int | None) -> str:
    """The text in lines of at most so many columns, broken between words; a word that is longer stays whole."""
    if width is None:
        return text
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def sentence(found: Dossier) -> str:
    """What may be said of it, in one sentence, counts included."""
    made, counts = claim(found), numbers(found.verdicts)
    match made.standing:
        case Standing.PROVEN:
            return _proven(found, made, counts)
        case Standing.NOT_ENFORCED:
            return f"Not enforced as declared ({counts})."
        case Standing.NOTHING:
            return "Nothing to prove: the file declares no applications."
        case Standing.NOT_PROVEN:
            return f"Not proven{_because(made)} ({counts})."


def _because(made: Claim) -> str:
    if made.unreached:
        return f": not reached: {', '.join(map(harmless, made.unreached))}"
    return "" if made.gaps else ": every URL is declared, not provable here"


def _proven(found: Dossier, made: Claim, counts: str) -> str:
    """The sentence that says *Proven*, with all that it leaves open."""
    all_ = len(made.proven) + len(made.elsewhere)
    where = f" at {len(made.proven)} of {plural(all_, 'URL')}" if made.elsewhere else ""
    whom = " for the clients asked" if made.unnamed else ""
    what = {
        Extent.FILE: "what the file declares is what is enforced",
        Extent.RUN: f"what this run could affect, {plural(all_, 'URL')}, is as Access promises it now",
    }
    left = [
        f"which application answered, the edge did not say at {plural(len(made.unnamed), 'URL')}",
        f"{plural(len(made.elsewhere), 'URL')} declared, not provable here",
    ]
    said = [text for text, urls in zip(left, (made.unnamed, made.elsewhere), strict=True) if urls]
    return f"Proven{where}{whom}: {'; '.join([what[found.extent], *said])} ({counts})."


def numbers(verdicts: Sequence[Verdict]) -> str:
    """`8 passed, 0 failed, 1 could not be told`."""
    count = Counter(verdict.outcome for verdict in verdicts)
    unsure = count[Outcome.INCONCLUSIVE]
    told = f"{count[Outcome.PASS]} passed, {count[Outcome.FAIL]} failed"
    return f"{told}, {unsure} could not be told" if unsure else told
