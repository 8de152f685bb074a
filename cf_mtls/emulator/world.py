"""One emulated account with all that belongs to it, handed to every handler.

Rules of this file:
- No module of the emulator keeps state: several worlds may run in one process.
- Every random choice has a stream of its own, derived from the seed, so that one does not move another.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator.registry import Registry
from cf_mtls.emulator.store import Record, Scope, Store, public

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.emulator.clock import Clock
    from cf_mtls.emulator.switches import Switches
    from cf_mtls.emulator.tokens import Token

_REMEMBERED_REQUESTS = 20_000

DELAYS = {
    "certificates": "association-delay", "settings": "settings-delay", "apps": "app-delay",
    "policies": "app-delay", "groups": "app-delay", "service_tokens": "app-delay",
}  # fmt: skip
"""Which switch says how long a table's writes take to the edge; the others are there at once."""


@dataclass(slots=True)
class World:
    """Store, edge, clock and switches of one running emulator."""

    store: Store
    clock: Clock
    switches: Switches
    seed: int
    tokens: dict[str, Token] = field(default_factory=dict)
    edge: Registry = field(init=False)
    log: deque[Record] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_REQUESTS))
    slower_s: float = 0.0
    """Added to every publication while a fault of slowness lasts."""
    settings_busy_until: float = 0.0
    _streams: dict[str, random.Random] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The edge starts empty."""
        self.edge = Registry(self.clock)

    def random(self, purpose: str) -> random.Random:
        """The stream of random choices for one purpose."""
        if purpose not in self._streams:
            self._streams[purpose] = random.Random(f"{self.seed}/{purpose}")  # noqa: S311 - wants replay
        return self._streams[purpose]

    def replay(self) -> None:
        """Start every stream again from the seed."""
        self._streams.clear()

    def delay(self, table: str) -> float:
        """Seconds until the edge knows a write to this table."""
        switch = DELAYS.get(table)
        return (self.switches.seconds(switch) if switch else 0.0) + self.slower_s

    def put(self, table: str, record: Record, key: str | None = None, *, at_once: bool = False) -> Record:
        """Keep a record and tell the edge in time."""
        key = key or record["id"]
        self.store[table][key] = record
        self.edge.publish(table, key, record, 0.0 if at_once else self.delay(table))
        return record

    def drop(self, table: str, key: str) -> None:
        """Remove a record and tell the edge in time."""
        del self.store[table][key]
        self.edge.publish(table, key, None, self.delay(table))


@dataclass(frozen=True, slots=True)
class Call:
    """An API request after routing: whose, on what, with what."""

    world: World
    token: Token
    scope: Scope
    names: Mapping[str, str]
    """What the path's placeholders stood for."""
    query: Mapping[str, str]
    body: Any = None
    mood: frozenset[str] = frozenset()
    """How lists misbehave this time; see `faults.KINDS`."""

    @property
    def store(self) -> Store:
        """The account."""
        return self.world.store

    @property
    def switches(self) -> Switches:
        """The switches."""
        return self.world.switches

    def shown(self, table: str) -> list[Record]:
        """A scope's records as the API shows them."""
        wide = self.switches.on("account-list-shows-zones")
        return [public(r) for r in self.store.within(table, self.scope, zones_too=wide)]
