"""What was seen becomes a verdict.

Rules of this file:
- *Allowed* means that the origin answered, whatever its status unless the file pins one;
  *refused* means that Access did. Either counts only in an answer that carries the edge's own `cf-ray`.
- A refusal counts only if somebody got as far as declared at the same URL: a dead end is not a closed door. Where
  nobody may enter, a control on the same host will do, or anywhere if the host can have none.
- An answer by another application than the one that must govern is a failure (see `answered`).
- What could not be told is inconclusive, with the reason; never a pass.

Source: the shapes are facts (cloudflare-api 6.2, edge-and-probes 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cf_mtls.model.evidence import Control, Got, Outcome, Verdict
from cf_mtls.model.people import Expected
from cf_mtls.verify.answered import ACCESS_DOMAIN, ACCESS_TAG, Answers
from cf_mtls.verify.proofs import CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cf_mtls.model.evidence import Evidence, Probe

    Rule = Callable[["Seen"], tuple[Outcome, str]]

ACCESS_HEADERS = (ACCESS_TAG, ACCESS_DOMAIN)
LOGIN_PATH = "/cdn-cgi/access/login"
EDGE_FAILURES = frozenset({502, 504, *range(520, 531)})
"""Statuses that the edge makes itself when the origin does not answer."""

REFUSALS = frozenset({Got.FORBIDDEN, Got.UNAUTHORIZED, Got.DENY_PAGE})
"""How Access refuses."""

CONTROLS = {
    Expected.ALLOWED: Got.ORIGIN,
    Expected.LOGIN: Got.LOGIN,
    Expected.UNDECLARED: Got.ORIGIN,
    Expected.UNFORESEEN: Got.ORIGIN,
}
"""What must be expected and seen so that a refusal beside it counts; whoever gets in shows that one can."""


class Seen:
    """A probe, what it saw, and whether a refusal would count here."""

    def __init__(self, probe: Probe, evidence: Evidence) -> None:
        self.probe, self.evidence = probe, evidence
        self.got = shape(evidence, probe.deny_urls)
        self.by_edge = bool(evidence.header("cf-ray"))
        self.is_controlled = False

    @property
    def is_control(self) -> bool:
        """Whether it shows that one gets further here than a refusal."""
        return not self.probe.is_replay and self.by_edge and CONTROLS.get(self.probe.expected) is self.got

    @property
    def could_be_control(self) -> bool:
        """Whether it is asked at its target's own URL, and is none only because of what it saw."""
        own = self.probe.path is None and not self.probe.is_replay
        return own and self.probe.expected in CONTROLS

    @property
    def said(self) -> str:
        """The shape, and what the witness said about it."""
        return f"{self.got.value}, {self.evidence.detail}" if self.evidence.detail else self.got.value


def judge(pairs: Iterable[tuple[Probe, Evidence]]) -> tuple[Verdict, ...]:
    """A verdict for each probe, in order. pairs: everything that one witness saw in one run."""
    seen = [Seen(probe, evidence) for probe, evidence in pairs]
    answers = Answers(seen)
    _control(seen, answers)
    return tuple(_verdict(one, answers) for one in seen)


def _control(seen: Sequence[Seen], answers: Answers) -> None:
    """Mark those beside which a control was seen."""
    controls = [one.probe for one in seen if one.is_control and not answers.stranger(one)]
    urls = {probe.target.url for probe in controls if probe.path is None}
    hosts = {probe.host for probe in controls}
    with_control = {one.probe.host for one in seen if one.could_be_control}
    for one in seen:
        one.is_controlled = one.probe.target.url in urls
        if one.probe.control is Control.NOBODY:
            on_host = one.probe.host in with_control | hosts
            one.is_controlled = one.probe.host in hosts if on_host else bool(hosts)


def _verdict(one: Seen, answers: Answers) -> Verdict:
    """The verdict on one probe: an answer of a stranger fails, whatever it was."""
    outcome, why = RULES[one.probe.expected](one)
    stranger = answers.stranger(one)
    if stranger and one.by_edge:
        outcome, why = Outcome.FAIL, f"{one.said}, and {stranger}"
    return Verdict(one.probe, one.evidence, one.got, outcome, why, answers.is_named(one))


