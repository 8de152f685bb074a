"""What the account holds: tables of JSON objects, each in a scope.

Rules of this file:
- A record is the raw JSON object, plus members that start with an underscore and are never answered.
- Tables keep the order of making. Ids and every other random choice come from the seeded generator.

Source: facts: cloudflare-api 0 (scopes, ids).
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

Record = dict[str, Any]

TABLES = (
    "zones", "dns_records", "certificates", "settings", "apps", "policies", "groups", "tags",
    "service_tokens", "mtls_certificates", "client_certificates", "hostname_associations",
    "origin_tls_client_auth", "identity_providers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """`accounts` or `zones`, and the id."""

    kind: str
    id: str

    def __str__(self) -> str:
        """As it stands in a path."""
        return f"{self.kind}/{self.id}"


@dataclass(slots=True)
class Store:
    """One account."""

    account: Record
    organization: Record
    tables: dict[str, dict[str, Record]] = field(default_factory=lambda: {name: {} for name in TABLES})

    @property
    def scope(self) -> Scope:
        """The account itself as a scope."""
        return Scope("accounts", self.account["id"])

    def __getitem__(self, table: str) -> dict[str, Record]:
        """One table, id to record."""
        return self.tables[table]

    def within(self, table: str, scope: Scope, *, zones_too: bool = False) -> list[Record]:
        """The records of a scope; with `zones_too`, for the account, its zones' as well."""
        wide = zones_too and scope.kind == "accounts"
        return [r for r in self.tables[table].values() if wide or r.get("_scope") == str(scope)]

    def zone_names(self, scope: Scope | None = None) -> list[str]:
        """The names of all zones, or of the one that is the scope."""
        zones = self.tables["zones"].values()
        if scope is not None and scope.kind == "zones":
            return [z["name"] for z in zones if z["id"] == scope.id]
        return [z["name"] for z in zones]

    def zone_of(self, hostname: str, scope: Scope | None = None) -> str | None:
        """The longest zone that the hostname is in, None when it is in none of them."""
        return zone_among(hostname, self.zone_names(scope))


def zone_among(hostname: str, zones: Iterable[str]) -> str | None:
    """The longest of the zones that the hostname is in."""
    mine = [z for z in zones if hostname == z or hostname.endswith("." + z)]
    return max(mine, key=len, default=None)


def public(record: Record) -> Record:
    """The record as the API shows it."""
    return {k: v for k, v in record.items() if not k.startswith("_")}


def new_uuid(random: Random) -> str:
    """A version 4 UUID from the seed."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def new_hex(random: Random, digits: int = 32) -> str:
    """That many hexadecimal digits from the seed."""
    return f"{random.getrandbits(digits * 4):0{digits}x}"


def zone_records(name: str, random: Random, account: Record, stamp: str) -> tuple[Record, list[Record]]:
    """A zone, and DNS records that proxy its apex and everything below (facts: cloudflare-api 8)."""
    zone_id = hashlib.sha256(f"{account['id']}/{name}".encode()).hexdigest()[:32]
    zone = {
        "id": zone_id, "name": name, "status": "active", "paused": False, "type": "full",
        "development_mode": 0, "name_servers": [f"a.ns.{name}", f"b.ns.{name}"], "original_name_servers": [],
        "original_registrar": None, "original_dnshost": None, "modified_on": stamp, "created_on": stamp,
        "activated_on": stamp, "account": dict(account),
        "meta": {"step": 2, "custom_certificate_quota": 1, "page_rule_quota": 100,
                 "phishing_detected": False},
        "owner": {"id": None, "type": "user", "email": None},
        "plan": {"id": new_hex(random), "name": "Enterprise Website", "legacy_id": "enterprise",
                 "price": 0, "currency": "USD", "frequency": "", "is_subscribed": True,
                 "can_subscribe": True, "legacy_discount": False, "externally_managed": False},
        "permissions": [], "tenant": {"id": None, "name": None}, "tenant_unit": {"id": None},
    }  # fmt: skip
    return zone, [dns_record(zone, host, random, stamp) for host in (name, f"*.{name}")]


def dns_record(
    zone: Record, host: str, random: Random, stamp: str, *, proxied: bool = True, kind: str = "A",
    content: str = "192.0.2.1",
) -> Record:  # fmt: skip
    """One DNS record of a zone."""
    return {
        "id": new_hex(random), "name": host, "type": kind, "content": content, "proxiable": True,
        "proxied": proxied, "ttl": 1, "settings": {}, "meta": {}, "comment": None, "tags": [],
        "created_on": stamp, "modified_on": stamp, "_scope": f"zones/{zone['id']}",
    }  # fmt: skip


def each(records: Iterable[Record], wanted: Callable[[Record], bool]) -> list[Record]:
    """The public form of the records that are wanted."""
    return [public(r) for r in records if wanted(r)]
