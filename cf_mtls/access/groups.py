"""Groups that refer to groups: in which order each can be decided once, and where they refer to each other in a circle.

Rules of this file:
- What a circle of groups means is not documented. A reference that closes one counts as *unknown*, as a group that
  cannot be read does: somebody may meet it. No circle is followed, whoever made it.
- Everything here takes as many steps as there are groups and references, and none calls itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.rules import member
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cf_mtls.model.resources import AccessGroup


@dataclass(frozen=True, slots=True)
class Groups:
    """An account's groups, and which of them each refers to."""

    by_id: Mapping[str, AccessGroup]
    below: Mapping[str, frozenset[str]]
    """By id: the known groups that its rules refer to, without those that refer back to it."""

    def upwards(self, start: str, is_done: Callable[[str], bool]) -> Iterator[str]:
        """A known group and those below it, each behind all that it refers to; what is done already is left out.

        is_done: asked again after each one that is given.
        """
        waiting = [start]
        while waiting:
            left = [] if is_done(waiting[-1]) else [g for g in self.below[waiting[-1]] if not is_done(g)]
            if left:
                waiting += sorted(left, reverse=True)
            elif not is_done(group := waiting.pop()):
                yield group


def groups_among(groups: Iterable[AccessGroup]) -> Groups:
    """The groups, with the references that close a circle left out."""
    by_id = {group.id: group for group in groups}
    known = {id_: sorted(_referred(group) & by_id.keys()) for id_, group in by_id.items()}
    circle = _circles(known)
    return Groups(
        by_id,
        {id_: frozenset(g for g in found if circle[g] != circle[id_]) for id_, found in known.items()},
    )


def _referred(group: AccessGroup) -> set[str]:
    parts = (group.include, group.require, group.exclude)
    return {member(rule, "id") for part in parts for rule in part if rule.kind == "group"}


def _circles(known: Mapping[str, list[str]]) -> dict[str, int]:
    """For each group the number of its circle: two have the same one when each leads to the other.

    Source: R. Tarjan, Depth-first search and linear graph algorithms (1972), without recursion.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    circle: dict[str, int] = {}
    path: list[str] = []
    for start in known:
        steps = [] if start in order else [(start, iter(known[start]))]
        while steps:
            group, following = steps[-1]
            if group not in order:
                order[group] = lowest[group] = len(order)
                path.append(group)
            for other in following:
                if other not in order:
                    steps.append((other, iter(known[other])))
                    break
                if other not in circle:
                    lowest[group] = min(lowest[group], lowest[other])
            else:
                steps.pop()
                if steps:
                    above = steps[-1][0]
                    lowest[above] = min(lowest[above], lowest[group])
                if lowest[group] == order[group]:
                    _close(circle, path, group)
    return circle


def _close(circle: dict[str, int], path: list[str], group: str) -> None:
    number = len(circle)
    while group not in circle:
        circle[path.pop()] = number
