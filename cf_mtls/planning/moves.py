"""Changes as moves: the small steps of which every order is made, and what each makes of a state.

Rules of this file:
- A CA is uploaded bare, then given hostnames, then relieved of them, then deleted; an application changes whole.
- A move knows the hosts whose requests it can change; the API's own rules say when it is possible.
- Moves become steps only here, so that each step carries the value its resource has after it.

Source: facts, cloudflare-api 1.8 (an associated CA cannot be deleted), 3.5 (a domain is unique).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, HostnameSettings
from cf_mtls.model.rules import demands_certificate
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cf_mtls.model.plan import Change, Condition
    from cf_mtls.model.resources import Resource

Resources: TypeAlias = "dict[Address, Resource]"

NO_GROUPS: Mapping[Address, int] = {}


@dataclass(frozen=True, slots=True)
class Move:
    """One thing to do. hosts: the hostnames to add (widen, upload) or to take (narrow) of a CA."""

    phase: Phase
    change: Change
    hosts: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[Phase, Address, tuple[str, ...]]:
        """The sort key: phase, then address."""
        return (self.phase, self.change.address, self.hosts)


def moves(change: Change) -> Iterator[Move]:
    """The moves of a change, hostnames of a CA together, in the order in which they can be made."""
    match change.before, change.after:
        case (None, CaCertificate() as ca):
            yield Move(Phase.UPLOAD, change)
            if ca.associated_hostnames:
                yield Move(Phase.WIDEN, change, ca.associated_hostnames)
        case (CaCertificate() as old, CaCertificate() as ca):
            before, after = set(old.associated_hostnames), set(ca.associated_hostnames)
            if after - before or old.name != ca.name:
                yield Move(Phase.WIDEN, change, tuple(sorted(after - before)))
            if before - after:
                yield Move(Phase.NARROW, change, tuple(sorted(before - after)))
        case (CaCertificate() as old, None):
            if old.associated_hostnames:
                yield Move(Phase.NARROW, change, old.associated_hostnames)
            yield Move(Phase.DELETE, change)
        case (HostnameSettings() | None, HostnameSettings() | None):
            yield Move(Phase.SETTINGS, change)
        case _:
            yield Move(_application_phase(change), change)


def merged(change: Change) -> Iterator[Move]:
    """As `moves`, except that a new CA goes up together with its hostnames: one call less."""
    if change.before is None and isinstance(change.after, CaCertificate):
        yield Move(Phase.UPLOAD, change, change.after.associated_hostnames)
    else:
        yield from moves(change)


def split(move: Move) -> Iterator[Move]:
    """The move one hostname at a time."""
    if move.phase in {Phase.WIDEN, Phase.NARROW} and len(move.hosts) > 1:
        yield from (replace(move, hosts=(host,)) for host in move.hosts)
    else:
        yield move


def _application_phase(change: Change) -> Phase:
    """Loosening or removing comes after everything that widens trust; all else before."""
    stops = _demands(change.before) and not _demands(change.after)
    return Phase.RELEASE if stops or change.after is None else Phase.DEMAND


def _demands(resource: Resource | None) -> bool:
    return isinstance(resource, AccessApplication) and demands_certificate(resource)


def value_after(state: Mapping[Address, Resource], move: Move) -> Resource | None:
    """What stands at the move's address after it."""
    change = move.change
    if not isinstance(change.after, CaCertificate) and not isinstance(change.before, CaCertificate):
        return change.after
    there = state.get(change.address)
    hosts = set(there.associated_hostnames) if isinstance(there, CaCertificate) else set()
    base = change.after if isinstance(change.after, CaCertificate) else change.before
    if move.phase is Phase.DELETE or not isinstance(base, CaCertificate):
        return None
    hosts = hosts - set(move.hosts) if move.phase is Phase.NARROW else hosts | set(move.hosts)
    return replace(base, associated_hostnames=tuple(sorted(hosts)))


def steps(
    start: Mapping[Address, Resource], sequence: Sequence[Move], group_of: Mapping[Address, int] = NO_GROUPS
) -> tuple[Step, ...]:
    """A sequence of moves as steps, with values, waits and the number of the group that each belongs to."""
    state: Resources = dict(start)
    made = []
    for move in sequence:
        address, value = move.change.address, value_after(state, move)
        if value is None:
            state.pop(address, None)
        else:
            state[address] = value
        wait, group = _wait(move, state), group_of.get(address, 0)
        made.append(Step(move.phase, address, state.get(address), address, wait, group))
    return tuple(made)


def _wait(move: Move, state: Mapping[Address, Resource]) -> Condition | None:
    there = state.get(move.change.address)
    if move.phase is Phase.SETTINGS:
        return "settled"
    bare = isinstance(there, CaCertificate) and not there.associated_hostnames
    return "detached" if move.phase is Phase.NARROW and bare else None


def in_key_order(found: Iterable[Move]) -> tuple[Move, ...]:
    """Moves by phase, then by address."""
    return tuple(sorted(found, key=lambda move: move.key))
