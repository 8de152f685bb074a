"""Cloudflare's JSON to resources and back; no requests here.

Rules of this file:
- What the account returns and we do not know is carried in `fields` and sent back untouched.
- Computed members are stripped on the way in; a certificate's PEM only ever goes out.
- A PUT of an application always carries `policies`: null leaves them, [] detaches all (facts 3.4).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cf_mtls.model.frozen import Record, freeze, freeze_object, thaw
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Rule,
    host_of,
    public,
)
from cf_mtls.model.rules import is_emptied

Json = dict[str, Any]

COMPUTED = ("id", "uid", "aud", "created_at", "updated_at", "domain_type")
"""Of an application: facts 3.3."""

MODELLED = ("name", "domain", "destinations", "self_hosted_domains", "policies")
"""Members of an application that have a place of their own in the resource."""

POLICY_COMPUTED = ("id", "uid", "created_at", "updated_at", "app_count", "precedence", "reusable")
POLICY_MODELLED = ("name", "decision", "include", "require", "exclude")


def certificate(raw: Json) -> tuple[Address, CaCertificate]:
    """A CA as the account shows it, addressed by its id; which certificates it holds is never shown."""
    fingerprint = raw["fingerprint"].rpartition("=")[2].replace(":", "").lower()
    return Address(Kind.CERTIFICATE, raw["id"]), CaCertificate(
        raw.get("name") or "",
        hostnames(raw),
        (fingerprint,),
        (instant(raw["expires_on"]),),
        id=raw["id"],
    )


def hostnames(raw: Json) -> tuple[str, ...]:
    """The associated hostnames of a raw certificate, lower case, sorted; null is none."""
    return tuple(sorted({host.lower() for host in raw.get("associated_hostnames") or []}))


def instant(text: str) -> datetime:
    """An RFC 3339 time as aware UTC, whole seconds."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def certificate_create(ca: CaCertificate) -> Json:
    """The body of a create. Raises ValueError for a CA without its PEM: only declared ones have one."""
    if ca.pem is None:
        message = f"no PEM to upload for {ca.name}"
        raise ValueError(message)
    return {"name": ca.name, "certificate": ca.pem, "associated_hostnames": list(ca.associated_hostnames)}


def certificate_update(ca: CaCertificate) -> Json:
    """The body of an update: always name and every hostname, or hosts would be let go (facts 1.2)."""
    return {"name": ca.name, "associated_hostnames": list(ca.associated_hostnames)}


def settings(raw: Json) -> tuple[Address, HostnameSettings]:
    """The settings of one hostname; null is false."""
    host = raw["hostname"].lower()
    return Address(Kind.SETTINGS, host), HostnameSettings(
        host, bool(raw.get("client_certificate_forwarding")), bool(raw.get("china_network"))
    )


def settings_entry(value: HostnameSettings) -> Json:
    """One entry of the settings PUT; all three members, as the spec demands (facts 2)."""
    return {
        "hostname": value.hostname,
        "client_certificate_forwarding": value.client_certificate_forwarding,
        "china_network": value.china_network,
    }


def application(raw: Json) -> tuple[Address, AccessApplication]:
    """An application, addressed by its first domain, or by `id:…` when it has no public one."""
    found = AccessApplication(
        raw.get("name") or "",
        _destinations(raw),
        tuple(policy(p) for p in sorted(raw.get("policies") or [], key=_precedence)),
        freeze_object({k: v for k, v in raw.items() if k not in COMPUTED and k not in MODELLED}),
        raw["id"],
    )
    return Address(Kind.APPLICATION, found.domain or f"id:{found.id}"), found


def _destinations(raw: Json) -> tuple[Record, ...]:
    given = raw.get("destinations")
    if given:
        return tuple(_destination(d) for d in given)
    domains = raw.get("self_hosted_domains") or ([raw["domain"]] if raw.get("domain") else [])
    return tuple(public(_uri(domain)) for domain in domains)


def _destination(raw: Json) -> Record:
    # A public destination without a type is one of the server's habits: facts 3.6.
    kept = {k: v for k, v in raw.items() if v is not None and v != []}
    if kept.get("type", "public") == "public" and isinstance(kept.get("uri"), str):
        kept |= {"type": "public", "uri": _uri(kept["uri"])}
    return freeze_object(kept)


def _uri(domain: str) -> str:
    host, slash, path = domain.rstrip("/").partition("/")
    return host_of(host) + (slash + path if path else "")


def _precedence(raw: Json) -> int:
    return int(raw.get("precedence") or 0)


def policy(raw: Json) -> AccessPolicy:
    """A policy as the application shows it; reusable ones come back expanded and say so (facts 3.4)."""
    known = {*POLICY_COMPUTED, *POLICY_MODELLED}
    return AccessPolicy(
        name=raw.get("name") or "",
        decision=raw.get("decision") or "",
        include=_rules(raw.get("include")),
        require=_rules(raw.get("require")),
        exclude=_rules(raw.get("exclude")),
        fields=freeze_object({k: v for k, v in raw.items() if k not in known and v is not None}),
        id=raw.get("id"),
        reusable=bool(raw.get("reusable")),
    )


def reusable_policy(raw: Json) -> tuple[Address, AccessPolicy]:
    """A policy that several applications may share, addressed by its id."""
    return Address(Kind.POLICY, raw["id"]), policy({**raw, "reusable": True})


def group(raw: Json) -> tuple[Address, AccessGroup]:
    """A group of rules, addressed by its id."""
    return Address(Kind.GROUP, raw["id"]), AccessGroup(
        name=raw.get("name") or "",
        include=_rules(raw.get("include")),
        require=_rules(raw.get("require")),
        exclude=_rules(raw.get("exclude")),
        id=raw["id"],
    )


def _rules(raw: list[Json] | None) -> tuple[Rule, ...]:
    """The selectors that say something. One key an object: null beside it is another kind's absence.

    The server's emptied selectors are left out everywhere: whether one in `require` shuts everybody out or asks for
    nothing is not known, and a door must not be taken for shut because of it: facts 4.4.
    """
    found = (
        Rule(kind, freeze(value))
        for rule in raw or []
        for kind, value in rule.items()
        if value is not None or len(rule) == 1
    )
    return tuple(rule for rule in found if not is_emptied(rule))


def application_body(app: AccessApplication) -> Json:
    """The body of a create or an update: everything that was returned, with what is declared on top."""
    return {
        "type": "self_hosted",
        **thaw(app.fields),
        "name": app.name,
        "domain": app.domain,
        "destinations": [thaw(d) for d in app.destinations],
        "policies": [_policy_body(p, place) for place, p in enumerate(app.policies, start=1)],
    }


def _policy_body(found: AccessPolicy, precedence: int) -> Json:
    if found.reusable:
        return {"id": found.id, "precedence": precedence}
    return {
        **thaw(found.fields),
        **({"id": found.id} if found.id else {}),
        "name": found.name,
        "decision": found.decision,
        "precedence": precedence,
        **{
            part: [{r.kind: thaw(r.value)} for r in getattr(found, part)]
            for part in ("include", "require", "exclude")
        },
    }
