"""`State`: address to resource, the one shape for *desired* and *actual*.

Rules of this file:
- A state never changes; `put` and `drop` return another one.
- Iteration is in the order of the addresses, so everything made from a state is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast, overload

from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Resource,
)

D = TypeVar("D")
T = TypeVar("T", CaCertificate, HostnameSettings, AccessApplication, AccessPolicy, AccessGroup)


class State(Mapping[Address, Resource]):
    """What an account holds, or should hold."""

    __slots__ = ("_derived", "_resources")

    def __init__(
        self, resources: Mapping[Address, Resource] | Iterable[tuple[Address, Resource]] = ()
    ) -> None:
        """resources: in any order."""
        self._derived: dict[str, object] = {}
        self._resources = dict(sorted(dict(resources).items(), key=lambda pair: pair[0]))

    def __getitem__(self, address: Address) -> Resource:
        return self._resources[address]

    def __iter__(self) -> Iterator[Address]:
        return iter(self._resources)

    def __len__(self) -> int:
        return len(self._resources)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._resources == other._resources

    __hash__ = None  # type: ignore[assignment]  # a state is compared, never a key

    def __repr__(self) -> str:
        return f"State({self._resources!r})"

    def derived(self, name: str, make: Callable[[State], D]) -> D:
        """What `make` makes of this state, made once: a state never changes, so nothing derived from it goes stale."""
        if name not in self._derived:
            self._derived[name] = make(self)
        return cast("D", self._derived[name])

    def put(self, address: Address, resource: Resource | None) -> State:
        """This state with the resource at the address, or without anything there when None."""
        return self.put_all({address: resource})

    def put_all(self, resources: Mapping[Address, Resource | None]) -> State:
        """As `put`, of many at once."""
        both = {**self._resources, **resources}
        return State({a: r for a, r in both.items() if r is not None})

    @overload
    def of(self, kind: type[CaCertificate]) -> Iterator[tuple[Address, CaCertificate]]: ...
    @overload
    def of(self, kind: type[HostnameSettings]) -> Iterator[tuple[Address, HostnameSettings]]: ...
    @overload
    def of(self, kind: type[AccessApplication]) -> Iterator[tuple[Address, AccessApplication]]: ...
    @overload
    def of(self, kind: type[AccessPolicy]) -> Iterator[tuple[Address, AccessPolicy]]: ...
    @overload
    def of(self, kind: type[AccessGroup]) -> Iterator[tuple[Address, AccessGroup]]: ...
    def of(self, kind: type[T]) -> Iterator[tuple[Address, T]]:
        """The resources of one kind with their addresses, in order."""
        return ((a, r) for a, r in self._resources.items() if isinstance(r, kind))
