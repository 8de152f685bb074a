"""Whose move was it: did the account change since what was applied, or the file?

Rules of this file:
- Only saved plans that were applied are evidence. What the account has as they left it and the file says otherwise is
  the file's move: pending. Everything else is the account's.
- Member by member; but a thing that is to be made or deleted is one or the other whole, and an application of which one
  part is as applied and another as the file says was never written so by anybody's plan: one request writes all of it.
- Pending excuses nobody who gets in by neither the file nor what was applied, and nobody shut out who gets in by both.
  That is decided for every asker and path that the three states can tell apart; what cannot be is not pending.
- What a plan left out because of `--target` is as the plans before it left it; with none before, nobody knows.

Decision: .github/decisions/0014-pending-needs-an-applied-plan.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.access.beyond import beyond_both
from cf_mtls.access.match import covers
from cf_mtls.access.reach import concrete, hosts_of
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.resources import AccessApplication, CaCertificate, HostnameSettings, host_of, hosts_on
from cf_mtls.model.state import State
from cf_mtls.planning.canon import DEFAULTS, differing
from cf_mtls.planning.diff import diff
from cf_mtls.planning.foreign import LETS_THROUGH, is_wild, with_wildcards
from cf_mtls.planning.ownership import homes, is_ours, is_pinned, merge
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cf_mtls.model.plan import Change
    from cf_mtls.model.resources import Address, Resource
    from cf_mtls.planning.ownership import Merged
    from cf_mtls.planning.saved import Saved

MANAGED = frozenset({"name", "destinations", "policies", *LETS_THROUGH})
"""The members of an application that count whether a file says them or not."""


DECIDING = frozenset({"associated_hostnames", "destinations", "policies", *LETS_THROUGH})
"""The members that decide who gets in."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The account as saved plans left it, in the account's addresses and with what is none of theirs as it is now."""

    state: State
    known: frozenset[Address]
    """Where the account has something of which the plans say what it was."""
    unknown: frozenset[Address] = frozenset()
    """What `--target` left out, and no plan before says what it was."""
    said: Mapping[Address, frozenset[str]] | None = None
    """The further members of applications that the applied files declared."""


def as_applied(plans: Sequence[Saved], actual: State) -> Applied | None:
    """What plans of one stack left, the last one last; None without any."""
    found: Applied | None = None
    for plan in plans:
        found = _laid_on(plan, found, actual)
    return found


def _laid_on(plan: Saved, before: Applied | None, actual: State) -> Applied:
    left = State((a, r) for a, r in plan.applied.items() if not isinstance(r, HostnameSettings))
    left = State((a, _unfilled(r, plan.inputs.declared.get(a))) for a, r in left.items())
    merged = merge(left, actual, plan.stack, removed=plan.inputs.removed)
    moved = {home: left[address] for address, home in merged.moved.items()}
    mine = {h for h, r in moved.items() if is_ours(actual[h], plan.stack) or is_pinned(r, actual[h])}
    replaced = {home: resource for home, resource in moved.items() if home not in mine}
    settings = {a: plan.applied.get(a) for s in (actual, plan.applied) for a, _ in s.of(HostnameSettings)}
    state = merged.desired.put_all({**replaced, **settings})
    declared = {merged.moved.get(a, a): r for a, r in plan.inputs.declared.of(AccessApplication)}
    said = {address: frozenset(app.fields) for address, app in declared.items()}
    known, out = frozenset(mine | settings.keys()), frozenset(plan.left_out)
    if before is None:
        return Applied(state.put_all({a: actual.get(a) for a in out}), known - out, out, said)
    kept = {address: before.state.get(address) for address in out}
    return Applied(
        state.put_all(kept),
        (known - out) | (before.known & out),
        before.unknown & out,
        {**(before.said or {}), **said},
    )


def _unfilled(there: Resource, declared: Resource | None) -> Resource:
    """A thing as a plan left it, as a file would declare all of it.

    What was never set has the server's default, and what lets requests through counts only as far as the file said it:
    nobody applied it otherwise.
    """
    if not isinstance(there, AccessApplication):
        return there
    said = declared.fields if isinstance(declared, AccessApplication) else {}
    fields = there.fields.without([name for name in LETS_THROUGH if name not in said])
    public = tuple(d for d in there.destinations if d.get("type") == "public")
    return replace(there, destinations=public, fields=freeze_object(dict(DEFAULTS)).merged(fields))


def pending(
    applied: Applied, merged: Merged, actual: State, changes: Sequence[Change], stack: str
) -> Mapping[Address, frozenset[str]]:
    """The attributes of these changes that only the file moved, by address.

    merged: what the file says now. changes: from the account to that.
    """
    gone = State((a, r) for a, r in applied.state.items() if a not in actual)
    found = {change.address: _unmoved(change, applied, merged, gone, stack) for change in changes}
    waiting = [change for change in changes if found[change.address]]
    for address in _beyond(waiting, applied, actual, merged.desired):
        is_update = address in actual and address in merged.desired
        found[address] = found[address] - DECIDING if is_update else frozenset()
    return {address: names for address, names in found.items() if names}


