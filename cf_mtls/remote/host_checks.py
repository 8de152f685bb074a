"""The checks of each hostname: its zone, its DNS, other applications, and what is taken for Access mutual TLS.

Rules of this file:
- Pure. What belongs to nobody's fault (a tunnel without a record, origin pulls) is never more than a warning.

Source: facts, cloudflare-api 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.access.match import covers
from cf_mtls.model.resources import AccessApplication, host_of, path_of
from cf_mtls.planning.ownership import is_ours, is_pinned
from cf_mtls.remote import wire
from cf_mtls.remote.doctor import ZoneReading, items
from cf_mtls.remote.findings import Declared, Finding, Grade, ok, refused
from cf_mtls.remote.gateway import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cf_mtls.model.evidence import Handshake
    from cf_mtls.remote.doctor import Outcome, Readings


def _zone(r: Readings, _: Declared) -> Iterator[Finding]:
    for host, found in r.hosts.items():
        if found is None:
            fix = "Add the zone to this account, or name the account it is in."
            yield Finding("host.zone", Grade.FAIL, f"no zone of this {r.scope.kind} holds it", fix, host)
        elif isinstance(found, ZoneReading):
            yield _zone_state(found.zone, host)
        else:
            yield refused("host.zone", Grade.WARN, found, "/zones", host)


def _zone_state(zone: Mapping[str, Any], host: str) -> Finding:
    name, status = zone.get("name"), zone.get("status")
    if status != "active":
        fix = "Point the domain's name servers at Cloudflare and wait until the zone is active."
        return Finding("host.zone", Grade.FAIL, f"the zone {name} is {status}, not active", fix, host)
    if zone.get("paused"):
        return Finding(
            "host.zone", Grade.FAIL, f"the zone {name} is paused", "Unpause it in its overview.", host
        )
    return Finding("host.zone", Grade.OK, f"in the active zone {name}", "", host)


def _dns(r: Readings, _: Declared) -> Iterator[Finding]:
    for host, outcomes in r.dns.items():
        last = outcomes[-1]
        records = [item for item in items(last) if item.get("type") in {"A", "AAAA", "CNAME"}]
        proxied = [item for item in records if item.get("proxied")]
        if not ok(last):
            yield refused("host.dns", Grade.WARN, last, "/dns_records", host)
        elif proxied:
            yield Finding(
                "host.dns",
                Grade.OK,
                f"{proxied[0].get('type')} {proxied[0].get('name')} is proxied",
                "",
                host,
            )
        elif records:
            said = f"{records[0].get('type')} {records[0].get('name')} is DNS only: requests pass Access by"
            fix = "Switch its proxy status to Proxied (the orange cloud)."
            yield Finding("host.dns", Grade.FAIL, said, fix, host)
        else:
            fix = "Fine for a tunnel, a Worker or a custom hostname; else add a proxied record."
            yield Finding("host.dns", Grade.WARN, "no DNS record is seen", fix, host)


def _in_the_way(r: Readings, declared: Declared) -> Iterator[Finding]:
    there = _actual_applications(r)
    for host in r.hosts:
        wanted = [app for _, app in declared.state.of(AccessApplication) if host in map(host_of, app.domains)]
        clashes = [f for app in wanted for f in _clashes(host, app, there, declared.stack)]
        yield from clashes
        if not clashes:
            yield Finding("host.application", Grade.OK, "no other application is in the way", "", host)


def _actual_applications(r: Readings) -> list[AccessApplication]:
    found = []
    for raw in items(r.access["applications"]):
        try:
            found.append(wire.application(raw)[1])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue  # plan says what is strange about it
    return found


def _clashes(
    host: str, app: AccessApplication, there: list[AccessApplication], stack: str
) -> Iterator[Finding]:
    foreign = [other for other in there if not is_ours(other, stack) and not is_pinned(app, other)]
    for other in foreign:
        same = set(app.domains) & set(other.domains)
        if same:
            fix = f"Bring it into a file, or take it over:\n    cf-mtls plan --adopt application/{min(same)}"
            said = f'the application "{other.name}" has {min(same)}'
            yield Finding("host.application", Grade.FAIL, said, fix, host)
        elif below := [d for d in other.domains if any(_within(d, mine) for mine in app.domains)]:
            fix = "The more specific application decides alone there and inherits nothing: look at its policies."
            said = f'the application "{other.name}" decides for {below[0]}'
            yield Finding("host.application", Grade.WARN, said, fix, host)


def _within(domain: str, mine: str) -> bool:
    return covers(mine, host_of(domain), path_of(domain) or "/")


DIFFERENCES = {
    "byo": "{count} CAs in the BYO store (mtls_certificates): for WAF rules and origin pulls, Access does not use them",
    "client_certificates": "{count} API Shield client certificates: issued by Cloudflare's own CA, no CA of Access",
    "hostname_associations": "it is among the API Shield hostname associations: the edge asks for a certificate there "
    "for WAF rules; the CAs of Access are another list",
    "origin_pulls": "{count} authenticated origin pulls: Cloudflare shows a certificate to the origin, the "
    "other direction",
}
"""What is taken for Access mutual TLS, and how it differs: facts 8."""


def _look_alikes(r: Readings, _: Declared) -> Iterator[Finding]:
    count = len(items(r.byo))
    if count:
        yield Finding("look-alike.byo-ca", Grade.OK, DIFFERENCES["byo"].format(count=count))
    for host, found in r.hosts.items():
        if isinstance(found, ZoneReading):
            yield from _look_alikes_of(host, found)


def _look_alikes_of(host: str, found: ZoneReading) -> Iterator[Finding]:
    associated = [found.look_alikes["hostname_associations"], *found.associations.values()]
    if any(host in _hostnames(outcome) for outcome in associated):
        fix = "If Access alone shall ask here, take the hostname out of the associations."
        said = DIFFERENCES["hostname_associations"]
        yield Finding("look-alike.hostname-association", Grade.WARN, said, fix, host)
    for name, check in (("client_certificates", "client-certificates"), ("origin_pulls", "origin-pulls")):
        count = len(items(found.look_alikes[name]))
        if count:
            yield Finding(f"look-alike.{check}", Grade.OK, DIFFERENCES[name].format(count=count), "", host)


def _hostnames(outcome: Outcome) -> list[str]:
    result = outcome.result if isinstance(outcome, Answer) and outcome.ok else None
    hosts = result.get("hostnames") if isinstance(result, dict) else None
    return [str(h).lower() for h in hosts] if isinstance(hosts, list) else []


def _edge(r: Readings, _: Declared) -> Iterator[Finding]:
    for host, seen in r.edge.items():
        trusted = any(host in wire.hostnames(raw) for raw in items(r.access["certificates"]))
        yield _edge_of(host, seen, trusted=trusted)


def _edge_of(host: str, seen: Handshake, *, trusted: bool) -> Finding:
    """What it means that the edge asks or does not. trusted: whether a CA of the account is on the hostname."""
    if seen.failure:
        return Finding(
            "host.edge", Grade.WARN, f"could not be seen: {seen.failure}", "Try again from elsewhere.", host
        )
    if seen.asked == trusted:
        said = (
            "the edge asks for a certificate" if trusted else "the edge does not ask, and no CA is on it yet"
        )
        return Finding("host.edge", Grade.OK, said, "", host)
    if trusted:
        fix = "An association takes a moment to reach the edge; else the name leads somewhere else than Cloudflare."
        return Finding("host.edge", Grade.FAIL, "the edge does not ask, though a CA is on it", fix, host)
    fix = "Something else asks there: look at the hostname associations of the zone."
    return Finding("host.edge", Grade.WARN, "the edge asks, though no CA of Access is on it", fix, host)


CHECKS: Mapping[str, Callable[[Readings, Declared], Iterator[Finding]]] = {
    "host.zone": _zone,
    "host.dns": _dns,
    "host.application": _in_the_way,
    "host.edge": _edge,
    "look-alike": _look_alikes,
}
"""By name, in the order in which they are shown; the look-alikes share one and add which."""
