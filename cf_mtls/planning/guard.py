"""No glitch on the way: every request's outcome changes at most once while a plan is applied.

Rules of this file:
- Judged by walking the states between with `access/`, over requests that stand for all (`access/reach`).
- A glitch names the request, the move and what would happen for a moment: shut out, or let in.
- Shut for a moment can be allowed, host by host; let in for a moment never.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cf_mtls.access.match import covers
from cf_mtls.access.reach import concrete, hosts_of
from cf_mtls.access.scene import Scene, near
from cf_mtls.model.resources import AccessApplication, CaCertificate, host_of
from cf_mtls.model.state import State
from cf_mtls.planning.moves import Move, put

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cf_mtls.access.decide import Request
    from cf_mtls.model.plan import Change
    from cf_mtls.planning.moves import Resources


@dataclass(frozen=True, slots=True)
class Glitch:
    """A request that would change its outcome more than once, and the move that does it."""

    request: Request
    move: Move
    lets_in: bool
    """Whether the request would be let in for a moment (never allowed) or shut out for a moment."""


def hosts_touched(change: Change, hosts: Collection[str]) -> frozenset[str]:
    """The hosts among these whose requests a change can affect."""
    match change.before or change.after:
        case CaCertificate():
            sides = (change.before, change.after)
            before, after = (
                set(s.associated_hostnames) if isinstance(s, CaCertificate) else set() for s in sides
            )
            return frozenset(before ^ after)
        case AccessApplication():
            domains = {
                host_of(d)
                for s in (change.before, change.after)
                if isinstance(s, AccessApplication)
                for d in s.domains
            }
            plain = frozenset(domain for domain in domains if "*" not in domain)
            wild = domains - plain
            return plain.intersection(hosts) | {
                h for h in hosts if any(covers(domain, h, "/") for domain in wild)
            }
        case _:
            return frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """Changes that share hosts, with those hosts: they are ordered together, apart from all others."""

    changes: tuple[Change, ...]
    hosts: frozenset[str]


def known_hosts(actual: State, changes: Sequence[Change]) -> frozenset[str]:
    """Every host of the account and of what changes."""
    after = State((c.address, c.after) for c in changes if c.after is not None)
    return hosts_of(actual) | hosts_of(after)


def groups(changes: Sequence[Change], actual: State, desired: State) -> tuple[Group, ...]:
    """The changes in connected sets of hosts, in the order of their first change."""
    known = hosts_of(actual) | hosts_of(desired)
    found: list[Group] = []
    for change in changes:
        hosts = hosts_touched(change, known)
        joined = [g for g in found if g.hosts & hosts]
        found = [g for g in found if not g.hosts & hosts]
        found.append(
            Group(
                (*(c for g in joined for c in g.changes), change),
                hosts.union(*(g.hosts for g in joined)),
            )
        )
    return tuple(found)


class Watch:
    """The requests of a group's hosts, with what they get now and in the end."""

    def __init__(self, group: Group, actual: State, desired: State, may_shut: Collection[str] = ()) -> None:
        """may_shut: hosts that may be shut for a moment."""
        self.scene = Scene((actual, desired), {concrete(host) for host in group.hosts})
        self.may_shut = frozenset(may_shut)
        close = {address for host in group.hosts for address in near(actual, concrete(host))}
        mine = close | {change.address for change in group.changes}
        self.start: Resources = {a: actual[a] for a in mine if a in actual}
        """What stands where the group's changes can matter; nothing else can be in their way."""
        self.final = {host: self.scene.admitted(desired, host) for host in self.scene.hosts}
        self._known = self.scene.hosts

    def touched(self, move: Move) -> tuple[str, ...]:
        """The hosts whose outcomes a move can change."""
        if isinstance(move.change.before or move.change.after, CaCertificate):
            return tuple(host for host in move.hosts if host in self.final)
        return tuple(sorted(hosts_touched(move.change, self._known)))

    def spoiled(self, before: Resources, after: Resources, move: Move) -> Glitch | None:
        """The first request with its final outcome that a move takes off it, if any."""
        for host in self.touched(move):
            was, becomes, final = (
                self.scene.admitted(before, host),
                self.scene.admitted(after, host),
                self.final[host],
            )
            for index, (old, new, end) in enumerate(zip(was, becomes, final, strict=True)):
                if old == end != new and not (end and host in self.may_shut):
                    return Glitch(self.scene.request(host, index), move, lets_in=new)
        return None

    def glitches(self, sequence: Sequence[Move]) -> Iterator[Glitch]:
        """Every move of a sequence that spoils something, with the first request that it spoils."""
        state = self.start
        for move in sequence:
            after = put(state, move)
            found = self.spoiled(state, after, move)
            if found:
                yield found
            state = after
