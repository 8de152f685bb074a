"""Foreign things that weaken what we declare: reported every time, by id, with the reason.

Rules of this file:
- Only what opens one of our doors: another CA on a hostname of ours whose clients get in, a more specific
  application under a domain of ours that lets in more than certificate holders, and a reusable policy or a group to
  which an application of ours refers, when by it anyone gets in.
- A warning each, with the thing and the door as data: nobody has to read them out of the words.
- Nothing here is changed, it is not ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.doors import door_at
from cf_mtls.access.match import standing
from cf_mtls.access.reach import concrete
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.doors import Reach
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, Kind, host_of, path_of
from cf_mtls.model.rules import member
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cf_mtls.access.match import Standing
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.doors import Door
    from cf_mtls.model.resources import AccessPolicy
    from cf_mtls.model.state import State

OTHER_CA = Code("access.foreign-ca", Severity.WARNING, Fault.ACCOUNT, "clients of a foreign CA get in")
OPENING = Code(
    "access.foreign-opening", Severity.WARNING, Fault.ACCOUNT, "a foreign application opens a path"
)
RULES_ELSEWHERE = Code(
    "access.foreign-rules", Severity.WARNING, Fault.ACCOUNT, "rules kept elsewhere let anyone in"
)


@dataclass(frozen=True, slots=True)
class Weakening:
    """A foreign thing that opens one of our doors."""

    culprit: Address
    domain: str
    """Of ours: where it lets somebody in, or below which it stands."""
    reach: Reach
    """Who gets in because of it."""
    warning: Diagnostic

    @property
    def essence(self) -> str:
        """What it is, without names and ids, which change and change nothing."""
        return f"{self.warning.code.code} {self.domain} {self.reach.name}"


def weakenings(state: State, ours: Collection[Address]) -> Iterator[Weakening]:
    """What weakens the applications at our addresses in a state, by address."""
    below = _below(state, ours)
    for address, app in state.of(AccessApplication):
        for domain in app.domains if address in ours else ():
            door = door_at(state, *_place(domain))
            yield from _foreign_cas(state, ours, address, domain, door)
            yield from _foreign_rules(address, domain, door)
            for place in below.get(domain, ()):
                yield from _opening(state, domain, place)


def _below(state: State, ours: Collection[Address]) -> dict[str, list[Standing]]:
    """For each domain of ours, the foreign applications whose own domain it covers too."""
    found: dict[str, list[Standing]] = {}
    for address, app in state.of(AccessApplication):
        for domain in app.domains if address not in ours else ():
            for above, _, covering in standing(state, *_place(domain)):
                if above in ours and covering != domain:
                    found.setdefault(covering, []).append((address, app, domain))
    return found


def _place(domain: str) -> tuple[str, str]:
    """A host and path that a domain covers."""
    return concrete(host_of(domain)), concrete(path_of(domain)) or "/"


def _foreign_cas(
    state: State, ours: Collection[Address], address: Address, domain: str, door: Door
) -> Iterator[Weakening]:
    for other in sorted(door.certificates - set(ours)):
        ca = state[other]
        if isinstance(ca, CaCertificate):
            detail = (
                f"{address}: clients of {other}, named {ca.name} (id {ca.id}), get in at {domain},"
                " because a valid certificate is one of any CA on the hostname."
            )
            fix = "Take the hostname off that CA, or require a common name of your own clients."
            yield Weakening(other, domain, Reach.HOLDERS, OTHER_CA.found(detail, fix))


def _foreign_rules(address: Address, domain: str, door: Door) -> Iterator[Weakening]:
    policy = door.decided.policy
    if door.reach is not Reach.ANYONE or policy is None or door.decided.application != address:
        return
    for culprit in _kept_elsewhere(policy):
        detail = f"{address}: anyone gets in at {domain}, because {culprit} says so; what it says is not in this file."
        fix = "Mend its rules, or write the policy into the plan file if that is meant."
        yield Weakening(culprit, domain, door.reach, RULES_ELSEWHERE.found(detail, fix))


def _kept_elsewhere(policy: AccessPolicy) -> Iterator[Address]:
    """What a policy leaves to rules that no plan file holds; nothing when it lets everyone in by itself."""
    if policy.reusable:
        yield Address(Kind.POLICY, policy.id or "")
    elif not any(rule.kind == "everyone" for rule in policy.include):
        yield from (
            Address(Kind.GROUP, member(rule, "id")) for rule in policy.include if rule.kind == "group"
        )


def _opening(state: State, domain: str, place: Standing) -> Iterator[Weakening]:
    address, app, other = place
    found = door_at(state, *_place(other))
    if found.reach > Reach.HOLDERS and found.decided.application == address:
        who = "anyone" if found.reach is Reach.ANYONE else "people without a certificate"
        detail = (
            f"{address}, named {app.name} (id {app.id}), stands below {domain} and lets in {who}:"
            " the more specific application decides and inherits nothing."
        )
        warning = OPENING.found(detail, "Give it a certificate rule, or remove it.")
        yield Weakening(address, domain, found.reach, warning)
