"""Which application answered, as far as the edge says: its domain in a header, its audience tag, or neither.

Rules of this file:
- A refusal and a login page name the application's domain and tag, a session only its tag (facts, cloudflare-api 6.2,
  6.3). Whether that domain is the application's own or the hostname that was asked is not known: a header that equals
  the hostname says nothing, unless another answer of the same run showed an application's own.
- One tag is one application: two places that the file gives to different applications cannot answer with the same tag,
  and one application cannot answer with two.
- Where the edge does not say, nothing is concluded, and nothing is named.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, urlsplit

from cf_mtls.model.evidence import Got
from cf_mtls.model.people import Expected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cf_mtls.model.evidence import Evidence, Probe

ACCESS_DOMAIN, ACCESS_TAG = "cf-access-domain", "cf-access-aud"

BY_ACCESS = frozenset({Got.FORBIDDEN, Got.UNAUTHORIZED, Got.DENY_PAGE, Got.LOGIN})
"""What only Access says."""

UNJUDGED = frozenset({Expected.UNFORESEEN, Expected.UNDECLARED})
"""Where no application must govern, or it is not known which."""


class Seen(Protocol):
    """A probe and what it saw."""

    @property
    def probe(self) -> Probe:
        """What was asked."""

    @property
    def evidence(self) -> Evidence:
        """What came back."""

    @property
    def got(self) -> Got:
        """Its shape."""


class Answers:
    """What the answers of one run say together about who gave them."""

    def __init__(self, seen: Iterable[Seen]) -> None:
        """seen: everything that one run saw."""
        told = [(one, domain_of(one), tag_of(one)) for one in seen]
        self._shows_domains = any(domain not in {"", one.probe.host} for one, domain, _ in told)
        self._places: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
        self._named: set[tuple[str, frozenset[str]]] = set()
        self._tags: defaultdict[frozenset[str], set[str]] = defaultdict(set)
        for one, domain, tag in told:
            if tag and one.probe.expected is not Expected.UNFORESEEN:
                self._places[tag].add(one.probe.ours)
                self._tags[one.probe.ours].add(tag)
                if self._is_own(domain, one.probe) and domain in one.probe.ours:
                    self._named.add((tag, one.probe.ours))

    def _is_own(self, domain: str, probe: Probe) -> bool:
        """Whether a domain is an application's own, not perhaps only the hostname that was asked."""
        return bool(domain) and (self._shows_domains or domain != probe.host)

    def stranger(self, one: Seen) -> str:
        """Why another application answered than the one that must govern, '' when nothing says so."""
        probe, domain, tag = one.probe, domain_of(one), tag_of(one)
        if not probe.ours or probe.expected in UNJUDGED:
            return ""
        ours = ", ".join(sorted(probe.ours))
        if self._is_own(domain, probe) and domain not in probe.ours:
            return f"the application of {domain} answered, not that of {ours}"
        if not tag or (tag, probe.ours) in self._named:
            return ""
        if self._places[tag] - {probe.ours}:
            return f"the application that answers here answers also where that of {ours} does not stand"
        if len(self._tags[probe.ours]) > 1:
            return f"two applications answer in the place of that of {ours}"
        return ""

    def is_named(self, one: Seen) -> bool:
        """Whether the edge said that the application answered which must."""
        domain, probe = domain_of(one), one.probe
        if self._is_own(domain, probe) and domain in probe.ours:
            return True
        return (tag_of(one), probe.ours) in self._named


def domain_of(one: Seen) -> str:
    """The domain of the application that answered, '' where the edge does not say."""
    found = one.evidence.header(ACCESS_DOMAIN) if one.got in BY_ACCESS else None
    host, slash, path = (found or "").strip().partition("/")
    return (host.lower() + slash + path).rstrip("/")


def tag_of(one: Seen) -> str:
    """The audience tag of the application that answered, '' where the edge does not say."""
    if one.got is Got.ORIGIN:
        return one.evidence.session_of
    if one.got not in BY_ACCESS:
        return ""
    if tag := one.evidence.header(ACCESS_TAG):
        return tag
    query = urlsplit(one.evidence.header("location") or "").query if one.got is Got.LOGIN else ""
    return next(iter(parse_qs(query).get("kid", ())), "")
