"""What a plan relies on: the part of the account that must be as it was for the plan to be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.scene import near
from cf_mtls.model.resources import AccessApplication, AccessGroup, AccessPolicy, Address, Kind
from cf_mtls.model.rules import member
from cf_mtls.model.state import State
from cf_mtls.planning.guard import hosts_touched, known_hosts
from cf_mtls.planning.ownership import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cf_mtls.model.plan import Change
    from cf_mtls.model.resources import Resource


def relied_on(changes: Iterable[Change], actual: State, stack: str) -> State:
    """The part of the account that a plan depends on: what it changes, ours, and all that touches the same hosts.

    With the reusable policies and the groups that those refer to, and the groups that these refer to.
    """
    listed = tuple(changes)
    hosts = known_hosts(actual, listed)
    touched = {host for change in listed for host in hosts_touched(change, hosts)}
    close = {
        a: r for host in touched for a, r in near(actual, host).items() if not isinstance(r, AccessGroup)
    }
    changed = {change.address for change in listed}
    found = {a: r for a, r in actual.items() if a in close or a in changed or is_ours(r, stack)}
    after = (change.after for change in listed if change.after is not None)
    return State(found | referred((*found.values(), *after), actual))


def referred(resources: Iterable[Resource], actual: State) -> dict[Address, Resource]:
    """The account's policies and groups that resources refer to, by whatever way."""
    found: dict[Address, Resource] = {}
    waiting = list(resources)
    while waiting:
        for address in _references(waiting.pop()):
            if address in actual and address not in found:
                found[address] = actual[address]
                waiting.append(actual[address])
    return found


def _references(resource: Resource) -> Iterator[Address]:
    match resource:
        case AccessApplication():
            for policy in resource.policies:
                yield from _references(policy)
                if policy.reusable:
                    yield Address(Kind.POLICY, policy.id or "")
        case AccessPolicy() | AccessGroup():
            for rule in (*resource.include, *resource.require, *resource.exclude):
                if rule.kind == "group":
                    yield Address(Kind.GROUP, member(rule, "id"))
