"""What was seen becomes a verdict.

Rules of this file:
- *Allowed* means that the origin answered, whatever its status unless the file pins one;
  *refused* means that Access did, in an answer that carries the edge's own `cf-ray`.
- A refusal counts only if somebody got in at the same URL: a dead end is not a closed door.
- What could not be told is inconclusive, with the reason; never a pass.

Source: the shapes are facts (cloudflare-api 6.2, edge-and-probes 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cf_mtls.model.evidence import Expected, Got, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cf_mtls.model.evidence import Evidence, Probe

ACCESS_HEADERS = ("cf-access-aud", "cf-access-domain")
LOGIN_PATH = "/cdn-cgi/access/login"
EDGE_FAILURES = frozenset({502, 504, *range(520, 531)})
"""Statuses that the edge makes itself when the origin does not answer."""


def judge(seen: Iterable[tuple[Probe, Evidence]]) -> tuple[Verdict, ...]:
    """A verdict for each probe, in order."""
    pairs = tuple(seen)
    controlled = {probe.target.url for probe, evidence in pairs if _is_control(probe, evidence)}
    return tuple(_verdict(probe, evidence, probe.target.url in controlled) for probe, evidence in pairs)


def _is_control(probe: Probe, evidence: Evidence) -> bool:
    return probe.expected is Expected.ALLOWED and shape(evidence) is Got.ORIGIN


def shape(evidence: Evidence) -> Got:
    """Which of the known shapes an answer, or its absence, has."""
    if evidence.failure:
        return evidence.failure
    by_access = any(evidence.header(name) for name in ACCESS_HEADERS)
    match evidence.status:
        case 401 if by_access:
            return Got.UNAUTHORIZED
        case 403:
            return Got.FORBIDDEN if by_access else Got.OTHER_REFUSAL
        case int() as status if 300 <= status < 400 and _is_login(evidence):
            return Got.LOGIN
        case int() as status if status in EDGE_FAILURES:
            return Got.ORIGIN_DOWN
        case 421 | 429:
            return Got.CONFUSED
        case int():
            return Got.ORIGIN
        case None:
            return Got.CONFUSED


def _is_login(evidence: Evidence) -> bool:
    return LOGIN_PATH in urlsplit(evidence.header("location") or "").path


def _verdict(probe: Probe, evidence: Evidence, controlled: bool) -> Verdict:  # noqa: FBT001 - a fact, not a mode
    got = shape(evidence)
    decide = _allowed if probe.expected is Expected.ALLOWED else _refused
    outcome, why = decide(probe, evidence, got, controlled)
    return Verdict(probe, evidence, got, outcome, why)


def _allowed(probe: Probe, evidence: Evidence, got: Got, _: bool) -> tuple[Outcome, str]:  # noqa: FBT001
    pinned = probe.target.expect_status
    match got:
        case Got.ORIGIN if pinned in {None, evidence.status}:
            return Outcome.PASS, "the origin answered"
        case Got.ORIGIN:
            return Outcome.FAIL, f"the origin answered {evidence.status}, the file expects {pinned}"
        case Got.FORBIDDEN | Got.UNAUTHORIZED | Got.LOGIN | Got.TLS_REFUSED | Got.CLOSED:
            return Outcome.FAIL, f"{probe.who} should get in: {_said(evidence, got)}"
        case _:
            return Outcome.INCONCLUSIVE, _said(evidence, got)


def _refused(probe: Probe, evidence: Evidence, got: Got, controlled: bool) -> tuple[Outcome, str]:  # noqa: FBT001
    match got:
        case Got.ORIGIN:
            return Outcome.FAIL, f"the door is open: the origin answered {probe.who}"
        case Got.FORBIDDEN | Got.UNAUTHORIZED if not evidence.header("cf-ray"):
            return Outcome.INCONCLUSIVE, "the refusal carries no cf-ray: it may not be Cloudflare's"
        case Got.FORBIDDEN | Got.UNAUTHORIZED if not controlled:
            return Outcome.INCONCLUSIVE, "refused, but no client got in here: a dead end proves nothing"
        case Got.FORBIDDEN | Got.UNAUTHORIZED:
            return Outcome.PASS, "Access refused"
        case Got.LOGIN:
            return Outcome.INCONCLUSIVE, "sent to the login page: a login may open it without a certificate"
        case _:
            return Outcome.INCONCLUSIVE, _said(evidence, got)


def _said(evidence: Evidence, got: Got) -> str:
    return f"{got.value}, {evidence.detail}" if evidence.detail else got.value
