"""Resources to JSON and back, as plans are saved; digests of what a plan relied on.

Rules of this file:
- One row per kind: how it is written, how it is read. Reading what was written gives the same value.
- The shape is for this program; what other tools read is made in `planfile`.
- Nothing private can be in here: resources hold public certificates and settings only.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from cf_mtls.model.frozen import canonical, freeze, freeze_object, thaw
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    Contents,
    HostnameSettings,
    Kind,
    Resource,
    Rule,
)
from cf_mtls.planning.canon import meaning
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]


def address(text: str) -> Address:
    """An address from its text. ValueError for an unknown kind."""
    kind, _, key = text.partition("/")
    return Address(Kind(kind), key)


def _certificate(ca: CaCertificate) -> Json:
    return {
        "name": ca.name,
        "associated_hostnames": list(ca.associated_hostnames),
        "fingerprints": list(ca.fingerprints),
        "expirations": [instant(at) for at in ca.expirations],
        "sha256": ca.sha256,
        "pem": ca.pem,
        "id": ca.id,
        "elsewhere": ca.elsewhere,
        "contents": ca.contents.value,
    }


def _read_certificate(raw: Json) -> CaCertificate:
    return CaCertificate(
        raw["name"],
        tuple(raw["associated_hostnames"]),
        tuple(raw["fingerprints"]),
        tuple(datetime.fromisoformat(at) for at in raw["expirations"]),
        raw["sha256"],
        raw["pem"],
        raw["id"],
        raw["elsewhere"],
        Contents(raw["contents"]),
    )


def instant(at: datetime) -> str:
    """An aware moment as RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _settings(settings: HostnameSettings) -> Json:
    return {
        "hostname": settings.hostname,
        "client_certificate_forwarding": settings.client_certificate_forwarding,
        "china_network": settings.china_network,
    }


def _application(app: AccessApplication) -> Json:
    return {
        "name": app.name,
        "destinations": [thaw(d) for d in app.destinations],
        "policies": [_policy(p) for p in app.policies],
        "fields": thaw(app.fields),
        "id": app.id,
        "elsewhere": app.elsewhere,
    }


def _read_application(raw: Json) -> AccessApplication:
    return AccessApplication(
        raw["name"],
        tuple(freeze_object(d) for d in raw["destinations"]),
        tuple(_read_policy(p) for p in raw["policies"]),
        freeze_object(raw["fields"]),
        raw["id"],
        raw["elsewhere"],
    )


def _policy(policy: AccessPolicy) -> Json:
    return {
        "name": policy.name,
        "decision": policy.decision,
        "include": _rules(policy.include),
        "require": _rules(policy.require),
        "exclude": _rules(policy.exclude),
        "fields": thaw(policy.fields),
        "id": policy.id,
        "reusable": policy.reusable,
    }


def _read_policy(raw: Json) -> AccessPolicy:
    return AccessPolicy(
        raw["name"],
        raw["decision"],
        _read_rules(raw["include"]),
        _read_rules(raw["require"]),
        _read_rules(raw["exclude"]),
        freeze_object(raw["fields"]),
        raw["id"],
        raw["reusable"],
    )


def _rules(rules: tuple[Rule, ...]) -> list[Json]:
    return [{rule.kind: thaw(rule.value)} for rule in rules]


def _read_rules(raw: list[Json]) -> tuple[Rule, ...]:
    return tuple(Rule(kind, freeze(value)) for rule in raw for kind, value in rule.items())


def _group(group: AccessGroup) -> Json:
    parts = {part: _rules(getattr(group, part)) for part in ("include", "require", "exclude")}
    return {"name": group.name, **parts, "id": group.id}


def _read_group(raw: Json) -> AccessGroup:
    parts = (_read_rules(raw[part]) for part in ("include", "require", "exclude"))
    include, require, exclude = parts
    return AccessGroup(raw["name"], include, require, exclude, raw["id"])


@dataclass(frozen=True, slots=True)
class Row:
    """How a kind of resource is written and read."""

    type: type
    write: Callable[[Any], Json]
    read: Callable[[Json], Resource]


ROWS: dict[Kind, Row] = {
    Kind.CERTIFICATE: Row(CaCertificate, _certificate, _read_certificate),
    Kind.SETTINGS: Row(HostnameSettings, _settings, lambda raw: HostnameSettings(**raw)),
    Kind.APPLICATION: Row(AccessApplication, _application, _read_application),
    Kind.POLICY: Row(AccessPolicy, _policy, _read_policy),
    Kind.GROUP: Row(AccessGroup, _group, _read_group),
}


def write(resource: Resource | None) -> Json | None:
    """A resource as JSON, None for None."""
    if resource is None:
        return None
    return next(row.write(resource) for row in ROWS.values() if isinstance(resource, row.type))


def read(kind: Kind, raw: object) -> Resource | None:
    """A resource from its JSON, None for None. KeyError, TypeError or ValueError for anything else."""
    return None if raw is None else ROWS[kind].read(cast("Json", raw))


def digest(value: object) -> str:
    """SHA-256 over canonical JSON, 64 hex digits."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def standing(resource: Resource) -> str:
    """A digest of what a resource means and which object it is: what a saved plan relies on.

    Order, defaults and whatever else the server normalises do not change it.
    """
    identity = None if isinstance(resource, HostnameSettings) else resource.id
    return digest({"id": identity, **meaning(resource)})
