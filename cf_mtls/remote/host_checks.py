"""The checks of each hostname: its zone, its DNS, other applications, and what is taken for Access mutual TLS.

Rules of this file:
- Pure. What belongs to nobody's fault (a tunnel without a record, origin pulls) is never more than a warning.

Source: facts, cloudflare-api 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.access.doors import doorways
from cf_mtls.model.resources import host_of, hosts_on
from cf_mtls.model.state import State
from cf_mtls.planning.foreign import lets_in_more, weakenings
from cf_mtls.planning.gates import reach_words
from cf_mtls.planning.ownership import is_ours, merge
from cf_mtls.remote import wire
from cf_mtls.remote.doctor import ZoneReading, items
from cf_mtls.remote.findings import Declared, Finding, Grade, ok, refused
from cf_mtls.remote.gateway import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from cf_mtls.model.coverage import Coverage
    from cf_mtls.model.evidence import Handshake
    from cf_mtls.planning.ownership import Merged
    from cf_mtls.remote.doctor import Outcome, Readings


def _zone(r: Readings, _: Declared) -> Iterator[Finding]:
    for host, found in r.hosts.items():
        if found is None:
            fix = "Add the zone to this account, or name the account it is in."
            yield Finding("host.zone", Grade.FAIL, f"no zone of this {r.scope.kind} holds it", fix, host)
        elif isinstance(found, ZoneReading):
            yield _zone_state(found.zone, host)
        else:
            yield refused("host.zone", Grade.UNTOLD, found, "/zones", host)


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
            yield refused("host.dns", Grade.UNTOLD, last, "/dns_records", host)
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
            yield Finding("host.dns", Grade.UNTOLD, "no DNS record is seen", fix, host)


def _in_the_way(r: Readings, declared: Declared) -> Iterator[Finding]:
    """What plan and drift report on each hostname: what stands in our place, and what opens ours."""
    if declared.actual is None:
        why = " ".join(d.detail for d in declared.why) or "the account could not be read."
        yield from (
            Finding("host.application", Grade.UNTOLD, f"not looked at: {why}", "", h) for h in r.hosts
        )
        return
    merged = merge(declared.state, declared.actual, declared.stack)
    found = [*_taken(merged), *_weakened(merged)]
    for host in r.hosts:
        here = [finding for finding in found if finding.on == host]
        yield from here or [_nothing_seen(host, declared.coverage)]


def _nothing_seen(host: str, coverage: Coverage) -> Finding:
    """That nothing is in the way on a hostname, as far as it was looked at."""
    if not coverage.is_complete:
        why = coverage.why()
        said = f"nothing in the way in what could be read; not read: {', '.join(coverage.missing)}"
        said += "".join(f". {d.code.summary}: {d.detail}" for d in why)
        return Finding("host.application", Grade.UNTOLD, said, why[0].fix if why else "", host)
    said = "no other application, CA, reusable policy or group opens what the file declares"
    return Finding("host.application", Grade.OK, said, "", host)


def _taken(merged: Merged) -> Iterator[Finding]:
    """What stands where ours must go."""
    homes = {home: declared for declared, home in merged.moved.items()}
    for address, resource in merged.ours.items():
        for found in merged.diagnostics:
            if found.is_error and found.detail.startswith((f"{address} ", f"{homes.get(address)} ")):
                for host in sorted(hosts_on(resource)):
                    yield Finding("host.application", Grade.FAIL, found.detail, found.fix, host)


def _weakened(merged: Merged) -> Iterator[Finding]:
    for found in weakenings(merged.desired, merged.ours):
        said = f"{found.warning.code.summary}: {found.culprit}: {found.warning.detail}"
        yield Finding("host.application", Grade.WARN, said, found.warning.fix, host_of(found.domain))


def _open_now(r: Readings, declared: Declared) -> Iterator[Finding]:
    """Where more get in than the file lets in: a warning once something of ours stands on that hostname."""
    actual = declared.actual or State()
    merged = merge(declared.state, actual, declared.stack)
    ours = [a for a, there in actual.items() if is_ours(there, declared.stack) or a in merged.ours]
    applied = {host for a in ours for host in hosts_on(actual[a])}
    for way in doorways(actual, merged.desired, r.hosts if declared.actual is not None else ()):
        if lets_in_more(way.before, way.after):
            host = host_of(way.url.removeprefix("https://"))
            now, then = reach_words(way.before.reach), reach_words(way.after.reach)
            said = f"{way.url}: {now} now; as declared: {then}, by {way.after.decided.application}"
            if host in applied:
                yield Finding("host.access", Grade.WARN, said, "Look at it with:\n    cf-mtls plan", host)
            else:
                yield Finding("host.access", Grade.OK, f"not applied yet: {said}", "", host)


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
            "host.edge", Grade.UNTOLD, f"could not be seen: {seen.failure}", "Try again from elsewhere.", host
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
    "host.access": _open_now,
    "host.edge": _edge,
    "look-alike": _look_alikes,
}
"""By name, in the order in which they are shown; the look-alikes share one and add which."""
