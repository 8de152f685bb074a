"""Who gets in while a state changes: the same requests, asked again and again, quickly.

Rules of this file:
- A scene is fixed: its hosts, paths and askers represent both ends and everything between (see `reach`).
- What a host's requests get depends only on the few resources that touch the host; the answer is remembered
  under exactly those, so nothing else can stale it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cf_mtls.access.decide import Request, World, decide_policies, world_of
from cf_mtls.access.match import covers, governor
from cf_mtls.access.reach import askers_at, paths_at
from cf_mtls.model.resources import AccessApplication, AccessGroup, Address, CaCertificate, host_of
from cf_mtls.model.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cf_mtls.model.resources import AccessPolicy, Resource

Pair: TypeAlias = "tuple[Address, Resource]"

Admitted: TypeAlias = tuple[bool, ...]
"""Whether each request of a host gets in, path by path, asker by asker."""


def near(state: State, host: str) -> State:
    """The part of a state that can matter to a host: its CAs, the applications that cover it, all groups."""
    exact, wild = state.derived("near", _index)
    found = [*exact.get(host, ()), *(pair for pair in wild if _touches(pair[1], host))]
    return State(found)


def _index(state: State) -> tuple[dict[str, list[Pair]], list[Pair]]:
    """What stands on each plain hostname, and what has to be looked at for every one."""
    exact: dict[str, list[Pair]] = {}
    wild: list[Pair] = []
    for pair in state.items():
        hosts = _plain_hosts(pair[1])
        if hosts is None:
            wild.append(pair)
        for host in hosts or ():
            exact.setdefault(host, []).append(pair)
    return exact, wild


def _plain_hosts(resource: Resource) -> frozenset[str] | None:
    """The only hostnames that a resource can touch; None when it has to be asked."""
    match resource:
        case CaCertificate():
            return frozenset(resource.associated_hostnames)
        case AccessApplication():
            hosts = frozenset(host_of(domain) for domain in resource.domains)
            return None if any("*" in host for host in hosts) else hosts
        case AccessGroup():
            return None
        case _:
            return frozenset()


def _touches(resource: Resource, host: str) -> bool:
    match resource:
        case AccessApplication():
            return any(covers(host_of(domain), host, "/") for domain in resource.domains)
        case _:
            return True  # a group: policies anywhere may refer to it


class Scene:
    """The requests of some hosts, and what becomes of them in any state between two ends."""

    def __init__(self, ends: Sequence[State], hosts: Iterable[str]) -> None:
        """ends: the states that are known, at least the first and the last. hosts: without wildcards."""
        self.hosts = tuple(sorted(hosts))
        self._stages = {host: _Stage(ends, host) for host in self.hosts}

    @property
    def size(self) -> int:
        """How many requests are watched."""
        return sum(len(stage.paths) * len(stage.askers) for stage in self._stages.values())

    def request(self, host: str, index: int) -> Request:
        """One of the requests of a host, by its place in `admitted`: path by path, asker by asker."""
        stage = self._stages[host]
        path, asker = divmod(index, len(stage.askers))
        return Request(host, stage.paths[path], stage.askers[asker])

    def admitted(self, state: Mapping[Address, Resource], host: str) -> Admitted:
        """Which of a host's requests get in, in a state between the ends."""
        return self._stages[host].admitted(state)


class _Stage:
    """One host of a scene."""

    def __init__(self, ends: Sequence[State], host: str) -> None:
        local = [near(state, host) for state in ends]
        self.host = host
        self.paths = paths_at(local, host)
        self.askers = askers_at(local, host)
        self._addresses = tuple(sorted({address for state in local for address in state}))
        self._seen: dict[tuple[object, ...], Admitted] = {}
        self._by_policies: dict[tuple[tuple[AccessPolicy, ...], frozenset[Address]], Admitted] = {}

    def admitted(self, state: Mapping[Address, Resource]) -> Admitted:
        local = [(a, r) for a in self._addresses if (r := state.get(a)) is not None]
        # Resources outlive the scene, so their identity names their content; of a CA only its standing here counts.
        key = tuple(
            (a, self.host in r.associated_hostnames if isinstance(r, CaCertificate) else id(r))
            for a, r in local
        )
        if key not in self._seen:
            self._seen[key] = self._ask(State(local))
        return self._seen[key]

    def _ask(self, state: State) -> Admitted:
        world = world_of(state, self.host)
        found: list[bool] = []
        for path in self.paths:
            governing = governor(state, self.host, path)
            if governing is None or governing.is_public:
                found += [True] * len(self.askers)
            else:
                found += self._by(governing.application.policies, world)
        return tuple(found)

    def _by(self, policies: tuple[AccessPolicy, ...], world: World) -> Admitted:
        """What policies do with every asker; they meet the same world again and again, on many paths."""
        key = (policies, world.trusted)
        if key not in self._by_policies:
            self._by_policies[key] = tuple(
                decide_policies(policies, world, asker)[0].lets_in for asker in self.askers
            )
        return self._by_policies[key]
