"""What weakens the applications that a file declares, whoever made it: reported every time, with the reason.

Rules of this file:
- Only what opens one of our URLs beyond what the file says: another CA on a hostname of ours whose clients get in; an
  application that decides where ours would, and lets in more; a reusable policy or a group to which an application of
  ours refers, when by it anyone gets in; a setting of ours that the file leaves out and that lets requests through.
- Where it is not known which of two applications decides (facts 3.8), or whether a wildcard on a CA counts (facts
  1.7), what could open is reported as if it did.
- A warning each, with the thing and the URL as data: nobody has to read them out of the words.
- Nothing here is changed. plan, drift, explain and doctor all report exactly these.
"""

from __future__ import annotations

from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING

from cf_mtls.access.doors import door_at, url
from cf_mtls.access.match import Hosts, covers, most_specific, specificity, standing
from cf_mtls.access.reach import concrete, hosts_of, paths_at
from cf_mtls.access.scene import near
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.doors import Reach
from cf_mtls.model.marks import stack_of
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, Kind, host_of, path_of
from cf_mtls.model.rules import member
from cf_mtls.model.state import State
from cf_mtls.planning.grounds import ORDERS, Grounds, of_opening, of_thing
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cf_mtls.access.match import Governor, Standing
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.doors import Door
    from cf_mtls.model.resources import AccessPolicy, Resource

OTHER_CA = Code("access.foreign-ca", Severity.WARNING, Fault.ACCOUNT, "clients of a foreign CA get in")
OPENING = Code(
    "access.foreign-opening", Severity.WARNING, Fault.ACCOUNT, "a foreign application opens a path"
)
RULES_ELSEWHERE = Code(
    "access.foreign-rules", Severity.WARNING, Fault.ACCOUNT, "rules kept elsewhere let anyone in"
)
LET_THROUGH = Code(
    "access.undeclared-opening",
    Severity.WARNING,
    Fault.ACCOUNT,
    "a setting that no file declares opens a path",
)

LETS_THROUGH: Mapping[str, str] = {
    "options_preflight_bypass": "every OPTIONS request goes to the origin, with a certificate or without",
}
"""Settings of an application that let requests in past its policies: second look 2.2."""


@dataclass(frozen=True, slots=True)
class Weakening:
    """A thing that opens one of our doors."""

    culprit: Address
    domain: str
    """Of ours: where it lets somebody in, or below which it decides."""
    reach: Reach
    """Who gets in because of it."""
    warning: Diagnostic
    rests_on: Callable[[], Grounds] = field(compare=False, repr=False)
    """Makes what it is recognised by: what decides there."""

    def recognised(self) -> Grounds:
        """The exact content of what lets somebody in there, without names, which change and change nothing."""
        return self.rests_on()


def weakenings(state: State, ours: Mapping[Address, Resource]) -> Iterator[Weakening]:
    """What weakens the applications at our addresses in a state, by address.

    ours: what the file declares, at the addresses under which the state has it.
    """
    openings = _openings(state, ours)
    wild = [(a, ca) for a, ca in state.of(CaCertificate) if a not in ours and is_wild(ca)]
    for address, app in state.of(AccessApplication):
        for domain in app.domains if address in ours else ():
            host, path = _place(domain)
            door = door_at(with_wildcards(state, host, wild), host, path)
            yield from _foreign_cas(state, ours, address, domain, door)
            yield from _foreign_rules(state, address, domain, door)
            yield from _let_through(app, ours[address], address, domain)
            yield from openings.get(domain, ())


def _place(domain: str) -> tuple[str, str]:
    """A host and path that a domain covers."""
    return concrete(host_of(domain)), concrete(path_of(domain)) or "/"


# CAs


def is_wild(ca: CaCertificate) -> bool:
    """Whether a CA has a hostname with a wildcard."""
    return any("*" in host for host in ca.associated_hostnames)


