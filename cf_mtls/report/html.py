"""A proof as one page that can be filed: verdict, matrix, pictures, ends of certificates, the exact requests.

Rules of this file:
- Self-contained: no script at all, nothing from elsewhere; the page's own policy says so to the browser.
- Whatever a file or a server said is escaped (`markup.text`).
- The clock is an argument.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cf_mtls import __version__
from cf_mtls.diagnostics import Exit
from cf_mtls.model.evidence import Outcome
from cf_mtls.report.markup import section, table, text
from cf_mtls.report.proof_many import WORDS as FILE_WORDS
from cf_mtls.report.proof_many import exit_of, sentence, together, worst
from cf_mtls.report.proof_many import said as file_said
from cf_mtls.report.proof_text import advice, got, handshake_text, who
from cf_mtls.report.proof_text import alike as reasons_alike
from cf_mtls.report.style import STYLE
from cf_mtls.report.terminal import alike
from cf_mtls.report.timeline import days_left, mood, timeline
from cf_mtls.verify.claim import by_url, claim
from cf_mtls.verify.proofs import BY_NUMBER, PROOFS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from cf_mtls.model.evidence import Dossier, Proof, Verdict

SIGNS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.INCONCLUSIVE: "?"}
WORDS = {Outcome.PASS: "passed", Outcome.FAIL: "failed", Outcome.INCONCLUSIVE: "could not be told"}
BANNERS = {Exit.OK: Outcome.PASS, Exit.VERIFY_FAILED: Outcome.FAIL, Exit.ERROR: Outcome.INCONCLUSIVE}
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(proofs: Sequence[Proof], now: datetime) -> str:
    """The page, of several files one after the other. now: an aware moment, shown and counted from."""
    found = together(proofs)
    said = sentence(proofs)
    body = "".join((
        _head(found, said, worst(proofs), now),
        _sections(proofs[0].found, now, "", 2) if len(proofs) == 1 else _files(proofs, now),
        section("What each proof shows, and what it leaves open", _explained(found.verdicts), "proofs"),
    ))  # fmt: skip
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(said)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _head(found: Dossier, said: str, code: Exit, now: datetime) -> str:
    banner, verdicts = BANNERS[code], found.verdicts
    witnesses = ", ".join(sorted({v.evidence.witness for v in verdicts if v.evidence.witness})) or "nobody"
    counted = f"{len(verdicts)} requests at {len(by_url(verdicts))} URLs, asked by {text(witnesses)}"
    whom = f"<strong>{text(str(found.whom))}</strong>" if found.whom.is_emulator else text(str(found.whom))
    return (
        "<header><h1>Who may enter: proof with real requests</h1>"
        f'<p class="banner {banner.value}" role="status"><span class="sign" aria-hidden="true">{SIGNS[banner]}</span>'
        f"{text(said)}</p>"
        f'<p class="dim small">{counted}. {now:%Y-%m-%d %H:%M} UTC, cf-mtls {__version__}.</p>'
        f'<p class="small">{whom}</p></header>'
    )


def _sections(found: Dossier, now: datetime, prefix: str, level: int) -> str:
    """Everything about one file. prefix: before its anchors; level: of its headings."""
    verdicts = found.verdicts
    said = "".join(f"<p>{text(handshake_text(h))}</p>" for h in found.handshakes)
    rows = (
        ("At a glance", _matrix(verdicts), "matrix"),
        ("What needs a look", _reasons(found), ""),
        ("When certificates end", _ends(found, now, prefix), ""),
        ("What a browser shows", _pictures(verdicts), ""),
        ("What the handshakes said", said, ""),
        ("Every request", _requests(verdicts, level + 1), "requests"),
        ("What was left out", "".join(f"<p>{text(note)}</p>" for note in found.notes), ""),
    )
    return "".join(
        section(title, body, anchor and f"{prefix}{anchor}", level) for title, body, anchor in rows
    )


def _files(proofs: Sequence[Proof], now: datetime) -> str:
    """A table of the files with what became of each, then each in full."""
    kinds = [BANNERS[exit_of(proof)] for proof in proofs]
    rows = (
        (
            f'<td class="{kind.value}">{SIGNS[kind]} {FILE_WORDS[exit_of(proof)]}</td>',
            f'<a href="#file-{number}">{text(proof.file)}</a>',
            text(file_said(proof)),
        )
        for number, (proof, kind) in enumerate(zip(proofs, kinds, strict=True), 1)
    )
    listed = table("What became of each file", ("verdict", "file", "requests"), rows)
    return section("Files", listed, "files") + "".join(
        f'<section class="file" id="file-{number}"><h2>{text(proof.file)}</h2>{_problems(proof)}'
        f"{_sections(proof.found, now, f'file-{number}-', 3)}</section>"
        for number, proof in enumerate(proofs, 1)
    )


def _problems(proof: Proof) -> str:
    shown, rest = alike(proof.problems)
    items = "".join(
        f'<li><strong class="inconclusive">? {text(p.code.summary)}</strong> '
        f"[{text(p.code.code)}] {text(p.detail)}</li>"
        for p in shown
    )
    items += "".join(f"<li>{text(line)}</li>" for line in rest)
    return f"<ul>{items}</ul>" if items else ""


def _reasons(found: Dossier) -> str:
    """What failed, what could not be told, what cannot be proven here, and what would make more provable."""
    shown, left = reasons_alike(found)
    items = "".join(
        f'<li><strong class="{r.outcome.value}">{SIGNS[r.outcome]} {r.word}</strong> {text(r.url)}: '
        f"{text(': '.join(filter(None, ('; '.join(r.who), r.why))))}</li>"
        for r in shown
    )
    items += "".join(f"<li>{text(line)}</li>" for line in left)
    items += "".join(
        f"<li>{text(url)}: declared, not provable here: only credentials that cannot be presented here get in</li>"
        for url in claim(found).elsewhere
    )
    said = advice(found)
    return (f"<ul>{items}</ul>" if items else "") + (f"<pre>{text(said)}</pre>" if said else "")


def _matrix(verdicts: Sequence[Verdict]) -> str:
    """URLs down, proofs across; each cell is the worst of its requests."""
    numbers = sorted({v.probe.proof for v in verdicts})
    if not numbers:
        return ""
    head = ["URL", *(f'<a href="#proof-{n}" title="{text(BY_NUMBER[n].name)}">{n}</a>' for n in numbers)]
    rows = (
        [
            f'<th scope="row">{text(url)}</th>',
            *(_square([v.outcome for v in group if v.probe.proof == n], n) for n in numbers),
        ]
        for url, group in by_url(verdicts).items()
    )
    legend = "✓ passed, ✗ failed, ? could not be told, – not asked. "
    names = "; ".join(f"{n} {BY_NUMBER[n].name}" for n in numbers)
    return table(f"{legend}{text(names)}.", head, rows, "matrix")


def _square(outcomes: Sequence[Outcome], number: int) -> str:
    if not outcomes:
        return '<td class="none"><span role="img" aria-label="not asked">–</span></td>'
    worst = next(o for o in (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS) if o in outcomes)
    label = f"{BY_NUMBER[number].name}: {WORDS[worst]}"
    return f'<td class="{worst.value}"><span role="img" aria-label="{text(label)}">{SIGNS[worst]}</span></td>'


def _pictures(verdicts: Iterable[Verdict]) -> str:
    figures = "".join(
        f'<figure><img alt="{text(_caption(v))}" src="data:image/png;base64,'
        f'{base64.b64encode(v.evidence.screenshot).decode("ascii")}">'
        f"<figcaption>{text(_caption(v))}</figcaption></figure>"
        for v in verdicts
        if v.evidence.screenshot
    )
    return f'<div class="pictures">{figures}</div>' if figures else ""


def _caption(verdict: Verdict) -> str:
    return f"{verdict.probe.url}, {verdict.probe.who}: {got(verdict)}"


def _ends(found: Dossier, now: datetime, prefix: str) -> str:
    if not found.expiries:
        return ""
    listed = sorted(set(found.expiries), key=lambda e: (e.not_after, e.kind, e.name))
    rows = ((text(e.kind), text(e.name), f"{e.not_after:%Y-%m-%d}", _left(e.not_after - now)) for e in listed)
    return timeline(found.expiries, now, f"{prefix}timeline") + table(
        "The same in words", ("what", "name", "ends", "left"), rows
    )


def _left(left: timedelta) -> str:
    return f'<td class="{mood(left)}">{days_left(left)}</td>'


def _requests(verdicts: Sequence[Verdict], level: int) -> str:
    return "".join(
        f"<h{level}>{text(url)}</h{level}>"
        f"{table('Requests in order', REQUEST_HEAD, map(_request, group))}{_commands(group)}"
        for url, group in by_url(verdicts).items()
    )


REQUEST_HEAD = ("verdict", "proof", "who asks for what", "expected", "got", "ray", "ms", "why")


def _request(verdict: Verdict) -> tuple[str, ...]:
    probe, evidence, kind = verdict.probe, verdict.evidence, verdict.outcome.value
    return (
        f'<td class="{kind}">{SIGNS[verdict.outcome]} {kind}</td>',
        str(probe.proof),
        f"{text(who(verdict))}<br><code>{text(f'{probe.target.method} {probe.url}')}</code>",
        text(probe.expected.value),
        f'<td class="ray">{text(got(verdict))}</td>',
        f'<td class="ray"><code>{text(evidence.header("cf-ray") or "-")}</code></td>',
        f'<td class="number">{evidence.ms}</td>',
        text(verdict.why),
    )


def _commands(verdicts: Iterable[Verdict]) -> str:
    lines = [line for v in verdicts for line in v.evidence.command.splitlines()]
    return f"<pre>{chr(10).join(map(text, lines))}</pre>" if lines else ""


def _explained(verdicts: Sequence[Verdict]) -> str:
    asked = {v.probe.proof for v in verdicts}
    rows = (
        (
            f'<th scope="row" id="proof-{p.number}">{p.number} {text(p.name)}</th>',
            "required" if p.required else "optional",
            text(p.proves),
            text(p.leaves_open),
        )
        for p in PROOFS
        if p.number in asked
    )
    return (
        table("Of the proofs above", ("proof", "for Proven", "shows that", "leaves open"), rows)
        if asked
        else ""
    )
