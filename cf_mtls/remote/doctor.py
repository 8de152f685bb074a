"""What an account says about itself, asked with GETs alone: the readings that `diagnosis` judges.

Rules of this file:
- It is handed a `Reader`, which can only GET. Nothing is judged here.
- Every question is asked once, also when plan's own reading follows (`Once`), and once more when the answer was no
  answer or a server error; nothing is waited for, because being throttled is a finding.

Source: facts, cloudflare-api 7 and 8.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cf_mtls.quick import dataclass
from cf_mtls.remote import pages
from cf_mtls.remote.doctor_shapes import understood
from cf_mtls.remote.gateway import Answer, NoAnswer, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cf_mtls.model.evidence import Handshake
    from cf_mtls.model.resources import Scope

Outcome = Answer | NoAnswer

ACCESS = {
    "certificates": pages.CERTIFICATES,
    "settings": pages.SETTINGS,
    "applications": pages.APPLICATIONS,
    "policies": pages.POLICIES,
    "groups": pages.GROUPS,
    "organization": "/access/organizations",
}
"""What is read below the scope."""

ACCOUNT_ONLY = frozenset({"policies"})
"""Reusable policies exist in accounts only: facts 4.1."""

LOOK_ALIKES = {
    "client_certificates": "/client_certificates",
    "hostname_associations": "/certificate_authorities/hostname_associations",
    "origin_pulls": "/origin_tls_client_auth",
}
"""What is read in a zone because people take it for Access mTLS: facts 8."""


@dataclass(frozen=True, slots=True)
class ZoneReading:
    """One zone: itself as the account shows it, and what was asked about it."""

    zone: Mapping[str, Any]
    look_alikes: Mapping[str, Outcome]
    associations: Mapping[str, Outcome] = field(default_factory=dict)
    """Hostname associations of each CA of the BYO store, by its id."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Every answer, by what was asked."""

    scope: Scope
    owned_by: str
    """`user`, `account`, `global key`, or '' when the token's text does not say."""
    verified: Mapping[str, Outcome]
    """`user` and `account`: what the verify path of that kind of token answered."""
    own: Outcome | None
    """The token's own description with its policies; None when there was nothing to ask by."""
    account: Outcome
    access: Mapping[str, Outcome]
    byo: Outcome | None
    hosts: Mapping[str, ZoneReading | Outcome | None]
    """Of each hostname its zone, the answer that kept it from being found, or None when there is none."""
    dns: Mapping[str, tuple[Outcome, ...]]
    """Of each hostname the answers about its record and the wildcards above it, nearest first."""
    zones: tuple[Outcome, ...] = ()
    """What the lookups of zones by name answered."""
    edge: Mapping[str, Handshake] = field(default_factory=dict)
    """Of each hostname whether the edge asks for a certificate; empty when it was not looked at."""


class Once(Reader):
    """Asks every question once: a good answer is remembered for as long as this lives."""

    def __init__(self, reader: Reader) -> None:
        """reader: who asks."""
        self._reader = reader
        self._heard: dict[tuple[str, tuple[tuple[str, str], ...]], Answer] = {}

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Outcome:
        """One GET, or what it answered before."""
        key = (path, tuple(sorted((query or {}).items())))
        if key in self._heard:
            return self._heard[key]
        outcome = self._reader.get(path, query)
        if isinstance(outcome, Answer) and outcome.ok:
            self._heard[key] = outcome
        return outcome


KINDS = {"cfut_": "user", "cfat_": "account", "cfk_": "global key"}
"""How Cloudflare's tokens begin."""


def kind_of(token: str) -> str:
    """What a token is by its first letters; '' for the older ones, which do not say."""
    return next((kind for prefix, kind in KINDS.items() if token.startswith(prefix)), "")


def read(reader: Reader, scope: Scope, token: str, hosts: Iterable[str]) -> Readings:
    """Ask everything. token: only its first letters are looked at. hosts: lower case."""
    ask = _Asker(reader)
    kind = kind_of(token)
    access = {k: p for k, p in ACCESS.items() if scope.kind == "account" or k not in ACCOUNT_ONLY}
    with ThreadPoolExecutor(len(access)) as pool:
        rows = {name: pool.submit(ask.list, scope.path + path) for name, path in access.items()}
        verified = _verified(ask, scope, kind)
        account = ask.get(scope.path)
        byo = ask.list(f"{scope.path}/mtls_certificates") if scope.kind == "account" else None
        found = {name: row.result() for name, row in rows.items()}
    zones = _Zones(ask, scope, _ids(byo))
    readings = {host: zones.of(host) for host in sorted(hosts)}
    dns = {h: tuple(_dns(ask, h, r.zone)) for h, r in readings.items() if isinstance(r, ZoneReading)}
    own = _own(ask, scope, verified)
    return Readings(scope, kind, verified, own, account, found, byo, readings, dns, zones.asked)