def _unmoved(change: Change, applied: Applied, merged: Merged, gone: State, stack: str) -> frozenset[str]:
    """The attributes of a change at which the account is as it was left."""
    address, nothing, everything = change.address, frozenset[str](), frozenset(change.attributes)
    there, then = change.before, applied.state.get(address)
    if address in applied.unknown:
        return nothing
    if there is None:
        was_there = then is not None or homes(_alone(change), gone, stack)
        return nothing if was_there else everything
    if isinstance(there, HostnameSettings):
        then = then or HostnameSettings(there.hostname)  # both false equals absent: facts 2
    if address not in applied.known or then is None:
        return nothing
    moved = frozenset(differing(there, then))
    if change.after is None:
        return nothing if moved else everything
    if isinstance(there, AccessApplication) and moved & _counted(address, applied, merged) - everything:
        return nothing
    return everything - moved


def _alone(change: Change) -> State:
    return State({change.address: change.after} if change.after is not None else {})


def _counted(address: Address, applied: Applied, merged: Merged) -> frozenset[str]:
    """The members of an application that the file declares or the applied one did."""
    now = merged.ours.get(address)
    declared = frozenset(now.fields) if isinstance(now, AccessApplication) else frozenset[str]()
    return MANAGED | declared | (applied.said or {}).get(address, frozenset())


# Beyond both


def _beyond(waiting: Sequence[Change], applied: Applied, actual: State, desired: State) -> Iterator[Address]:
    """The addresses of changes at whose URLs somebody is treated as neither the file nor what was applied says."""
    states = (applied.state, actual, desired)
    since = diff(applied.state, actual)
    unknown = [state[a] for a in applied.unknown for state in states if a in state]
    hosts = frozenset[str]().union(*map(hosts_of, states)) if since or unknown else frozenset[str]()
    for host in sorted(hosts):
        here = [change for change in waiting if _is_at(change, host)]
        if here and any(_covers(pattern, host) for resource in unknown for pattern in hosts_on(resource)):
            yield from (change.address for change in here)
        elif here and any(_is_at(change, host) for change in since):
            bad = _paths(applied.state, actual, desired, host)
            for change in here:
                if bad is None or any(_is_at(change, host, path) for path in bad):
                    yield change.address


def _paths(applied: State, actual: State, desired: State, host: str) -> frozenset[str] | None:
    """Where on a host that is so, None when it cannot be told: whether Access honours a CA's wildcard or not."""
    found = beyond_both(applied, actual, desired, host)
    if found is None or not any(map(_wild, (applied, actual, desired))):
        return found
    one, there, other = (with_wildcards(s, host, _wild(s)) for s in (applied, actual, desired))
    more = beyond_both(one, there, other, host)
    return None if more is None else found | more


def _wild(state: State) -> list[tuple[Address, CaCertificate]]:
    return [(address, ca) for address, ca in state.of(CaCertificate) if is_wild(ca)]


def _is_at(change: Change, host: str, path: str | None = None) -> bool:
    """Whether a change can matter at a host, or at one path of it."""
    sides = [side for side in (change.before, change.after) if side is not None]
    if isinstance(sides[0], CaCertificate):
        before, after = (
            hosts_on(side) if side else frozenset[str]() for side in (change.before, change.after)
        )
        return any(_covers(pattern, host) for pattern in before ^ after)
    domains = (d for side in sides if isinstance(side, AccessApplication) for d in side.domains)
    return any(_covers(host_of(d), host) if path is None else covers(d, host, path) for d in domains)


def _covers(pattern: str, host: str) -> bool:
    return concrete(pattern) == host or covers(pattern, host, "/")


# Hints


def as_before_applied(plans: Sequence[Saved], actual: State) -> frozenset[Address]:
    """What plans changed and the account has as it was before: an apply that was cut leaves that, and so does somebody
    who undoes it, so it excuses nothing.
    """
    changes = (change for plan in plans for change in plan.changes)
    return frozenset(c.address for c in changes if _is_same(c.before, actual.get(c.address)))


def _is_same(before: Resource | None, there: Resource | None) -> bool:
    if before is None or there is None:
        return before is there
    return not differing(before, there)


def as_declared_before(
    stack: str, before: State, actual: State, changes: Sequence[Change]
) -> frozenset[Address]:
    """The addresses of these changes at which the account is as the file said before: a hint and no evidence.

    before: what the file declared before its last commit.
    """
    moved = {change.address for change in diff(actual, merge(before, actual, stack).desired)}
    return frozenset(change.address for change in changes) - moved
