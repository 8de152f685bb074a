"""Two states become changes.

Rules of this file:
- Compared by meaning (`canon`), never by text; a change always names the attributes that differ.
- Foreign things are equal on both sides by construction (`ownership`), so they never appear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.plan import Action, Change
from cf_mtls.planning.canon import differing, meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.model.state import State


def diff(actual: State, desired: State) -> tuple[Change, ...]:
    """The changes that lead from actual to desired, in the order of their addresses."""
    return tuple(_changes(actual, desired))


def _changes(actual: State, desired: State) -> Iterator[Change]:
    for address in sorted(actual.keys() | desired.keys()):
        before, after = actual.get(address), desired.get(address)
        if before is None and after is not None:
            yield Change(address, Action.CREATE, None, after, tuple(sorted(meaning(after))))
        elif before is not None and after is None:
            yield Change(address, Action.DELETE, before, None, tuple(sorted(meaning(before))))
        elif before is not None and after is not None and (names := differing(before, after)):
            yield Change(address, Action.UPDATE, before, after, names)
