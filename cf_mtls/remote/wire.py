"""Cloudflare's JSON to resources and back; no requests here. Raises `shape.Misshapen` for what is not understood.

Rules of this file:
- What the account returns and we do not know is carried in `fields` and sent back untouched.
- Computed members are stripped on the way in; a certificate's PEM only ever goes out.
- A member that is not what it must be is `Misshapen`, with its path; free members are carried whatever they are.
- A PUT of an application always carries `policies`: null leaves them, [] detaches all (facts 3.4).
"""

from __future__ import annotations

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
from cf_mtls.model.rules import is_emptied, is_secret
from cf_mtls.remote.shape import (
    an_object,
    each,
    flag,
    identifier,
    maybe_identifier,
    moment,
    name,
    names,
    needed,
    whole,
)

Json = dict[str, Any]

COMPUTED = ("id", "uid", "aud", "created_at", "updated_at", "domain_type")
"""Of an application: facts 3.3."""

MODELLED = ("name", "domain", "destinations", "self_hosted_domains", "policies")
"""Members of an application that have a place of their own in the resource."""

POLICY_COMPUTED = ("id", "uid", "created_at", "updated_at", "app_count", "precedence", "reusable")
POLICY_MODELLED = ("name", "decision", "include", "require", "exclude")


def certificate(raw: Json) -> tuple[Address, CaCertificate]:
    """A CA as the account shows it, addressed by its id; which certificates it holds is never shown."""
    fingerprint = needed(raw, "fingerprint").rpartition("=")[2].replace(":", "").lower()
    return Address(Kind.CERTIFICATE, identifier(raw)), CaCertificate(
        name(raw, "name"),
        hostnames(raw),
        (fingerprint,),
        (moment(raw, "expires_on"),),
        id=identifier(raw),
    )


def hostnames(raw: Json) -> tuple[str, ...]:
    """The associated hostnames of a raw certificate, lower case, sorted; null is none."""
    return tuple(sorted({host.lower() for host in names(raw, "associated_hostnames")}))


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
    host = needed(raw, "hostname").lower()
    return Address(Kind.SETTINGS, host), HostnameSettings(
        host, flag(raw, "client_certificate_forwarding"), flag(raw, "china_network")
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
        name(raw, "name"),
        _destinations(raw),
        tuple(each(raw, "policies", policy)[place] for place in _places(raw)),
        freeze_object({k: v for k, v in raw.items() if k not in COMPUTED and k not in MODELLED}),
        identifier(raw),
    )
    return Address(Kind.APPLICATION, found.domain or f"id:{found.id}"), found


def _destinations(raw: Json) -> tuple[Record, ...]:
    given = each(raw, "destinations", _destination)
    if given:
        return tuple(given)
    domains = names(raw, "self_hosted_domains") or [domain for domain in [name(raw, "domain")] if domain]
    return tuple(public(_uri(domain)) for domain in domains)


def _destination(raw: Any) -> Record:
    # A public destination without a type is one of the server's habits: facts 3.6.
    kept = {k: v for k, v in an_object(raw).items() if v is not None and v != []}
    uri = name(kept, "uri")
    if name(kept, "type") in {"", "public"} and uri:
        kept |= {"type": "public", "uri": _uri(uri)}
    return freeze_object(kept)


def _uri(domain: str) -> str:
    host, slash, path = domain.rstrip("/").partition("/")
    return host_of(host) + (slash + path if path else "")


def _places(raw: Json) -> list[int]:
    """The places of an application's policies in its list, in the order of their precedence."""
    order = each(raw, "policies", _precedence)
    return sorted(range(len(order)), key=order.__getitem__)


def _precedence(raw: Any) -> int:
    return whole(raw, "precedence") or 0


def policy(raw: Any) -> AccessPolicy:
    """A policy as the application shows it; reusable ones come back expanded and say so (facts 3.4)."""
    known = {*POLICY_COMPUTED, *POLICY_MODELLED}
    return AccessPolicy(
        name=name(raw, "name"),
        decision=name(raw, "decision"),
        include=_rules(raw, "include"),
        require=_rules(raw, "require"),
        exclude=_rules(raw, "exclude"),
        fields=freeze_object({k: v for k, v in raw.items() if k not in known and v is not None}),
        id=maybe_identifier(raw),
        reusable=flag(raw, "reusable"),
    )


def reusable_policy(raw: Json) -> tuple[Address, AccessPolicy]:
    """A policy that several applications may share, addressed by its id."""
    return Address(Kind.POLICY, identifier(raw)), policy({**raw, "reusable": True})


def group(raw: Json) -> tuple[Address, AccessGroup]:
    """A group of rules, addressed by its id."""
    return Address(Kind.GROUP, identifier(raw)), AccessGroup(
        name=name(raw, "name"),
        include=_rules(raw, "include"),
        require=_rules(raw, "require"),
        exclude=_rules(raw, "exclude"),
        id=identifier(raw),
    )


def _rules(raw: Json, part: str) -> tuple[Rule, ...]:
    """The selectors that say something. One key an object: null beside it is another kind's absence.

    The server's emptied selectors are left out everywhere: whether one in `require` shuts everybody out or asks for
    nothing is not known, and a door must not be taken for shut because of it: facts 4.4.
    """
    found = (
        Rule(kind, freeze(value))
        for rule in each(raw, part, an_object)
        for kind, value in rule.items()
        if value is not None or len(rule) == 1
    )
    return tuple(rule for rule in found if not is_emptied(rule))


def application_body(app: AccessApplication) -> Json:
    """The body of a create or an update: everything that was returned, with what is declared on top."""
    return {
        "type": "self_hosted",
        **_without_emptied(thaw(app.fields)),
        "name": app.name,
        "domain": app.domain,
        "destinations": [thaw(d) for d in app.destinations],
        "policies": [_policy_body(p, place) for place, p in enumerate(app.policies, start=1)],
    }


def _without_emptied(value: Any) -> Any:
    """The value without secrets that came back empty: sent so, they would be gone."""
    match value:
        case dict():
            return {
                k: _without_emptied(v) for k, v in value.items() if v not in ("", None) or not is_secret(k)
            }
        case list():
            return [_without_emptied(item) for item in value]
        case _:
            return value


def _policy_body(found: AccessPolicy, precedence: int) -> Json:
    if found.reusable:
        return {"id": found.id, "precedence": precedence}
    return {
        **_without_emptied(thaw(found.fields)),
        **({"id": found.id} if found.id else {}),
        "name": found.name,
        "decision": found.decision,
        "precedence": precedence,
        **{
            part: [{r.kind: thaw(r.value)} for r in getattr(found, part)]
            for part in ("include", "require", "exclude")
        },
    }
