"""Access applications: create, read, replace, delete, with their policies.

Rules of this file:
- A domain belongs to one application of the account.
- PUT replaces; `policies` absent or null leaves what is attached, `[]` detaches all.

Source: facts: cloudflare-api 3.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, attach, bodies, domains
from cf_mtls.emulator.paging import paged
from cf_mtls.emulator.store import Record, new_hex, new_uuid, public

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call

TYPES = (
    "self_hosted", "saas", "ssh", "vnc", "app_launcher", "warp", "biso", "bookmark", "dash_sso",
    "infrastructure", "rdp", "mcp", "mcp_portal", "proxy_endpoint",
)  # fmt: skip
AT_THE_EDGE = frozenset({"self_hosted", "ssh", "vnc"})
"""Types that stand before a hostname and so need a domain."""

DEFAULTS: dict[str, Any] = {
    "allowed_idps": [], "app_launcher_visible": True, "auto_redirect_to_identity": False,
    "enable_binding_cookie": False, "http_only_cookie_attribute": True, "options_preflight_bypass": False,
    "session_duration": "24h", "tags": [],
}  # fmt: skip
_BOOLEANS = (
    "app_launcher_visible", "auto_redirect_to_identity", "enable_binding_cookie", "options_preflight_bypass",
    "http_only_cookie_attribute", "service_auth_401_redirect", "skip_interstitial", "path_cookie_attribute",
    "allow_iframe", "allow_authenticate_via_warp", "eager_redirect_cookie_setting",
)  # fmt: skip
_COMPUTED = {
    "id", "uid", "aud", "created_at", "updated_at", "domain_type", "policies", "self_hosted_domains",
}  # fmt: skip
_MOST_APPS, _MOST_TAGS = 500, 25


def listing(call: Call) -> Answer:
    """GET /access/apps with its query members."""
    wide = call.switches.on("account-list-shows-zones")
    records = call.store.within("apps", call.scope, zones_too=wide)
    return paged([shown(call, r) for r in records if _asked(call, r)], call, default=1000)


def _asked(call: Call, app: Record) -> bool:
    exact = call.query.get("exact", "").lower() == "true"

    def same(wanted: str, actual: str) -> bool:
        return wanted == actual if exact else wanted.lower() in actual.lower()

    tests: dict[str, Callable[[str], bool]] = {
        "name": lambda v: same(v, str(app.get("name", ""))),
        "domain": lambda v: any(same(v, d) for d in domains.of(app)),
        "aud": lambda v: v == app["aud"],
        "search": lambda v: any(v.lower() in t.lower() for t in [str(app.get("name", "")), *domains.of(app)]),
    }
    return all(test(call.query[name]) for name, test in tests.items() if call.query.get(name))


def get(call: Call) -> Answer:
    """GET /access/apps/{app}."""
    return answers.reply(shown(call, found(call)))


def create(call: Call) -> Answer:
    """POST /access/apps: 201."""
    if len(call.store["apps"]) >= _MOST_APPS:
        raise answers.invalid("maximum number of applications has been reached")
    body = bodies.members(call.body)
    app_id = new_uuid(call.world.random("ids"))
    record = DEFAULTS | _read(call, body, app_id)
    wanted = attach.planned(call, app_id, body.get("policies") or [])
    stamp = call.world.clock.stamp()
    record |= {
        "id": app_id, "uid": app_id, "aud": new_hex(call.world.random("ids"), 64),
        "created_at": stamp, "updated_at": stamp, "_scope": str(call.scope),
    }  # fmt: skip
    attach.kept(call, record, wanted)
    call.world.put("apps", record)
    return answers.reply(shown(call, record), 201)


def update(call: Call) -> Answer:
    """PUT /access/apps/{app}: replaces (facts 3.4)."""
    record, body = found(call), bodies.members(call.body)
    fresh = _read(call, body, record["id"])
    wanted = None
    if body.get("policies") is not None:
        wanted = attach.planned(call, record["id"], body["policies"])
    stays = {k: v for k, v in record.items() if k in _COMPUTED or k.startswith("_")}
    base = DEFAULTS if call.switches.on("put-resets-absent") else public(record)
    if call.switches.on("put-keeps-secrets"):
        fresh = with_secrets(fresh, record)
    record.clear()
    record.update(base | fresh | stays | {"updated_at": call.world.clock.stamp()})
    if wanted is not None:
        attach.kept(call, record, wanted)
    call.world.put("apps", record)
    return answers.reply(shown(call, record))


def delete(call: Call) -> Answer:
    """DELETE /access/apps/{app}: 202; its own policies go with it."""
    record = found(call)
    attach.forget(call, attach.owned(call, record["id"]))
    call.world.drop("apps", record["id"])
    return answers.reply({"id": record["id"]}, 202)


def shown(call: Call, record: Record) -> Record:
    """An application as the API returns it, its policies expanded."""
    policies = call.store["policies"]
    links = [link for link in record["_policies"] if link["id"] in policies]
    answer: Record = without_secrets(public(record))
    answer["policies"] = [public(policies[k["id"]]) | {"precedence": k["precedence"]} for k in links]
    if record["type"] in AT_THE_EDGE and call.switches.on("show-self-hosted-domains"):
        answer["self_hosted_domains"] = domains.of(record)
    return answer


SECRETS = ("password", "client_secret", "token", "private_key")
"""How the name of a member ends that is never shown: facts, second-look 1.6."""


def without_secrets(value: Any) -> Any:
    """The value with every secret in it empty."""
    match value:
        case dict():
            return {k: "" if v and k.endswith(SECRETS) else without_secrets(v) for k, v in value.items()}
        case list():
            return [without_secrets(one) for one in value]
        case _:
            return value


def with_secrets(fresh: Any, before: Any) -> Any:
    """The value with the secrets that it leaves out as they were before; one that it sends, even empty, is taken."""
    match fresh, before:
        case dict(), dict():
            kept = {k: v for k, v in before.items() if k.endswith(SECRETS) and isinstance(v, str)}
            return kept | {k: with_secrets(v, before.get(k)) for k, v in fresh.items()}
        case list(), list() if len(fresh) == len(before):
            return [with_secrets(one, other) for one, other in zip(fresh, before, strict=True)]
        case _:
            return fresh


def found(call: Call) -> Record:
    """The application that the path names. Errors: `ApiError`."""
    app_id = call.names["app"]
    try:
        uuid.UUID(app_id)
    except ValueError as error:
        raise answers.bad_application_id(call.switches.number("bad-app-id-status")) from error
    record = call.store["apps"].get(app_id)
    if record is None or record["_scope"] != str(call.scope):
        raise answers.not_found(call.switches.number("not-found-code"))
    return record


def _read(call: Call, body: dict[str, Any], app_id: str) -> Record:
    if body.get("type") not in TYPES:
        raise answers.invalid("type is required and must be an application type")
    kept = {k: v for k, v in body.items() if k not in _COMPUTED and not k.startswith("_") and v is not None}
    for name in _BOOLEANS:
        bodies.boolean(kept, name)
    kept |= _place(call, body, app_id)
    kept["name"] = bodies.optional_text(body, "name", str(kept.get("domain") or body["type"]))
    kept["session_duration"] = bodies.optional_text(body, "session_duration", "24h", most=30)
    kept["tags"] = _tags(call, body)
    kept["allowed_idps"] = bodies.strings(body, "allowed_idps")
    _refuse_impossible(call, kept)
    return kept


def _place(call: Call, body: dict[str, Any], app_id: str) -> dict[str, Any]:
    if body["type"] not in AT_THE_EDGE:
        return {}
    place = domains.read(body)
    mine = domains.of(place)
    if any(call.store.zone_of(d.partition("/")[0], call.scope) is None for d in mine):
        raise answers.invalid("domain does not belong to zone")
    taken = {d for a in call.store["apps"].values() if a["id"] != app_id for d in domains.of(a)}
    if taken & set(mine):
        raise answers.application_exists()
    return place


def _tags(call: Call, body: dict[str, Any]) -> list[str]:
    tags = sorted(set(bodies.strings(body, "tags")))
    unknown = [t for t in tags if t not in call.store["tags"]]
    if unknown:
        raise answers.invalid(f"tag {unknown[0][:80]!r} does not exist")
    if len(tags) > _MOST_TAGS:
        raise answers.invalid(f"an application may have at most {_MOST_TAGS} tags")
    return tags


def _refuse_impossible(call: Call, app: Record) -> None:
    if app.get("custom_pages"):
        raise answers.ApiError(403, 12133, f"{answers.ACCESS}custom_pages_not_entitled")
    if app.get("options_preflight_bypass") and app.get("cors_headers"):
        raise answers.invalid("cors_headers cannot be used with options_preflight_bypass")
    warp = call.store.organization.get("warp_auth_session_duration")
    if app.get("allow_authenticate_via_warp") and not warp:
        why = "the Warp Auth Session Duration is not set for the account"
        raise answers.invalid(f"allow_authenticate_via_warp cannot be set if {why}")
