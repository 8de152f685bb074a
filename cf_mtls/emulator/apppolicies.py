"""The policies of one application at their own address, which the API calls legacy.

Rules of this file:
- What is created here belongs to the application; precedences stay unique.

Source: facts: cloudflare-api 4.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, apps, bodies, policies
from cf_mtls.emulator.paging import paged
from cf_mtls.emulator.store import Record, public

if TYPE_CHECKING:
    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call


def listing(call: Call) -> Answer:
    """GET /access/apps/{app}/policies, in the order of precedence."""
    return paged(apps.shown(call, apps.found(call))["policies"], call)


def get(call: Call) -> Answer:
    """GET /access/apps/{app}/policies/{id}."""
    record, link = _found(call)
    return answers.reply(_shown(record, link))


def create(call: Call) -> Answer:
    """POST /access/apps/{app}/policies: 201."""
    app, body = apps.found(call), bodies.members(call.body)
    precedence = _precedence(body, app["_policies"], len(app["_policies"]) + 1)
    if any("_app" not in call.store["policies"][link["id"]] for link in app["_policies"]):
        raise answers.invalid("reusable and inline policies cannot be mixed")
    record = call.world.put("policies", policies.new(call, body, app["id"]))
    link = {"id": record["id"], "precedence": precedence}
    _relink(call, app, [*app["_policies"], link])
    return answers.reply(_shown(record, link), 201)


def update(call: Call) -> Answer:
    """PUT /access/apps/{app}/policies/{id}."""
    record, link = _found(call)
    app, body = apps.found(call), bodies.members(call.body)
    others = [k for k in app["_policies"] if k["id"] != record["id"]]
    fresh = policies.read(call, body, record)
    link = {"id": record["id"], "precedence": _precedence(body, others, link["precedence"])}
    policies.replace(record, fresh)
    call.world.put("policies", record)
    _relink(call, app, [*others, link])
    return answers.reply(_shown(record, link))


def delete(call: Call) -> Answer:
    """DELETE /access/apps/{app}/policies/{id}: 202; an own policy is gone for good."""
    record, _ = _found(call)
    app = apps.found(call)
    _relink(call, app, [k for k in app["_policies"] if k["id"] != record["id"]])
    if "_app" in record:
        call.world.drop("policies", record["id"])
    return answers.reply({"id": record["id"]}, 202)


def _relink(call: Call, app: Record, links: list[Record]) -> None:
    app["_policies"] = sorted(links, key=lambda k: k["precedence"])
    call.world.put("apps", app)


def _precedence(body: dict[str, Any], others: list[Record], default: int) -> int:
    value = body.get("precedence")
    if value is None:
        value = default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 2**31:
        raise answers.invalid("precedence must be a whole number from 1")
    if any(k["precedence"] == value for k in others):
        raise answers.invalid("policy precedences must be unique")
    return value


def _found(call: Call) -> tuple[Record, Record]:
    app = apps.found(call)
    link = next((k for k in app["_policies"] if k["id"] == call.names["id"]), None)
    if link is None or link["id"] not in call.store["policies"]:
        raise answers.not_found(call.switches.number("not-found-code"))
    return call.store["policies"][link["id"]], link


def _shown(record: Record, link: Record) -> Record:
    return public(record) | {"precedence": link["precedence"]}
