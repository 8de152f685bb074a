"""The search for an order: finds one where there is one, keeps what it must, ends where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from random import Random
from typing import Any

from cf_mtls.planning import search as searching
from cf_mtls.planning.search import search


@dataclass
class Rules:
    """A board and a watch of pure rules: which moves must be made before one can be, and which must not be."""

    before: dict[str, set[str]]
    never_after: dict[str, set[str]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    looks: int = 0

    def takes(self, move: str) -> bool:
        return self.before.get(move, set()) <= set(self.made)

    def make(self, move: str) -> None:
        assert move not in self.made
        self.made.append(move)

    def unmake(self, move: str) -> None:
        assert self.made.pop() == move

    def touched(self, move: str) -> Sequence[str]:
        return (move,)

    def spoiled(self, board: Rules, move: str, spots: Sequence[str], start: int = 0) -> Any:
        self.looks += 1
        return Spoiled() if self.never_after.get(move, set()) & set(self.made) else None


@dataclass
class Spoiled:
    place: int = 0


def found(rules: Rules, moves: Sequence[str]) -> tuple[Any, ...] | None:
    return search(rules, rules, moves)  # type: ignore[arg-type]  # the rules are board and watch alike


def keeps(rules: Rules, order: Sequence[str]) -> bool:
    fresh = Rules(rules.before, rules.never_after)
    for move in order:
        if not fresh.takes(move) or fresh.spoiled(fresh, move, ()):
            return False
        fresh.make(move)
    return True


def test_an_order_is_found_exactly_where_there_is_one() -> None:
    """Against trying every order of five moves, 300 random sets of rules: the same verdict, and a right order."""
    orders = 0
    for seed in range(300):
        random = Random(seed)
        moves = "abcde"

        def some(random: Random = random, moves: str = moves) -> dict[str, set[str]]:
            return {m: {o for o in moves if o != m and random.random() < 0.12} for m in moves}

        rules = Rules(some(), some())
        order = found(rules, moves)
        exists = any(keeps(rules, tried) for tried in permutations(moves))
        assert (order is not None) is exists, f"seed {seed}"
        if order is not None:
            orders += 1
            assert sorted(order) == sorted(moves)
            assert keeps(rules, order), f"seed {seed}"
    assert 50 < orders < 250


def test_the_given_order_is_kept_where_it_can_be() -> None:
    """Depth first: nothing is moved about without need, and a move that was in the way comes as soon as it can."""
    assert found(Rules({}), "abc") == ("a", "b", "c")
    assert found(Rules({"a": {"b"}}), "abc") == ("b", "a", "c")
    assert found(Rules({}, {"b": {"a"}}), "abc") == ("b", "a", "c")


def test_what_led_nowhere_is_not_tried_again() -> None:
    """Eight moves of which the last can never be made: every set of moves is looked at once, not every order."""
    rules = Rules({"h": {"never"}})
    assert found(rules, "abcdefgh") is None
    assert rules.looks <= 8 * 2**7


def test_a_search_ends_at_its_bound() -> None:
    """Thirty moves of which the last can never be made: given up, not searched for hours."""
    moves = [chr(n) for n in range(200, 230)]
    rules = Rules({moves[-1]: {"never"}})
    assert found(rules, moves) is None
    assert rules.looks < searching.BOUND * len(moves)
