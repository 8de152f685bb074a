"""What lives beside a plan's own scope: zone-level things of an account's zones, account-level things of a zone.

Rules of this file:
- Access looks at both together (facts 3.8), so both are read; what lives elsewhere is foreign whatever its name.
- Only zones of hostnames that matter are asked. Whether a listing shows the other scope's things too is not known
  (facts 11.8): what has an id that was seen already is not taken twice.
- A token may lack the permission to look: then that is said as a note, and the plan goes on.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from cf_mtls.model.coverage import Part
from cf_mtls.model.resources import AccessApplication, AccessGroup, Address, CaCertificate, Kind, Scope
from cf_mtls.quick import dataclass
from cf_mtls.remote import wire
from cf_mtls.remote.errors import NO_ROUTE, PERMISSION, STRANGE, TOKEN_REFUSED, decoded, failure
from cf_mtls.remote.gateway import Answer
from cf_mtls.remote.pages import APPLICATIONS, CERTIFICATES, GROUPS, pages
from cf_mtls.remote.shape import an_object, every, identifier, needed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import TypeAlias

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.resources import Resource
    from cf_mtls.remote.gateway import Reader
    from cf_mtls.remote.pace import Pace

    Decoder: TypeAlias = Callable[[Any], tuple[Address, CaCertificate | AccessApplication | AccessGroup]]
    Job: TypeAlias = tuple[Scope, str, Decoder]

UNSEEN = Code("scope.other-unseen", Severity.NOTE, Fault.INVOCATION, "the other scope cannot be seen")

LISTS: tuple[tuple[str, Decoder], ...] = ((CERTIFICATES, wire.certificate), (APPLICATIONS, wire.application))
"""What is looked at in each other scope, side by side: a plan waits for two round trips, never for a third."""

OF_ACCOUNTS: tuple[tuple[str, Decoder], ...] = ((GROUPS, wire.group),)
"""What only accounts have, and rules of their applications refer to: second look 1.3."""

MAY_NOT = frozenset({PERMISSION, TOKEN_REFUSED, NO_ROUTE})
"""Refusals that only say that this token may not look there."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What there is beside a plan's own scope: found at once with it, read only where it matters."""

    zones: Mapping[str, str] | None = None
    """Name to id of every zone that the token sees: the account's, or the plan's own; None when nobody looked."""
    account: Scope | None = None
    """Of a zone's plan: the account that the zone is in."""
    said: tuple[Diagnostic, ...] = ()

    def holds(self, host: str) -> bool:
        """Whether a hostname (it may begin with a wildcard) lies in one of the zones; True when nobody looked."""
        return self.zones is None or any(_within(host, name) for name in self.zones)

    def near(self, hosts: Collection[str]) -> list[Scope]:
        """The other scopes whose things can touch these hosts."""
        if self.account:
            return [self.account]
        return [
            Scope("zone", i) for name, i in (self.zones or {}).items() if any(_within(h, name) for h in hosts)
        ]


def find_beside(reader: Reader, scope: Scope, pace: Pace) -> Beside:
    """What there is beside a scope. Raises Failure for anything but a missing permission."""
    try:
        if scope.kind == "account":
            return Beside(_zones(reader, scope, pace))
        return _account(reader, scope, pace)
    except Failure as failed:
        return Beside(said=(_unseen(failed, scope),))


def read_beside(
    reader: Reader, scope: Scope, beside: Beside, hosts: Collection[str], pace: Pace
) -> tuple[tuple[Resource, ...], dict[str, tuple[Diagnostic, ...]]]:
    """CAs and applications of the other scopes that can touch these hosts, and by its part what could not be read.

    One list that may not be read hides no other; of a scope one reason is enough.
    Raises Failure for anything but a missing permission.
    """
    jobs = [
        (other, path, decode)
        for other in beside.near(hosts)
        for path, decode in (*LISTS, *(OF_ACCOUNTS if other.kind == "account" else ()))
    ]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: _allowed(reader, scope, pace, job), jobs))
    first: dict[tuple[Scope, Part], Diagnostic] = {}
    for (other, path, _), (_, why) in zip(jobs, found, strict=True):
        for said in why:
            first.setdefault((other, Part.GROUPS if path == GROUPS else Part.BESIDE), said)
    unread: dict[str, tuple[Diagnostic, ...]] = {Part.BESIDE: beside.said}
    for (_, part), said in first.items():
        unread[part] = (*unread.get(part, ()), said)
    return tuple(resource for things, _ in found for resource in things), unread