def with_wildcards(state: State, host: str, wild: Sequence[tuple[Address, CaCertificate]]) -> State:
    """The state with those CAs on a host that have it by a wildcard: whether Access honours one is not known."""
    here = {
        a: replace(ca, associated_hostnames=(*ca.associated_hostnames, host))
        for a, ca in wild
        if host not in ca.associated_hostnames
        and any("*" in pattern and covers(pattern, host, "/") for pattern in ca.associated_hostnames)
    }
    return state.put_all(here) if here else state


def _foreign_cas(
    state: State, ours: Mapping[Address, Resource], address: Address, domain: str, door: Door
) -> Iterator[Weakening]:
    for other in sorted(door.certificates - set(ours)):
        ca = state[other]
        if isinstance(ca, CaCertificate):
            detail = (
                f"{address}: clients of {other}, named {ca.name} (id {ca.id}), get in at {domain}; it is not in this"
                " file, and a valid certificate is one of any CA on the hostname."
            )
            fix = "Take the hostname off that CA, or require a common name of your own clients."
            if not ca.elsewhere and stack_of(ca.name) is None:
                fix += (
                    " If it was imported and is to go, write into the plan file:\n"
                    f"    removed: [{{id: {ca.id}, destroy: true}}]"
                )
            warning = OTHER_CA.found(detail, fix)
            yield Weakening(
                other, domain, Reach.HOLDERS, warning, partial(_by, state, other, address, domain)
            )


def _by(state: State, culprit: Address, address: Address, domain: str) -> Grounds:
    """What a thing opens at a domain rests on itself and on our application there, which lets in by it."""
    return of_thing(state, culprit, of_opening(state, address, domain))


# Rules


def _foreign_rules(state: State, address: Address, domain: str, door: Door) -> Iterator[Weakening]:
    policy = door.decided.policy
    if door.reach is not Reach.ANYONE or policy is None or door.decided.application != address:
        return
    for culprit in _kept_elsewhere(state, policy, domain):
        detail = f"{address}: anyone gets in at {domain}, because {culprit} says so; what it says is not in this file."
        fix = "Mend its rules, or write the policy into the plan file if that is meant."
        warning = RULES_ELSEWHERE.found(detail, fix)
        yield Weakening(culprit, domain, door.reach, warning, partial(_by, state, culprit, address, domain))


def _kept_elsewhere(state: State, policy: AccessPolicy, domain: str) -> Sequence[Address]:
    """What of a policy's rules no plan file holds and opens it: the policy itself, or groups that it names."""
    if policy.reusable:
        return [Address(Kind.POLICY, policy.id or "")]
    named = [member(rule, "id") for rule in (*policy.include, *policy.require) if rule.kind == "group"]
    groups = list(dict.fromkeys(Address(Kind.GROUP, id_) for id_ in named))
    alone = [group for group in groups if _shuts(state, [group], domain)]
    return alone or (groups if groups and _shuts(state, groups, domain) else [])


def _shuts(state: State, groups: Sequence[Address], domain: str) -> bool:
    """Whether not everybody would get in at a domain if it were unknown who is in these groups."""
    return door_at(state.put_all(dict.fromkeys(groups)), *_place(domain)).reach < Reach.ANYONE


def _let_through(
    app: AccessApplication, declared: Resource, address: Address, domain: str
) -> Iterator[Weakening]:
    said = declared.fields if isinstance(declared, AccessApplication) else {}
    for name, what in LETS_THROUGH.items():
        if app.fields.get(name) is True and name not in said:
            detail = f"{address}: {name} is on in the account and not in this file: {what} at {domain}."
            fix = f"Write {name}: false into the plan file, or true if that is meant."
            rests_on = partial(Grounds, f"{name} {domain}")
            yield Weakening(address, domain, Reach.ANYONE, LET_THROUGH.found(detail, fix), rests_on)


# Applications


