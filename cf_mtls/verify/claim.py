"""What a proof amounts to: the one place that decides *Proven*, from the verdicts and what was looked at.

Rules of this file:
- Proven: at every URL that was looked at, the control and somebody without a certificate got what `access/` expects,
  nothing failed, and no required proof is open.
- A URL that only credentials reach which cannot be presented here is declared, not provable here: it keeps nobody from
  being proven, and is never counted as proven itself.
- Where the edge does not say which application answered, the claim holds for the clients that were asked.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Exit
from cf_mtls.model.coverage import Coverage
from cf_mtls.model.evidence import Control, Got, Outcome
from cf_mtls.model.people import Expected
from cf_mtls.quick import dataclass
from cf_mtls.verify.proofs import CLIENT, NO_CERTIFICATE, REQUIRED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cf_mtls.model.coverage import Whole
    from cf_mtls.model.evidence import Dossier, Verdict

UNREACHED = frozenset({Got.UNREACHABLE, Got.UNTRIED})
"""What says that nobody answered."""

NO_CONTROL = "no declared client gets in here by its certificate, so a refusal proves nothing"
TWO_LINES = "    clients:\n      NAME: {certificate: client.pem, key: client.key}"
"""What makes a URL provable that has certificate rules and no client that gets in, as a plan file has it."""


class Standing(Enum):
    """What may be said; the value is how reports say it, the worst first."""

    NOT_ENFORCED = "not enforced"
    NOT_PROVEN = "could not tell"
    NOTHING = "nothing to prove"
    PROVEN = "proven"


EXITS = {
    Standing.NOT_ENFORCED: Exit.VERIFY_FAILED,
    Standing.NOT_PROVEN: Exit.ERROR,
    Standing.NOTHING: Exit.ERROR,
    Standing.PROVEN: Exit.OK,
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Why a URL is not proven, and who was asked; nobody where nobody could be."""

    url: str
    why: str
    who: str = ""
    verdict: Verdict | None = None
    """The required one that could not be told; None where one is missing."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The claim that what is declared is enforced at these URLs.

    whole: that every required proof of every provable URL was decided. Raises ValueError for no URL at all.
    """

    urls: tuple[str, ...]
    whole: Whole

    def __post_init__(self) -> None:
        """Whatever makes one."""
        if not self.urls or not set(self.urls) <= self.whole.coverage.read:
            message = "nothing is proven"
            raise ValueError(message)

    @property
    def standing(self) -> Standing:
        """The only place that says it."""
        return Standing.PROVEN


@dataclass(frozen=True, slots=True)
class Claim:
    """What may be said of everything that was looked at."""

    coverage: Coverage = field(default_factory=Coverage)
    """The provable URLs, and which of them were decided."""
    failed: tuple[str, ...] = ()
    """URLs at which somebody was treated otherwise than declared."""
    proven: tuple[str, ...] = ()
    """URLs, in order, each of these once."""
    gaps: tuple[Gap, ...] = ()
    elsewhere: tuple[str, ...] = ()
    """URLs that are declared and not provable here."""
    unnamed: tuple[str, ...] = ()
    """URLs that are proven for the clients asked: the edge did not say which application answered."""
    unreached: tuple[str, ...] = ()
    """Hosts that nobody reached."""

    @property
    def standing(self) -> Standing:
        """What it comes to."""
        if self.failed:
            return Standing.NOT_ENFORCED
        if not (self.coverage.rests_on or self.elsewhere):
            return Standing.NOTHING
        whole = self.coverage.whole()
        return Proven(self.proven, whole).standing if whole else Standing.NOT_PROVEN

    @property
    def exit(self) -> Exit:
        """0 proven, 1 not proven, 3 not enforced as declared."""
        return EXITS[self.standing]

    @property
    def lacks_client(self) -> bool:
        """Whether declaring a client would prove more."""
        return any(gap.why == NO_CONTROL for gap in self.gaps)


def claim(found: Dossier) -> Claim:
    """What may be said of what was found out: the only place that says it."""
    places = by_url(found.verdicts)
    elsewhere = tuple(url for url, verdicts in places.items() if _is_elsewhere(verdicts))
    gaps = tuple(
        gap for url, verdicts in places.items() if url not in elsewhere for gap in _gaps(url, verdicts)
    )
    failed = {v.probe.target.url for v in found.verdicts if v.outcome is Outcome.FAIL}
    provable = frozenset(places) - frozenset(elsewhere)
    unread = {gap.url: () for gap in gaps}
    proven = tuple(url for url in places if url in provable - failed - unread.keys())
    return Claim(
        Coverage(provable - unread.keys(), unread, frozenset(elsewhere), provable),
        tuple(url for url in places if url in failed),
        proven,
        gaps,
        elsewhere,
        tuple(url for url in proven if not _is_named(places[url])),
        _unreached(found.verdicts),
    )


def by_url(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts of each target, in order."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.probe.target.url, []).append(verdict)
    return groups


def _is_elsewhere(verdicts: Sequence[Verdict]) -> bool:
    """Whether only credentials that cannot be presented here get in; a client that did get in all the same counts."""
    return verdicts[0].probe.control is Control.ELSEWHERE and not any(map(_is_client_let_in, verdicts))


def _gaps(url: str, verdicts: Sequence[Verdict]) -> Iterator[Gap]:
    """What is open at one URL, for each witness by itself."""
    for witness in dict.fromkeys(v.evidence.witness for v in verdicts):
        yield from _gaps_of(url, [v for v in verdicts if v.evidence.witness == witness])


def _gaps_of(url: str, verdicts: Sequence[Verdict]) -> Iterator[Gap]:
    required = [v for v in verdicts if v.probe.proof in REQUIRED]
    unsure = [v for v in required if v.outcome is Outcome.INCONCLUSIVE]
    yield from (Gap(url, v.why, v.probe.who, v) for v in unsure)
    needs_client = verdicts[0].probe.control in {Control.CLIENT, Control.ELSEWHERE}
    if needs_client and not any(_is_welcome(v) or v in unsure for v in required if v.probe.proof == CLIENT):
        yield Gap(url, NO_CONTROL)
    if not any(v.probe.proof == NO_CERTIFICATE for v in required):
        yield Gap(url, "nobody was asked who shows no certificate")


def _is_client_let_in(verdict: Verdict) -> bool:
    return _is_welcome(verdict) and verdict.outcome is Outcome.PASS


def _is_welcome(verdict: Verdict) -> bool:
    """Whether a declared client must get in: if it does not, that is said already."""
    return verdict.probe.proof == CLIENT and verdict.probe.expected is Expected.ALLOWED


NAMELESS = frozenset({Control.ANYONE, Control.UNDECLARED})
"""Where nothing is refused, it does not matter who lets in."""


def _is_named(verdicts: Sequence[Verdict]) -> bool:
    """Whether the edge said of the refusal and of an admission that the application answered which must."""
    if verdicts[0].probe.control in NAMELESS:
        return True
    refusals = [v for v in verdicts if v.probe.proof == NO_CERTIFICATE]
    admissions = [v for v in verdicts if _is_client_let_in(v)]
    return all(v.is_named for v in refusals) and (not admissions or any(v.is_named for v in admissions))


def _unreached(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    asked = dict.fromkeys(v.probe.host for v in verdicts)
    tried = [v for v in verdicts if v.got is not Got.UNTRIED]
    reached = {v.probe.host for v in tried if v.got not in UNREACHED}
    return tuple(host for host in asked if host not in reached and any(v.probe.host == host for v in tried))