def shape(evidence: Evidence, deny_urls: frozenset[str] = frozenset()) -> Got:
    """Which of the known shapes an answer, or its absence, has. deny_urls: where Access sends the refused."""
    if evidence.failure:
        return evidence.failure
    by_access = any(evidence.header(name) for name in ACCESS_HEADERS)
    location = evidence.header("location") or ""
    match evidence.status:
        case 401 if by_access:
            return Got.UNAUTHORIZED
        case 403:
            return Got.FORBIDDEN if by_access else Got.OTHER_REFUSAL
        case int() as status if 300 <= status < 400 and LOGIN_PATH in urlsplit(location).path:
            return Got.LOGIN
        case int() as status if 300 <= status < 400 and (by_access or location in deny_urls):
            return Got.DENY_PAGE
        case int() as status:
            return Got.ORIGIN_DOWN if status in EDGE_FAILURES else OTHERS.get(status, Got.ORIGIN)
        case None:
            return Got.CONFUSED


OTHERS = {421: Got.MISDIRECTED, 429: Got.THROTTLED}
"""Statuses that say nothing about who may enter."""


def _allowed(seen: Seen) -> tuple[Outcome, str]:
    pinned = seen.probe.target.expect_status if seen.probe.path is None else None
    match seen.got:
        case Got.ORIGIN if pinned not in {None, seen.evidence.status}:
            return Outcome.FAIL, f"the origin answered {seen.evidence.status}, the file expects {pinned}"
        case Got.ORIGIN if not seen.by_edge:
            return Outcome.INCONCLUSIVE, "the answer carries no cf-ray: it did not come through Cloudflare"
        case Got.ORIGIN:
            return Outcome.PASS, "the origin answered"
        case got if got in REFUSALS | {Got.LOGIN, Got.TLS_REFUSED, Got.CLOSED}:
            return Outcome.FAIL, f"should get in: {seen.said}"
        case _:
            return Outcome.INCONCLUSIVE, seen.said


def _refused(seen: Seen) -> tuple[Outcome, str]:
    match seen.got:
        case Got.ORIGIN:
            return Outcome.FAIL, "the door is open: the origin answered"
        case Got.LOGIN:
            return (
                Outcome.FAIL,
                "sent to the login page, which the file does not declare: a login may open it",
            )
        case got if got in REFUSALS:
            return _counted(seen)
        case _:
            return Outcome.INCONCLUSIVE, seen.said


def _counted(seen: Seen) -> tuple[Outcome, str]:
    if not seen.by_edge:
        return Outcome.INCONCLUSIVE, "the refusal carries no cf-ray: it may not be Cloudflare's"
    if not seen.is_controlled:
        return Outcome.INCONCLUSIVE, "refused, but no client got in here: a dead end proves nothing"
    return Outcome.PASS, "Access refused"


def _login(seen: Seen) -> tuple[Outcome, str]:
    match seen.got:
        case Got.ORIGIN:
            return Outcome.FAIL, "the door is open: the origin answered without a login"
        case Got.LOGIN if not seen.by_edge:
            return Outcome.INCONCLUSIVE, "the redirect carries no cf-ray: it may not be Cloudflare's"
        case Got.LOGIN:
            return Outcome.PASS, "Access sent it to the login page"
        case got if got in REFUSALS and seen.probe.proof == CLIENT:
            return Outcome.FAIL, f"should get to the login page: {seen.said}"
        case got if got in REFUSALS:
            return _counted(seen)  # stricter than declared: refused before the login page
        case _:
            return Outcome.INCONCLUSIVE, seen.said


def _undeclared(seen: Seen) -> tuple[Outcome, str]:
    """Nobody of ours may answer where nothing is declared; somebody else may."""
    domain = seen.evidence.header(ACCESS_DOMAIN)
    match seen.got:
        case Got.ORIGIN if seen.by_edge:
            return Outcome.PASS, "nothing is declared there, and the origin answered"
        case got if got in REFUSALS | {Got.LOGIN} and domain in seen.probe.ours | seen.probe.declared:
            return Outcome.FAIL, f"the application of {domain} reaches further than declared: {seen.said}"
        case got if got in REFUSALS | {Got.LOGIN} and domain and seen.by_edge:
            return Outcome.PASS, f"nothing is declared there; another application, {domain}, answered"
        case _:
            return Outcome.INCONCLUSIVE, seen.said


def _unforeseen(seen: Seen) -> tuple[Outcome, str]:
    why = seen.probe.unsure or UNFORESEEN
    return Outcome.INCONCLUSIVE, f"{seen.said}; what must happen cannot be told: {why}"


UNFORESEEN = "the policies there hang on the asker's address, another service or rules kept elsewhere"


RULES: Mapping[Expected, Rule] = {
    Expected.ALLOWED: _allowed,
    Expected.REFUSED: _refused,
    Expected.LOGIN: _login,
    Expected.UNDECLARED: _undeclared,
    Expected.UNFORESEEN: _unforeseen,
}