def _openings(state: State, ours: Mapping[Address, Resource]) -> dict[str, list[Weakening]]:
    """Where another application decides or may decide in place of ours, and lets in more; by our domain."""
    worst: dict[tuple[str, Address], Weakening] = {}
    for host in sorted(_hosts(state, ours)):
        if all(address in ours for address, _, _ in standing(state, host)):
            continue
        for path in paths_at((state,), host):
            for found in _opened(state, ours, host, path):
                key = (found.domain, found.culprit)
                if key not in worst or worst[key].reach < found.reach:
                    worst[key] = found
    openings: dict[str, list[Weakening]] = {}
    for (domain, _), found in sorted(worst.items()):
        openings.setdefault(domain, []).append(found)
    return openings


def _hosts(state: State, ours: Mapping[Address, Resource]) -> frozenset[str]:
    """The hosts of a state that a domain of ours covers."""
    known = Hosts(hosts_of(state))
    patterns = {host_of(d) for a, app in state.of(AccessApplication) if a in ours for d in app.domains}
    return frozenset().union(*(known.covered_by(p) | known.covered_by(concrete(p)) for p in patterns))


def _opened(state: State, ours: Mapping[Address, Resource], host: str, path: str) -> Iterator[Weakening]:
    places = standing(state, host, path)
    mine = most_specific([place for place in places if place[0] in ours], path)
    if mine is None:
        return
    rest = {a: r for a, r in near(state, host).items() if not isinstance(r, AccessApplication)}
    expected = door_at(State({**rest, mine.address: mine.application}), host, path)
    for address, app, _ in _deciding(places, ours):
        door = door_at(State({**rest, address: app}), host, path)
        if lets_in_more(door, expected):
            detail = (
                f"{address}, named {app.name} (id {app.id}), decides at {url(host, path)}, which {mine.domain} covers,"
                f" and lets in {WHO[door.reach]}: the more specific application decides and inherits nothing."
            )
            warning = OPENING.found(detail, "Give it the certificate rule of yours, or remove it.")
            rests_on = partial(of_opening, state, address, mine.domain)
            yield Weakening(address, mine.domain, door.reach, warning, rests_on)
        yield from _preflights(state, mine, address, app, url(host, path))


def _preflights(
    state: State, mine: Governor, address: Address, app: AccessApplication, where: str
) -> Iterator[Weakening]:
    """Where the application that decides lets requests past its policies, and ours does not."""
    for name, what in LETS_THROUGH.items():
        if app.fields.get(name) is True and mine.application.fields.get(name) is not True:
            detail = (
                f"{address}, named {app.name} (id {app.id}), decides at {where}, which {mine.domain} covers, and {name}"
                f" is on: {what}."
            )
            warning = OPENING.found(detail, f"Turn its {name} off, or remove it.")
            rests_on = partial(of_opening, state, address, mine.domain)
            yield Weakening(address, mine.domain, Reach.ANYONE, warning, rests_on)


WHO = {
    Reach.HOLDERS: "certificate holders whom that refuses",
    Reach.OTHERS: "people without a certificate",
    Reach.ANYONE: "anyone",
}


def _deciding(places: Sequence[Standing], ours: Mapping[Address, Resource]) -> list[Standing]:
    """The applications that are not ours and are the most specific ones in an order that may hold; ties included."""
    found: dict[tuple[Address, str], Standing] = {}
    for order in ORDERS:
        best = max(specificity(domain, order) for _, _, domain in places)
        for place in places:
            if place[0] not in ours and specificity(place[2], order) == best:
                found[place[0], place[2]] = place
    return list(found.values())


def lets_in_more(door: Door, expected: Door) -> bool:
    """Whether somebody gets in at a door that would not at the other."""
    if expected.reach is Reach.ANYONE or door.reach is Reach.NOBODY:
        return False
    if door.reach > expected.reach or door.reach is Reach.ANYONE:
        return True
    others = door.credentials - expected.credentials or door.certificates - expected.certificates
    return bool(others) or (bool(door.certificates) and _names_more(door, expected))


def _names_more(door: Door, expected: Door) -> bool:
    if expected.needs_login and not door.needs_login:
        return True
    if expected.common_names is None:
        return False
    return door.common_names is None or bool(door.common_names - expected.common_names)
