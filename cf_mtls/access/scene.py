"""Who gets in while a state changes: the same requests, asked again and again, quickly.

Rules of this file:
- A scene is fixed: its hosts, paths and askers represent both ends and everything between (see `reach`).
- What the requests of one path get depends only on the CAs of its host and the few applications that cover it; the
  answer is remembered under exactly those, so nothing else can stale it.
- Groups are never managed, so they are the same in every state of a scene.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from cf_mtls.access.decide import Request, World, decide_policies, groups_of, world_of
from cf_mtls.access.groups import groups_among
from cf_mtls.access.match import covers, most_specific, standing
from cf_mtls.access.reach import askers_at, paths_at
from cf_mtls.model.resources import AccessApplication, AccessGroup, Address
from cf_mtls.model.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cf_mtls.model.people import Asker
    from cf_mtls.model.resources import Resource

Admitted: TypeAlias = tuple[bool, ...]
"""Whether each asker of a spot gets in."""

Trust: TypeAlias = "frozenset[Address]"
"""The CAs that stand on a host."""


def near(state: State, host: str) -> State:
    """The part of a state that can matter to a host: its CAs, the applications that cover it, all groups."""
    found: dict[Address, Resource] = {a: app for a, app, _ in standing(state, host)}
    found |= {a: state[a] for a in world_of(state, host).trusted}
    return State(found | state.derived("all groups", lambda s: dict(s.of(AccessGroup))))


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """One path of a host, who asks there, and the applications that cover it in some state of the scene."""

    host: str
    path: str
    askers: tuple[Asker, ...]
    applications: tuple[Address, ...]
    seen: dict[tuple[object, ...], Admitted] = field(default_factory=dict)

    def request(self, index: int) -> Request:
        """One of its requests, by its place in `Admitted`."""
        return Request(self.host, self.path, self.askers[index])


class Scene:
    """The requests of some hosts, and what becomes of them in any state between two ends."""

    def __init__(self, ends: Sequence[State], hosts: Iterable[str]) -> None:
        """ends: the states that are known, at least the first and the last. hosts: without wildcards."""
        self.hosts = tuple(sorted(hosts))
        self.spots = {host: _spots(ends, host) for host in self.hosts}
        """By path."""
        self._groups = groups_among(group for state in ends for group in groups_of(state).by_id.values())
        self._of: dict[Address, list[Spot]] = {}
        for spot in (spot for host in self.hosts for spot in self.spots[host]):
            for address in spot.applications:
                self._of.setdefault(address, []).append(spot)

    @property
    def size(self) -> int:
        """How many requests are watched."""
        return sum(len(spot.askers) for spots in self.spots.values() for spot in spots)

    def covered_by(self, address: Address) -> Sequence[Spot]:
        """The spots that an application covers, in some state, by host and path."""
        return self._of.get(address, ())

    def admitted(self, spot: Spot, trust: Trust, here: Sequence[Resource | None]) -> Admitted:
        """Who gets in at a spot. trust: the CAs on its host. here: what its applications' addresses hold."""
        # Resources outlive the scene, so their identity names their content.
        key = (trust, *map(id, here))
        if key not in spot.seen:
            spot.seen[key] = self._ask(spot, trust, zip(spot.applications, here, strict=True))
        return spot.seen[key]

    def _ask(self, spot: Spot, trust: Trust, here: Iterable[tuple[Address, Resource | None]]) -> Admitted:
        places = [
            (address, app, domain)
            for address, app in here
            if isinstance(app, AccessApplication)
            for domain in app.guarded
            if covers(domain, spot.host, spot.path)
        ]
        governing = most_specific(places, spot.path)
        if governing is None or governing.is_public:
            return (True,) * len(spot.askers)
        policies, world = governing.application.policies, World(trust, self._groups)
        return tuple(decide_policies(policies, world, asker)[0].lets_in for asker in spot.askers)


def _spots(ends: Sequence[State], host: str) -> tuple[Spot, ...]:
    return tuple(
        Spot(
            host,
            path,
            askers_at(ends, host, path),
            tuple(sorted({a for state in ends for a, _, _ in standing(state, host, path)})),
        )
        for path in paths_at(ends, host)
    )
