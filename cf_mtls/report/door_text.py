"""Doors for a person: who gets in at a URL, before and after.

Rules of this file:
- The words of the lattice are fixed: nobody, certificate holders, other credentials too, anyone.
- CAs are told by name, foreign ones as such; credentials as the policy writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.access.doors import door_at
from cf_mtls.model.doors import Reach
from cf_mtls.model.marks import shown, stack_of
from cf_mtls.model.resources import CaCertificate
from cf_mtls.planning.foreign import is_wild, with_wildcards
from cf_mtls.report.terminal import harmless

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cf_mtls.model.doors import Door, Doorway
    from cf_mtls.model.state import State
    from cf_mtls.report.terminal import Paint

WORDS = {
    Reach.NOBODY: "nobody",
    Reach.HOLDERS: "certificate holders",
    Reach.OTHERS: "other credentials too",
    Reach.ANYONE: "anyone",
}


def door_words(door: Door, state: State, pinned: Collection[str] = ()) -> str:
    """Who gets in, in one line. pinned: ids of what is ours without a mark.

    Whether a CA counts that has the hostname by a wildcard is not known (facts 1.7): where it matters, both are said.
    """
    words = _words(door, state, pinned)
    wider = with_wildcards(state, door.host, [(a, ca) for a, ca in state.of(CaCertificate) if is_wild(ca)])
    if wider is state:
        return words
    other = _words(door_at(wider, door.host, door.path), wider, pinned)
    return words if other == words else f"{words}; if the wildcard of a CA counts, {other}"


def _words(door: Door, state: State, pinned: Collection[str]) -> str:
    match door.reach:
        case Reach.HOLDERS:
            return f"{WORDS[door.reach]}: {_holders(door, state, pinned)}"
        case Reach.OTHERS:
            others = ", ".join(_credential(c) for c in sorted(door.credentials))
            return f"{WORDS[door.reach]}: {others}"
        case _:
            return WORDS[door.reach]


def _holders(door: Door, state: State, pinned: Collection[str]) -> str:
    names = [ca_words(state, address, pinned) for address in sorted(door.certificates)]
    named = "" if door.common_names is None else f" named {', '.join(sorted(door.common_names))}"
    return f"of {', '.join(names)}{named}" + (", after a login" if door.needs_login else "")


def ca_words(state: State, address: Any, pinned: Collection[str] = ()) -> str:
    """A CA by its name, and whether it is foreign: without a mark, and not pinned by the file."""
    ca = state.get(address)
    if not isinstance(ca, CaCertificate):
        return str(address)
    return shown(ca.name) if stack_of(ca.name) or ca.id in pinned else f"{ca.name} (foreign)"


def _credential(canonical: str) -> str:
    """`{"email":{"email":"a@x"}}` as people write it."""
    return "a login" if canonical == "login" else canonical.strip("{}").replace('"', "").replace(":{", " ")


def door_table(
    ways: Sequence[Doorway], before: State, after: State, paint: Paint, pinned: Collection[str] = ()
) -> str:
    """Every URL that a change can affect, before and after; '' when there is none. pinned: as of `door_words`."""
    lines = []
    for way in ways:
        old, new = door_words(way.before, before, pinned), door_words(way.after, after, pinned)
        lines.append(f"  {harmless(way.url)}")
        if way.is_same:
            lines.append(paint.dim(f"    {harmless(new)} (unchanged)"))
            continue
        colour = paint.red if way.is_weaker else paint.green
        lines.append(f"    {harmless(old)} → {colour(harmless(new))}")
    return "\n".join([paint.bold("Who gets in"), *lines]) if lines else ""
