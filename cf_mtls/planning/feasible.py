"""What Cloudflare must refuse, or what can work for nobody, found before any write: hostnames, trust and limits.

Rules of this file:
- Pure. Each finding names the place in the plan file, or the step at which a limit would be passed.
- A list of zones may be filtered for the token, and a custom hostname lies in no zone of the account: so a host in no
  zone that is seen is refused until it is typed out.

Source: facts, cloudflare-api 1.6, 1.7, 3.7; second look 1.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.match import covers
from cf_mtls.declare.applications import NO_WILDCARD
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.resources import AccessApplication, CaCertificate, Kind, host_of, hosts_on
from cf_mtls.model.rules import demands_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from cf_mtls.diagnostics import Diagnostic, Place
    from cf_mtls.model.plan import Step
    from cf_mtls.model.resources import Address
    from cf_mtls.model.state import State

NO_ZONE = Code("plan.host-in-no-zone", Severity.ERROR, Fault.FILE, "a hostname is in no zone that is seen")
NO_CA = Code("plan.host-without-ca", Severity.ERROR, Fault.FILE, "an application's hostname has no CA")
SHUT_ALREADY = Code(
    "plan.shut-already", Severity.WARNING, Fault.ACCOUNT, "nobody gets in at an application's hostname"
)
LIMIT = Code("plan.beyond-limit", Severity.ERROR, Fault.ACCOUNT, "the account would hold more than it may")

MOST: Mapping[Kind, tuple[int, str]] = {
    Kind.CERTIFICATE: (50, "CAs"),
    Kind.APPLICATION: (500, "applications"),
}
"""Limits of an account: facts 1.6 and 3.7."""


def in_no_zone(
    declared: State,
    places: Mapping[Address, Place],
    is_seen: Callable[[str], bool],
    elsewhere: Collection[str],
) -> Iterator[Diagnostic]:
    """A refusal for each declared hostname that lies in no zone, at the first thing that names it.

    is_seen: whether a zone holds a hostname; True where nobody could look. elsewhere: hosts that were typed out.
    """
    first: dict[str, Address] = {}
    for address, resource in declared.items():
        for host in sorted(hosts_on(resource)):
            first.setdefault(host, address)
    for host, address in sorted(first.items()):
        if host not in elsewhere and not is_seen(host):
            detail = f"{host}, of {address}, is in no zone that this token sees, so Cloudflare refuses it."
            fix = (
                "Mend the name, or add the zone to this account. A custom hostname, or a zone that this token may not"
                f" list, is said with:\n    --host-elsewhere {host}"
            )
            yield _at(NO_ZONE.found(detail, fix), places.get(address))


def without_ca(
    declared: State, places: Mapping[Address, Place], desired: State, changed: Collection[str]
) -> Iterator[Diagnostic]:
    """For each hostname where an application asks for a certificate and no CA will be, that nobody gets in.

    changed: the hostnames on which the plan changes anything: there it is refused, elsewhere it is so already.
    """
    held = {h for state in (declared, desired) for _, ca in state.of(CaCertificate) for h in hosts_on(ca)}
    wild = [pattern for pattern in held if "*" in pattern]
    for address, app in declared.of(AccessApplication):
        for host in sorted({host_of(d) for d in app.domains} - held) if demands_certificate(app) else ():
            if not any(covers(pattern, host, "/") for pattern in wild):
                detail = (
                    f"{address}: no CA is on {host}, in this file or in the account, so nobody gets in there."
                )
                add = f"Add {host} to the associated_hostnames of the CA whose clients should get in."
                fix = NO_WILDCARD if "*" in host else add
                code = NO_CA if host in changed else SHUT_ALREADY
                yield _at(code.found(detail, fix), places.get(address))


def _at(found: Diagnostic, place: Place | None) -> Diagnostic:
    return found.at(place) if place else found


def beyond_limits(steps: Sequence[Step], actual: State) -> Iterator[Diagnostic]:
    """A refusal for each kind of which a step would make more than an account may hold, also only on the way."""
    there = {a: r for a, r in actual.items() if not getattr(r, "elsewhere", None)}
    held = {kind: {a for a in there if a.kind is kind} for kind in MOST}
    told: set[Kind] = set()
    for step in steps:
        kind, ours = step.address.kind, held.get(step.address.kind, set())
        if step.value is None:
            ours.discard(step.address)
        elif step.address not in ours:
            ours.add(step.address)
            most, what = MOST.get(kind, (len(ours), ""))
            if len(ours) > most and kind not in told:
                told.add(kind)
                detail = f"At {step.address} there would be {len(ours)} {what} at once; an account may hold {most}."
                yield LIMIT.found(detail, "Remove what is not used first, or ask Cloudflare for more.")
