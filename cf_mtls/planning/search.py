"""An order of moves in which none spoils anything, found by trying.

Rules of this file:
- Depth first in the given order, bounded and deterministic: the first move that can be made is made; where none can,
  the last one is taken back.
- A loop, not a recursion: a group may have more moves than Python has frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.planning.board import Board
    from cf_mtls.planning.guard import Watch
    from cf_mtls.planning.moves import Move

BOUND = 4_000
"""How often one search takes a move back, at most."""


def search(watch: Watch, board: Board, moves: Sequence[Move]) -> tuple[Move, ...] | None:
    """These moves in an order in which each is admissible, None when there is none within the bound.

    A move is admissible when the API would take it and no request that already has its final outcome is moved off it.
    """
    trial = _Trial(watch, board, moves)
    start = setbacks = 0
    while trial.left:
        place = trial.admissible(start)
        if place is not None:
            trial.make(place)
            start = 0
        elif not trial.made or setbacks == BOUND:
            return None
        else:
            setbacks += 1
            start = trial.take_back() + 1
    return tuple(moves[number] for number, _ in trial.made)


class _Trial:
    """A search on its way: what is made and what is left, by the numbers of the moves."""

    def __init__(self, watch: Watch, board: Board, moves: Sequence[Move]) -> None:
        self.left = list(range(len(moves)))
        self.made: list[tuple[int, int]] = []
        """Each with the place among the left that it was taken from."""
        self._watch, self._board, self._moves = watch, board, moves
        self._spots = [watch.touched(move) for move in moves]
        self._spoiled_at = [0] * len(moves)
        self._dead: set[int] = set()
        self._set = 0
        """The made ones as bits: what stands depends on which were made, not on their order."""

    def admissible(self, start: int) -> int | None:
        """The first place among the left, from one on, whose move can be made; None when there is none."""
        for place in range(start, len(self.left)):
            number = self.left[place]
            if self._set | 1 << number not in self._dead and self._is_admissible(number):
                return place
        return None

    def _is_admissible(self, number: int) -> bool:
        move = self._moves[number]
        if not self._board.takes(move):
            return False
        # What was in a move's way is looked at first when it is tried again: mostly it still is.
        found = self._watch.spoiled(self._board, move, self._spots[number], self._spoiled_at[number])
        self._spoiled_at[number] = found.place if found else 0
        return found is None

    def make(self, place: int) -> None:
        """Make the move at a place among the left."""
        number = self.left.pop(place)
        self._board.make(self._moves[number])
        self.made.append((number, place))
        self._set |= 1 << number

    def take_back(self) -> int:
        """Take back the last move, which led nowhere; the place among the left that it has again."""
        self._dead.add(self._set)
        number, place = self.made.pop()
        self._board.unmake(self._moves[number])
        self.left.insert(place, number)
        self._set ^= 1 << number
        return place
