"""Who gets in by a state between two others and by neither of them, or is shut out of it though both let him in.

Rules of this file:
- Decided for every asker and path that the three states can tell apart, and in both orders in which applications may be
  the more specific; what is too much to try is not decided, and that is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.decide import decider
from cf_mtls.access.reach import all_paths_at, everybody_at

if TYPE_CHECKING:
    from cf_mtls.access.match import Order
    from cf_mtls.model.state import State

ORDERS: tuple[Order, ...] = ("path-first", "host-first")


def beyond_both(one: State, between: State, other: State, host: str) -> frozenset[str] | None:
    """The paths of a host at which the state between agrees with neither of the two; None when it cannot be decided.

    host: lower case, without stars.
    """
    paths = all_paths_at((one, between, other), host)
    if paths is None:
        return None
    return frozenset(path for path in paths if not _agrees(one, between, other, host, path))


def _agrees(one: State, between: State, other: State, host: str, path: str) -> bool:
    """Whether everybody gets at a path what one of the two says; not when that is too much to try."""
    states = (one, between, other)
    askers = everybody_at(states, host, path)
    if askers is None:
        return False
    for order in ORDERS:
        first, here, last = (decider(state, host, path, order) for state in states)
        for asker in askers:
            inside = here(asker).outcome.lets_in
            if inside not in {first(asker).outcome.lets_in, last(asker).outcome.lets_in}:
                return False
    return True
