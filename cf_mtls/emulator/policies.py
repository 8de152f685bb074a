"""Policies: reusable ones of the account, and those that belong to one application.

Rules of this file:
- A record with `_app` belongs to that application and dies with its last use; one without is reusable.
- Names are not unique; ids are.

Source: facts: cloudflare-api 3.4, 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, bodies, rules
from cf_mtls.emulator.paging import paged
from cf_mtls.emulator.store import Record, new_uuid, public

if TYPE_CHECKING:
    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call

DECISIONS = ("allow", "deny", "non_identity", "bypass")
_OWN = {"id", "uid", "created_at", "updated_at", "reusable", "app_count", "precedence"}
_LISTS = ("include", "exclude", "require")


def read(call: Call, body: dict[str, Any], base: Record | None = None) -> Record:
    """The members of a policy that a body sets, checked and in the API's form. Errors: `ApiError`."""
    name = bodies.text(body, "name")
    if body.get("decision") not in DECISIONS:
        raise answers.invalid(f"decision must be one of {', '.join(DECISIONS)}")
    if not isinstance(body.get("include"), list):
        raise answers.invalid("include is required")
    groups = call.store["groups"]
    lists = {part: rules.normal(body.get(part), part, groups.__contains__) for part in _LISTS}
    duration = bodies.optional_text(body, "session_duration", "24h", most=30)
    kept = {k: v for k, v in body.items() if k not in _OWN and not k.startswith("_") and v is not None}
    stamp = call.world.clock.stamp()
    born = {"created_at": base["created_at"]} if base else {"created_at": stamp}
    own = {"name": name, "decision": body["decision"], "session_duration": duration, "updated_at": stamp}
    return kept | own | lists | born


def new(call: Call, body: dict[str, Any], app_id: str | None) -> Record:
    """A new policy, reusable or an application's own; not kept yet. Errors: `ApiError`."""
    policy_id = new_uuid(call.world.random("ids"))
    record = read(call, body) | {"id": policy_id, "uid": policy_id, "reusable": app_id is None}
    record["_scope"] = str(call.scope)
    if app_id is not None:
        record["_app"] = app_id
    else:
        record["_visible_at"] = call.world.clock.now() + call.switches.seconds("policy-visible-delay")
    return record


def users(call: Call, policy_id: str) -> int:
    """How many applications a policy is attached to."""
    return sum(
        any(link["id"] == policy_id for link in app["_policies"]) for app in call.store["apps"].values()
    )


def _shown(call: Call, record: Record) -> Record:
    return public(record) | {"app_count": users(call, record["id"])}


def listing(call: Call) -> Answer:
    """GET /access/policies: the reusable ones."""
    records = [r for r in call.store["policies"].values() if "_app" not in r]
    return paged([_shown(call, r) for r in records], call, default=100)


def get(call: Call) -> Answer:
    """GET /access/policies/{id}."""
    return answers.reply(_shown(call, _reusable(call)))


def create(call: Call) -> Answer:
    """POST /access/policies: 201."""
    record = call.world.put("policies", new(call, bodies.members(call.body), None))
    return answers.reply(_shown(call, record), 201)


def update(call: Call) -> Answer:
    """PUT /access/policies/{id}: replaces."""
    record = _reusable(call)
    replace(record, read(call, bodies.members(call.body), record))
    call.world.put("policies", record)
    return answers.reply(_shown(call, record))


def replace(record: Record, fresh: Record) -> None:
    """Put fresh members in place of the old ones, in the same object; identity and inner members stay."""
    stays = {k: v for k, v in record.items() if k.startswith("_") or k in {"id", "uid", "reusable"}}
    record.clear()
    record.update(fresh | stays)


def delete(call: Call) -> Answer:
    """DELETE /access/policies/{id}: 202; 409 while an application uses it (facts 4.1)."""
    record = _reusable(call)
    if users(call, record["id"]):
        raise answers.policy_in_use(call.switches.number("policy-in-use-code"))
    call.world.drop("policies", record["id"])
    return answers.reply({"id": record["id"]}, 202)


def _reusable(call: Call) -> Record:
    record = call.store["policies"].get(call.names["id"])
    if record is None:
        raise answers.not_found(call.switches.number("not-found-code"))
    if "_app" in record:  # refused in life too (facts 4.1, #5586)
        raise answers.invalid("policy belongs to an application and is not reusable")
    return record
