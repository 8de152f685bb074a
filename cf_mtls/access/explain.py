"""Why somebody gets in at a URL, or does not: the application and policy that decide, and what they shadow.

Rules of this file:
- Pure; the same functions decide here that guard plans.
- What cannot be known is said to be unknown, never guessed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.access.decide import Request, decide, world_of
from cf_mtls.access.doors import door_at
from cf_mtls.access.match import covers, disputed, governor, standing
from cf_mtls.model.doors import Reach
from cf_mtls.model.resources import CaCertificate
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from cf_mtls.access.match import Governor
    from cf_mtls.model.doors import Decision, Door
    from cf_mtls.model.people import Asker
    from cf_mtls.model.resources import AccessPolicy, Address
    from cf_mtls.model.state import State


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about one URL in one state."""

    host: str
    path: str
    door: Door
    governor: Governor | None
    """The application that decides; None where none stands and the origin is open."""
    order: tuple[AccessPolicy, ...]
    """Its policies in the order in which they are asked."""
    shadowed: tuple[tuple[Address, str], ...]
    """Less specific applications that cover the URL too, with the domain that does."""
    certificates: tuple[tuple[Address, CaCertificate], ...]
    """The CAs on the hostname: any of them makes a certificate valid there."""
    by_wildcard: tuple[tuple[Address, CaCertificate], ...]
    """CAs that have the hostname by a wildcard: whether Access honours those is not known (facts 1.7)."""
    is_disputed: bool
    """Whether it is not known which of two applications decides (facts 3.8)."""
    client: Decision | None
    """What happens to the client that was asked about, as far as the known CAs say; None when none was."""
    is_client_known: bool = True
    """Whether the same happens to it if a CA of unknown contents vouches for it."""
    is_in_no_zone: bool = False
    """Whether no zone holds the hostname, so that its requests may never reach Access."""
    weakened: tuple[str, ...] = ()
    """What opens this URL, or one below what is declared here, beyond the plan file."""

    pinned: frozenset[str] = frozenset()
    """Ids of what is ours without a mark."""

    @property
    def lets_options_through(self) -> bool:
        """Whether OPTIONS requests skip the policies: second look 2.2."""
        return bool(
            self.governor and self.governor.application.fields.get("options_preflight_bypass") is True
        )


def explain(
    state: State,
    host: str,
    path: str,
    client: Asker | None = None,
    unknown: frozenset[Address] = frozenset(),
) -> Explanation:
    """Who can get in at a host and path of a state, and why. unknown: the CAs whose contents are not known."""
    perhaps = replace(client, trusted_by=client.trusted_by | unknown) if client else None
    decided, otherwise = (decide(state, Request(host, path, c)) if c else None for c in (client, perhaps))
    deciding = governor(state, host, path)
    return Explanation(
        host,
        path,
        door_at(state, host, path),
        deciding,
        in_order(deciding.application.policies) if deciding else (),
        tuple(
            (address, domain)
            for address, _, domain in standing(state, host, path)
            if not (deciding and (address, domain) == (deciding.address, deciding.domain))
        ),
        tuple(
            (a, ca)
            for a in sorted(world_of(state, host).trusted)
            if isinstance(ca := state[a], CaCertificate)
        ),
        tuple((a, ca) for a, ca in state.of(CaCertificate) if _has_by_wildcard(ca, host)),
        disputed(state, host, path),
        decided,
        is_client_known=decided == otherwise,
    )


def _has_by_wildcard(ca: CaCertificate, host: str) -> bool:
    names = ca.associated_hostnames
    return host not in names and any("*" in name and covers(name, host, "/") for name in names)


def in_order(policies: tuple[AccessPolicy, ...]) -> tuple[AccessPolicy, ...]:
    """Policies in the order in which Access asks them: Bypass and Service Auth first (facts 4.5)."""
    first = tuple(p for p in policies if p.decision in {"bypass", "non_identity"})
    return first + tuple(p for p in policies if p not in first)


def advice(found: Explanation) -> str:
    """The next thing to do about a door, in one sentence; '' when it is as closed as a certificate makes it."""
    match found.door.reach:
        case Reach.ANYONE if found.governor is None:
            return "No application stands here. To ask for a certificate, declare one on this host and path."
        case Reach.ANYONE:
            return "A policy or an override opens it to anyone. Take that out to make the certificate count."
        case Reach.OTHERS:
            return "Another way in stands beside the certificate. Put the certificate into require to need it always."
        case Reach.NOBODY if not found.certificates:
            return "No CA stands on this hostname, so no certificate can be valid. Associate one with it."
        case Reach.NOBODY:
            return "No policy lets anybody in. Add one that includes a valid certificate."
        case Reach.HOLDERS:
            return ""
