"""What Access does with one request in one state, and why.

Rules of this file:
- Bypass and Service Auth policies run first, in their order, then Allow and Block in theirs; the first match
  decides; no match is a refusal.
- include is OR, require is AND, exclude is NOT. *Valid certificate* is any CA associated with the host;
  a common name counts only on a valid certificate and is not bound to one CA.
- What is not about certificates is an *other credential*: the asker has it or not, as the request says.
  Whoever asks "could somebody" tries both.
- A group is decided once for an asker, however many rules lead to it; one that cannot be read, or that is reached
  in a circle, is an other credential.

Source: facts, cloudflare-api 4.4 to 4.6.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from cf_mtls.access.groups import Groups, groups_among
from cf_mtls.access.match import Order, governor
from cf_mtls.model.doors import Decision, Outcome
from cf_mtls.model.people import Asker
from cf_mtls.model.resources import AccessGroup, Address, CaCertificate, Rule
from cf_mtls.model.rules import member, rule_meaning
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from cf_mtls.model.resources import AccessPolicy
    from cf_mtls.model.state import State

    InGroup: TypeAlias = Callable[[str], bool | None]

LOGIN = "login"
"""The other credential that every Allow policy asks for: an identity at a login page."""

SERVICE_TOKENS = frozenset({"service_token", "any_valid_service_token"})


@dataclass(frozen=True, slots=True)
class Request:
    """What is decided about: host in lower case, path without a query, and who asks."""

    host: str
    path: str
    asker: Asker = field(default_factory=Asker)


def decide(state: State, request: Request, order: Order = "path-first") -> Decision:
    """What Access does with a request."""
    return decider(state, request.host, request.path, order)(request.asker)


def decider(state: State, host: str, path: str, order: Order = "path-first") -> Callable[[Asker], Decision]:
    """What Access does at a host and path, as a function of who asks: what they share is looked up once."""
    found = governor(state, host, path, order)
    if found is None:
        return lambda _: Decision(Outcome.OPEN)
    address = found.address
    if found.is_public:
        return lambda _: Decision(Outcome.PUBLIC, address)
    policies, world = found.application.policies, world_of(state, host)

    def ask(asker: Asker) -> Decision:
        outcome, policy = decide_policies(policies, world, asker)
        return Decision(outcome, address, policy)

    return ask


@dataclass(frozen=True, slots=True)
class World:
    """What policies refer to on one host: the CAs associated with it, and the account's groups."""

    trusted: frozenset[Address]
    groups: Groups


def world_of(state: State, host: str) -> World:
    """The world of a host in a state."""
    return World(state.derived("trust", _trust).get(host, frozenset()), groups_of(state))


def groups_of(state: State) -> Groups:
    """The account's groups."""
    return state.derived("groups", lambda s: groups_among(group for _, group in s.of(AccessGroup)))


def _trust(state: State) -> dict[str, frozenset[Address]]:
    """The CAs of each hostname that has any."""
    found: dict[str, set[Address]] = {}
    for address, ca in state.of(CaCertificate):
        for host in ca.associated_hostnames:
            found.setdefault(host, set()).add(address)
    return {host: frozenset(cas) for host, cas in found.items()}


def decide_policies(
    policies: Iterable[AccessPolicy], world: World, asker: Asker
) -> tuple[Outcome, AccessPolicy | None]:
    """What an application's policies, in their order, do with an asker."""
    listed = tuple(policies)
    first = [p for p in listed if p.decision in {"bypass", "non_identity"}]
    then = [p for p in listed if p.decision not in {"bypass", "non_identity"}]
    in_group = _membership(world, asker)
    for policy in first + then:
        if policy.decision == "allow" and LOGIN not in asker.holds:
            return Outcome.LOGIN, policy
        if matches(policy, world, asker, in_group):
            return OUTCOMES.get(policy.decision, Outcome.BLOCKED), policy
    return Outcome.REFUSED, None


OUTCOMES = {"bypass": Outcome.BYPASSED, "non_identity": Outcome.ADMITTED, "allow": Outcome.ADMITTED}


def _membership(world: World, asker: Asker) -> InGroup:
    """Whether an asker is in a group, by its id; None of a group that is not known. Each is decided once."""
    groups, decided = world.groups, dict[str, bool]()

    def in_group(wanted: str) -> bool | None:
        if wanted not in groups.by_id:
            return None
        for group in groups.upwards(wanted, decided.__contains__):
            below = groups.below[group]
            known = {other: decided[other] for other in below}
            decided[group] = matches(groups.by_id[group], world, asker, known.get)
        return decided[wanted]

    return in_group


def matches(rules: AccessPolicy | AccessGroup, world: World, asker: Asker, in_group: InGroup) -> bool:
    """Whether an asker meets a policy's or group's include, require and exclude."""
    return (
        any(selects(rule, world, asker, in_group) for rule in rules.include)
        and all(selects(rule, world, asker, in_group) for rule in rules.require)
        and not any(selects(rule, world, asker, in_group) for rule in rules.exclude)
    )


def selects(rule: Rule, world: World, asker: Asker, in_group: InGroup) -> bool:
    """Whether an asker meets one selector. in_group: None of a group that is not known."""
    match rule.kind:
        case "everyone":
            return True
        case "certificate" if rule.value is not None:  # null asks for nothing: facts 4.4
            return bool(asker.trusted_by & world.trusted)
        case "common_name":
            return (
                bool(asker.trusted_by & world.trusted) and member(rule, "common_name") in asker.common_names
            )
        case "group" if (inside := in_group(member(rule, "id"))) is not None:
            return inside
        case "any_valid_service_token":
            return any(credential_kind(c) in SERVICE_TOKENS for c in asker.holds)
        case _:
            return rule_meaning(rule) in asker.holds


def credential_kind(credential: str) -> str:
    """The selector's name in a credential's canonical form, such as `{"email":…}`."""
    return credential.partition('"')[2].partition('"')[0] or credential
