"""No glitch on the way: every request's outcome changes at most once while a plan is applied.

Rules of this file:
- Judged by walking the states between with `access/`, over requests that stand for all (`access/reach`).
- A glitch names the request, the move and what would happen for a moment: shut out, or let in.
- Shut for a moment can be allowed, host by host; let in for a moment never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.access.decide import world_of
from cf_mtls.access.match import Hosts
from cf_mtls.access.reach import concrete, hosts_of
from cf_mtls.access.scene import Scene, near
from cf_mtls.model.resources import AccessApplication, CaCertificate, host_of
from cf_mtls.model.state import State
from cf_mtls.planning.board import Board
from cf_mtls.planning.duplicates import NO_RIVALS
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cf_mtls.access.decide import Request
    from cf_mtls.access.scene import Admitted, Spot
    from cf_mtls.model.plan import Change
    from cf_mtls.planning.duplicates import Rivals
    from cf_mtls.planning.moves import Move


@dataclass(frozen=True, slots=True)
class Glitch:
    """A request that would change its outcome more than once, and the move that does it."""

    request: Request
    move: Move
    lets_in: bool
    """Whether the request would be let in for a moment (never allowed) or shut out for a moment."""


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A glitch, and the place of its spot among those that the move touches."""

    place: int
    glitch: Glitch


def hosts_touched(change: Change, hosts: Hosts) -> frozenset[str]:
    """The hosts among these whose requests a change can affect."""
    match change.before or change.after:
        case CaCertificate():
            sides = (change.before, change.after)
            before, after = (
                set(s.associated_hostnames) if isinstance(s, CaCertificate) else set() for s in sides
            )
            return frozenset(before ^ after)
        case AccessApplication():
            apps = (s for s in (change.before, change.after) if isinstance(s, AccessApplication))
            patterns = {host_of(domain) for app in apps for domain in app.domains}
            return frozenset().union(*map(hosts.covered_by, patterns))
        case _:
            return frozenset()


@dataclass(frozen=True, slots=True)
class Group:
    """Changes that share hosts, with those hosts: they are ordered together, apart from all others."""

    changes: tuple[Change, ...]
    hosts: frozenset[str]


def known_hosts(actual: State, changes: Sequence[Change]) -> Hosts:
    """Every host of the account and of what changes."""
    after = State((c.address, c.after) for c in changes if c.after is not None)
    return Hosts(hosts_of(actual) | hosts_of(after))


def groups(changes: Sequence[Change], actual: State, rivals: Rivals = NO_RIVALS) -> tuple[Group, ...]:
    """The changes in connected sets of hosts, in the order of their first change.

    rivals: CAs of which one must be gone before another can come are ordered together too.
    """
    known = known_hosts(actual, changes)
    touched = [hosts_touched(change, known) for change in changes]
    tied = [
        frozenset((*hosts, change.address, *rivals.get(change.address, ()))) if rivals else hosts
        for change, hosts in zip(changes, touched, strict=True)
    ]
    found: dict[object, list[int]] = {}
    for number, root in enumerate(_roots(tied)):
        found.setdefault(root, []).append(number)
    return tuple(
        Group(tuple(changes[n] for n in numbers), frozenset().union(*(touched[n] for n in numbers)))
        for numbers in found.values()
    )


def _roots(touched: Sequence[frozenset[Any]]) -> list[object]:
    """For each set, what names the connected set that it belongs to."""
    above: dict[object, object] = {}

    def root(item: object) -> object:
        trail = []
        while (up := above.get(item, item)) != item:
            trail.append(item)
            item = up
        above.update(dict.fromkeys(trail, item))
        return item

    for number, hosts in enumerate(touched):
        for host in hosts:
            above[root(host)] = root(number)
    return [root(number) for number in range(len(touched))]


class Watch:
    """The requests of a group's hosts, with what they get in the end, along moves on a board."""

    def __init__(self, group: Group, actual: State, desired: State, may_shut: Collection[str] = ()) -> None:
        """may_shut: hosts that may be shut for a moment."""
        hosts = {concrete(host) for host in group.hosts}
        self.scene = Scene((actual, desired), hosts)
        self.may_shut = frozenset(may_shut)
        close = {address for host in hosts for address in near(actual, host)}
        mine = close | {change.address for change in group.changes}
        self._start = [(address, actual[address]) for address in mine if address in actual]
        self._desired = desired
        self._final: dict[Spot, Admitted] = {}

    def board(self, *, one_ca: bool = False, rivals: Rivals = NO_RIVALS) -> Board:
        """What stands, before any move, where the group's changes can matter; nothing else can be in their way."""
        return Board(self._start, one_ca=one_ca, rivals=rivals)

    def touched(self, move: Move) -> Sequence[Spot]:
        """The spots whose outcomes a move can change, by host and path."""
        if isinstance(move.change.before or move.change.after, CaCertificate):
            return [spot for host in move.hosts for spot in self.scene.spots.get(host, ())]
        return self.scene.covered_by(move.change.address)

    def spoiled(self, board: Board, move: Move, spots: Sequence[Spot], start: int = 0) -> Spoiled | None:
        """The first request with its final outcome that a move would take off it, if any; the move is not made.

        spots: what the move touches. start: the place among them to look at first, and after it all others.
        """
        for place in (*range(start, len(spots)), *range(start)):
            spot = spots[place]
            was, becomes = self._at(spot, board), self._at(spot, board, move)
            if was != becomes:
                for index, (old, new, end) in enumerate(zip(was, becomes, self._end(spot), strict=True)):
                    if old == end != new and not (end and spot.host in self.may_shut):
                        return Spoiled(place, Glitch(spot.request(index), move, lets_in=new))
        return None

    def _at(self, spot: Spot, board: Board, move: Move | None = None) -> Admitted:
        """Who gets in at a spot now, or after a move."""
        trust, here = board.trust(spot.host, move), board.standing(spot.applications, move)
        return self.scene.admitted(spot, trust, here)

    def _end(self, spot: Spot) -> Admitted:
        if spot not in self._final:
            here = [self._desired.get(address) for address in spot.applications]
            trust = world_of(self._desired, spot.host).trusted
            self._final[spot] = self.scene.admitted(spot, trust, here)
        return self._final[spot]

    def glitches(self, sequence: Sequence[Move], board: Board) -> Iterator[Glitch]:
        """Makes every move of a sequence; those that spoil something, each with the first request that it spoils."""
        for move in sequence:
            found = self.spoiled(board, move, self.touched(move))
            if found:
                yield found.glitch
            board.make(move)
