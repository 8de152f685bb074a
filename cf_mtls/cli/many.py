"""What verbs that take many files share: done side by side, a verdict line each, one exit code.

Rules of this file:
- A file that fails, even by a bug of ours, is a `Failure` in its own place; it hides no other.
- The worst code wins, by the order that the verb says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from cf_mtls.cli import console
from cf_mtls.diagnostics import Exit, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

AT_ONCE = 4
"""Files side by side."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def side_by_side(items: Sequence[Item], work: Callable[[Item], Made]) -> list[Made | Failure]:
    """What the work made of each item, or why it could not, in their order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda item: attempted(work, item), items))


def attempted(work: Callable[[Item], Made], item: Item) -> Made | Failure:
    """What the work made of one item, or why it could not."""
    try:
        return work(item)
    except Failure as failure:
        return failure
    except Exception as error:  # noqa: BLE001 - one broken file hides no other
        return Failure([console.bug(error)])


def declared_twice(paths: Sequence[Path]) -> dict[Path, Failure]:
    """The refusal of each file of one call whose stack another of them declares too, in one account or zone."""
    from cf_mtls.declare import fleet

    scope = console.environment("CLOUDFLARE_ACCOUNT_ID") or console.environment("CLOUDFLARE_ZONE_ID") or ""
    named = [(path, fleet.stack_name(path), fleet.scope_id(path) or scope) for path in paths]
    return {path: Failure([found]) for path, found in fleet.twice(named).items()}


def worst(codes: Iterable[Exit], order: Sequence[Exit]) -> Exit:
    """The first code of the order that is among these; an error for a code that it does not name."""
    found = set(codes)
    return next((code for code in order if code in found), Exit.OK if not found else Exit.ERROR)
