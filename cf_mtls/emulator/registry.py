"""What the edge knows: snapshots of the account, published to it by the clock, some time after each write.

Rules of this file:
- The edge reads only this, never the store; what is not published yet does not exist for it.
- A later write of an object is never undone by an earlier one, however their delays differ.
- Whoever wants to know that a hostname's demand may have changed sets `changed`.

Source: facts: edge-and-probes 6.1.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cf_mtls.emulator.store import TABLES, zone_among

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cf_mtls.emulator.clock import Clock
    from cf_mtls.emulator.store import Record


_ADDRESSES = {"A", "AAAA", "CNAME"}


@dataclass(frozen=True, slots=True)
class Trust:
    """One CA bundle that a hostname trusts. Certificates are DER."""

    id: str
    bundle: tuple[bytes, ...]


class Registry:
    """Tables like the store's, as the edge has them, and what is looked up in them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tables: dict[str, dict[str, Record]] = {name: {} for name in TABLES}
        self._writes = 0
        self._known: dict[tuple[str, str], int] = {}
        self._trust: dict[str, tuple[Trust, ...]] | None = None
        self._dns: dict[str, list[bool]] | None = None
        self.generation = 0
        """Counts publications; what is derived from the tables is stale when it moved."""
        self.changed: Callable[[], None] = lambda: None

    def publish(self, table: str, key: str, record: Record | None, delay_s: float) -> None:
        """Let the edge know in `delay_s`; None says that the thing is gone."""
        snapshot = copy.deepcopy(record)
        self._writes += 1
        number = self._writes
        self._clock.after(delay_s, lambda: self._apply(table, key, snapshot, number))

    def clear(self) -> None:
        """Forget everything, at once."""
        self._known.clear()
        for table in self.tables.values():
            table.clear()
        self._stale()

    def _apply(self, table: str, key: str, record: Record | None, number: int) -> None:
        if number < self._known.get((table, key), 0):
            return
        self._known[table, key] = number
        if record is None:
            self.tables[table].pop(key, None)
        else:
            self.tables[table][key] = record
        self._stale()

    def _stale(self) -> None:
        self._trust = self._dns = None
        self.generation += 1
        self.changed()

    def trust(self, hostname: str) -> tuple[Trust, ...]:
        """The bundles associated with a hostname, exactly or by a wildcard of one label."""
        if self._trust is None:
            self._trust = self._index()
        _, _, parent = hostname.partition(".")
        return self._trust.get(hostname, ()) + self._trust.get(f"*.{parent}", ())

    def _index(self) -> dict[str, tuple[Trust, ...]]:
        index: dict[str, tuple[Trust, ...]] = {}
        for record in self.tables["certificates"].values():
            trust = Trust(record["id"], record["_bundle"])
            for host in record["associated_hostnames"]:
                index[host] = (*index.get(host, ()), trust)
        return index

    def settings(self, hostname: str) -> Record:
        """The hostname's settings; absent ones are false."""
        return self.tables["settings"].get(hostname, {})

    def proxied(self, hostname: str) -> bool | None:
        """Whether the hostname passes through Cloudflare; None when DNS does not know it."""
        zone = zone_among(hostname, [z["name"] for z in self.tables["zones"].values()])
        if zone is None:
            return None
        if self._dns is None:
            self._dns = {}
            for record in self.tables["dns_records"].values():
                if record["type"] in _ADDRESSES:
                    self._dns.setdefault(record["name"], []).append(bool(record["proxied"]))
        found = next((self._dns[name] for name in _dns_names(hostname, zone) if name in self._dns), None)
        return None if found is None else any(found)


def _dns_names(hostname: str, zone: str) -> Iterator[str]:
    """The name itself, then the wildcards above it up to the zone's (RFC 4592)."""
    yield hostname
    while hostname != zone:
        hostname = hostname.partition(".")[2]
        yield f"*.{hostname}"
