"""Changes become steps: by a sort key, and where the key would glitch, by a search.

Rules of this file:
- Each connected set of hosts is ordered by itself, by the first of these that keeps the promise:
  the key with new CAs going up together with their hostnames; the key with hostnames given afterwards;
  a search over whole moves; a search over moves of one hostname at a time.
- A search is depth first in key order, bounded, and deterministic. A move is admissible when the API would take it
  and no request that already has its final outcome is moved off it.
- Where nothing keeps it, the glitch is named and the plan refuses; nothing is applied in a worse order silently.

Source: the promise is design 1.2; the phases are design 7.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.model.plan import Phase
from cf_mtls.model.resources import CaCertificate
from cf_mtls.planning.duplicates import NO_RIVALS
from cf_mtls.planning.guard import Glitch, Watch, groups
from cf_mtls.planning.moves import in_key_order, merged, moves, split, steps
from cf_mtls.planning.search import search
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from cf_mtls.model.plan import Change, Step
    from cf_mtls.model.state import State
    from cf_mtls.planning.board import Board
    from cf_mtls.planning.duplicates import Rivals
    from cf_mtls.planning.guard import Group
    from cf_mtls.planning.moves import Move


@dataclass(frozen=True, slots=True)
class Ordered:
    """The steps, what kept the promise for how many groups, and what could not be kept."""

    steps: tuple[Step, ...]
    requests: int
    """How many representative requests were watched."""
    by_key: int
    by_search: int
    glitches: tuple[Glitch, ...]
    shut: tuple[str, ...] = ()
    """Hosts on which a request that has its final outcome is refused for a moment, because that was allowed."""


def order(
    changes: Sequence[Change],
    actual: State,
    desired: State,
    may_shut: Collection[str] = (),
    *,
    one_ca: bool = False,
    rivals: Rivals = NO_RIVALS,
) -> Ordered:
    """The steps of all changes.

    may_shut: hosts that may be shut for a moment. one_ca: whether a hostname may stand on one CA only.
    rivals: for a CA that is to be uploaded, those beside which the account refuses it.
    """
    found = [
        _Group(group, actual, desired, may_shut, one_ca=one_ca, rivals=rivals)
        for group in groups(changes, actual, rivals)
    ]
    for group in found:
        group.solve()
    group_of = {c.address: number for number, group in enumerate(found) for c in group.group.changes}
    return Ordered(
        steps(actual, tuple(_woven(found)), group_of),
        sum(group.watch.scene.size for group in found),
        sum(not group.searched and not group.glitches for group in found),
        sum(group.searched for group in found),
        tuple(glitch for group in found for glitch in group.glitches),
        tuple(sorted({host for group in found for host in group.shut})),
    )


def _woven(found: Sequence[_Group]) -> Iterator[Move]:
    """One sequence of all groups: those in key order by the key together, then each searched one by itself."""
    keyed = [move for group in found if not group.searched for move in group.sequence]
    early = {Phase.UPLOAD, Phase.SETTINGS}
    rest = [move for group in found if group.searched and not group.has_gap for move in group.sequence]
    whole = [move for group in found if group.has_gap for move in group.sequence]
    yield from in_key_order(
        [
            *(m for m in keyed if m.phase <= Phase.SETTINGS),
            *(m for m in rest if m.phase in early),
            *(m for m in whole if m.phase is Phase.SETTINGS),
        ]
    )
    yield from in_key_order(m for m in keyed if Phase.SETTINGS < m.phase < Phase.DELETE)
    yield from (m for m in rest if m.phase not in early and m.phase is not Phase.DELETE)
    yield from (m for m in whole if m.phase is not Phase.SETTINGS)
    yield from in_key_order(m for m in (*keyed, *rest) if m.phase is Phase.DELETE)


class _Group:
    def __init__(
        self,
        group: Group,
        actual: State,
        desired: State,
        may_shut: Collection[str],
        *,
        one_ca: bool,
        rivals: Rivals,
    ) -> None:
        self.group, self.one_ca, self.rivals = group, one_ca, rivals
        self.watch = Watch(group, actual, desired, may_shut)
        self._strict = Watch(group, actual, desired) if self.watch.may_shut & group.hosts else None
        self.sequence: tuple[Move, ...] = ()
        self.searched = False
        self.glitches: tuple[Glitch, ...] = ()

    @property
    def has_gap(self) -> bool:
        """Whether a CA must be gone before another can come: then nothing of its order may be moved."""
        return self.searched and any(change.address in self.rivals for change in self.group.changes)

    def solve(self) -> None:
        """Choose the sequence."""
        for make in (merged, moves):
            self.sequence = self._all(make)
            if self._keeps(self.sequence):
                return
        self.glitches = tuple(self._glitches(self.sequence)) or tuple(self._impossible())
        for found in (self.sequence, tuple(m for move in self.sequence for m in split(move))):
            solution = search(self.watch, self._board(), in_key_order(found))
            if solution:
                self.sequence, self.searched, self.glitches = joined(solution), True, ()
                return

    @property
    def shut(self) -> frozenset[str]:
        """The hosts that the chosen sequence shuts for a moment, of those that it may."""
        if self._strict is None:
            return frozenset()
        board = self._strict.board(one_ca=self.one_ca)
        return frozenset(found.request.host for found in self._strict.glitches(self.sequence, board))

    def _all(self, make: Callable[[Change], Iterable[Move]]) -> tuple[Move, ...]:
        return in_key_order(move for change in self.group.changes for move in make(change))

    def _keeps(self, sequence: Sequence[Move]) -> bool:
        return self._refused(sequence) is None and next(self._glitches(sequence), None) is None

    def _glitches(self, sequence: Sequence[Move]) -> Iterator[Glitch]:
        return self.watch.glitches(sequence, self._board())

    def _board(self) -> Board:
        return self.watch.board(one_ca=self.one_ca, rivals=self.rivals)

    def _refused(self, sequence: Sequence[Move]) -> Move | None:
        """The first move of a sequence that the API would not take."""
        board = self._board()
        for move in sequence:
            if not board.takes(move):
                return move
            board.make(move)
        return None

    def _impossible(self) -> Iterator[Glitch]:
        """The first move that the API would not take, as a glitch of the first request of each of its hosts."""
        move = self._refused(self.sequence)
        if move is None:
            return
        after = move.change.after
        hosts = after.associated_hostnames if isinstance(after, CaCertificate) else ()
        spots = self.watch.touched(replace(move, hosts=move.hosts or hosts))
        first = {spot.host: spot for spot in reversed(spots)}
        yield from (
            Glitch(first[host].request(0), replace(move, hosts=(host,)), lets_in=False)
            for host in sorted(first)
        )


def joined(sequence: Sequence[Move]) -> tuple[Move, ...]:
    """Neighbouring moves of one CA in one direction as one move: a call less, and nothing between them."""
    made: list[Move] = []
    for move in sequence:
        last = made[-1] if made else None
        if last and (last.phase, last.change) == (move.phase, move.change) and last.hosts and move.hosts:
            made[-1] = replace(last, hosts=tuple(sorted({*last.hosts, *move.hosts})))
        else:
            made.append(move)
    return tuple(made)