class _Asker:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Outcome:
        first = self._reader.get(path, query)
        flaky = isinstance(first, NoAnswer) or first.status >= 500
        return understood(self._reader.get(path, query) if flaky else first, path)

    def list(self, path: str) -> Outcome:
        """The first page, as wide as allowed: enough for an account at its limits."""
        is_paged = not path.endswith((pages.SETTINGS, "/organizations"))
        return self.get(path, {"page": "1", "per_page": str(pages.PER_PAGE)} if is_paged else None)


def _verified(ask: _Asker, scope: Scope, kind: str) -> dict[str, Outcome]:
    """The verify path of the token's kind, or of both kinds when it does not say."""
    paths = {"user": "/user/tokens/verify"}
    if scope.kind == "account":
        paths["account"] = f"{scope.path}/tokens/verify"
    wanted = {k: p for k, p in paths.items() if kind in {k, ""}} or ({} if kind == "global key" else paths)
    return {name: ask.get(path) for name, path in wanted.items()}


def _own(ask: _Asker, scope: Scope, verified: Mapping[str, Outcome]) -> Outcome | None:
    for kind, outcome in verified.items():
        if isinstance(outcome, Answer) and outcome.ok and isinstance(outcome.result, dict):
            base = "/user" if kind == "user" else scope.path
            return ask.get(f"{base}/tokens/{outcome.result.get('id')}")
    return None


def _ids(byo: Outcome | None) -> list[str]:
    return [str(item.get("id")) for item in items(byo)]


def items(outcome: Outcome | None) -> list[dict[str, Any]]:
    """The objects of a list's answer, none when it was refused."""
    result = outcome.result if isinstance(outcome, Answer) and outcome.ok else None
    return [item for item in result if isinstance(item, dict)] if isinstance(result, list) else []


class _Zones:
    """Zones found by name, each asked once."""

    def __init__(self, ask: _Asker, scope: Scope, byo: list[str]) -> None:
        self._ask, self._scope, self._byo = ask, scope, byo
        self._by_name: dict[str, Outcome] = {}
        self._read: dict[str, ZoneReading] = {}

    @property
    def asked(self) -> tuple[Outcome, ...]:
        """Every answer about a zone's name."""
        return tuple(self._by_name.values())

    def of(self, host: str) -> ZoneReading | Outcome | None:
        labels = host.removeprefix("*.").split(".")
        for start in range(len(labels) - 1):
            outcome = self._named(".".join(labels[start:]))
            if not isinstance(outcome, Answer) or not outcome.ok:
                return outcome
            here = [z for z in items(outcome) if self._is_in_scope(z)]
            if here:
                return self._reading(here[0])
        return None

    def _named(self, name: str) -> Outcome:
        if name not in self._by_name:
            query = {"name": name, "per_page": "50"}
            query |= {"account.id": self._scope.id} if self._scope.kind == "account" else {}
            self._by_name[name] = self._ask.get("/zones", query)
        return self._by_name[name]

    def _is_in_scope(self, zone: Mapping[str, Any]) -> bool:
        return self._scope.kind == "account" or zone.get("id") == self._scope.id

    def _reading(self, zone: Mapping[str, Any]) -> ZoneReading:
        key = str(zone.get("id"))
        if key not in self._read:
            found = {name: self._ask.get(f"/zones/{key}{path}") for name, path in LOOK_ALIKES.items()}
            path = f"/zones/{key}{LOOK_ALIKES['hostname_associations']}"
            of_byo = {ca: self._ask.get(path, {"mtls_certificate_id": ca}) for ca in self._byo}
            self._read[key] = ZoneReading(zone, found, of_byo)
        return self._read[key]


def _dns(ask: _Asker, host: str, zone: Mapping[str, Any]) -> Iterable[Outcome]:
    """The record of a hostname, and if it has none, of the wildcards above it up to the zone."""
    name, top = host, str(zone.get("name", ""))
    path = f"/zones/{zone.get('id')}/dns_records"
    while True:
        outcome = ask.get(path, {"name.exact": name})
        yield outcome
        above = name.removeprefix("*.").partition(".")[2]
        if items(outcome) or not isinstance(outcome, Answer) or not outcome.ok:
            return
        if name.removeprefix("*.") == top or not above.endswith(top):
            return
        name = f"*.{above}"