def _allowed(
    reader: Reader, scope: Scope, pace: Pace, job: Job
) -> tuple[list[Resource], tuple[Diagnostic, ...]]:
    """The things of one list; or none, and that this token may not read it."""
    try:
        return _things(reader, pace, *job), ()
    except Failure as failed:
        return [], (_unseen(failed, scope),)


def _unseen(failed: Failure, scope: Scope) -> Diagnostic:
    """The note that this token may not look there. Raises the failure again when it is another one."""
    if not {d.code for d in failed.diagnostics} <= MAY_NOT:
        raise failed
    other = "zones" if scope.kind == "account" else "account"
    detail = f"Applications and CAs of the {other} would count too. {failed.diagnostics[0].detail}"
    return UNSEEN.found(detail, 'With "Zone Read" and the Access permissions there, they are looked at too.')


def _within(host: str, zone: str) -> bool:
    return host == zone or host.endswith(f".{zone}")


def _zones(reader: Reader, scope: Scope, pace: Pace) -> dict[str, str]:
    """The zones of an account, name to id."""
    listed = pages(reader, "/zones", pace, {"account.id": scope.id, "per_page": "50"})
    return decoded(
        lambda raws: dict(every(raws, lambda z: (needed(z, "name").lower(), identifier(z)))),
        listed,
        "GET /zones",
    )


def _account(reader: Reader, scope: Scope, pace: Pace) -> Beside:
    """The account of a zone, and the zone's own name."""
    outcome = pace.persist("GET", lambda: reader.get(scope.path))
    if not isinstance(outcome, Answer) or not outcome.ok:
        raise failure(outcome, f"reading {scope.path}", scope.path)
    name, account = decoded(
        lambda raw: (needed(raw, "name").lower(), identifier(an_object(raw).get("account"))),
        outcome.result,
        f"GET {scope.path}",
    )
    return Beside({name: scope.id}, Scope("account", account))


def _things(reader: Reader, pace: Pace, scope: Scope, path: str, decode: Decoder) -> list[Resource]:
    raws = pages(reader, scope.path + path, pace)
    found = [decoded(decode, raw, f"GET {scope.path}{path}")[1] for raw in raws]
    return [r if isinstance(r, AccessGroup) else replace(r, elsewhere=str(scope)) for r in found]


def together(own: dict[Address, Resource], others: Iterable[Resource]) -> dict[Address, Resource]:
    """Own things with those from elsewhere beside them; what a listing showed twice is taken once.

    A thing whose natural address is taken gets its id into the address.
    """
    found = dict(own)
    known = {_id(resource): address for address, resource in found.items()}
    for resource in others:
        address = known.get(
            _id(resource)
        )  # the account's list showed it too: it lives elsewhere all the same
        if address is None:
            address = _address(resource)
            if address in found:
                address = Address(address.kind, f"{address.key}#{_id(resource)}")
            known[_id(resource)] = address
        found[address] = resource
    return found


def _id(resource: Any) -> str | None:
    return getattr(resource, "id", None)


def _address(resource: Resource) -> Address:
    match resource:
        case CaCertificate():
            return Address(Kind.CERTIFICATE, str(resource.id))
        case AccessApplication():
            return Address(Kind.APPLICATION, resource.domain or f"id:{resource.id}")
        case AccessGroup():
            return Address(Kind.GROUP, resource.id)
        case _:
            raise Failure([STRANGE.found(f"{resource} cannot live elsewhere.")])
