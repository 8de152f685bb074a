"""Attaching policies to an application: ids, links and inline objects become one ordered list of links.

Rules of this file:
- Everything is checked before anything is kept.
- Reusable and own policies do not mix; precedences are unique and start at 1.
- An own policy that is no longer linked is gone for good.

Source: facts: cloudflare-api 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, policies
from cf_mtls.emulator.store import TABLES, Record

if TYPE_CHECKING:
    from cf_mtls.emulator.answers import ApiError
    from cf_mtls.emulator.world import Call


@dataclass(frozen=True, slots=True)
class _Item:
    precedence: int
    id: str
    record: Record | None
    """What to keep: a new or changed own policy; None for a mere link."""
    reusable: bool


def planned(call: Call, app_id: str, items: Any) -> list[_Item]:
    """What the `policies` member of a body asks for, in order. Errors: `ApiError`."""
    if not isinstance(items, list):
        raise answers.invalid("policies must be a list")
    if call.scope.kind == "zones" and any(isinstance(i, str) for i in items):
        raise answers.invalid("reusable policies are not available for zones")
    found = [_item(call, app_id, place, item) for place, item in enumerate(items, start=1)]
    numbers = [i.precedence for i in found]
    if len(set(numbers)) < len(numbers):
        raise answers.invalid("policy precedences must be unique")
    if len({i.reusable for i in found}) > 1:
        raise answers.invalid("reusable and inline policies cannot be mixed")
    return sorted(found, key=lambda i: i.precedence)


def kept(call: Call, app: Record, items: list[_Item]) -> None:
    """Link the policies to the application and let go of own ones that are left out."""
    app["_policies"] = [{"id": i.id, "precedence": i.precedence} for i in items]
    for item in items:
        if item.record is not None:
            call.world.put("policies", item.record)
    linked = {i.id for i in items}
    forget(call, [p for p in owned(call, app["id"]) if p["id"] not in linked])


def owned(call: Call, app_id: str) -> list[Record]:
    """The policies that belong to an application."""
    return [p for p in call.store["policies"].values() if p.get("_app") == app_id]


def forget(call: Call, records: list[Record]) -> None:
    """Drop these policies."""
    for record in records:
        call.world.drop("policies", record["id"])


def _item(call: Call, app_id: str, place: int, item: Any) -> _Item:
    match item:
        case str():
            return _link(call, app_id, item, place)
        case {"id": str(policy_id)} if item.keys() <= {"id", "precedence"}:
            return _link(call, app_id, policy_id, _precedence(item, place))
        case dict():
            return _inline(call, app_id, item, _precedence(item, place))
        case _:
            raise answers.invalid("policies must hold ids or objects")


def _precedence(item: dict[str, Any], place: int) -> int:
    value = item.get("precedence")
    if value is None:
        return place
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < 2**31:
        raise answers.invalid("precedence must be a whole number from 1")
    return value


def _link(call: Call, app_id: str, policy_id: str, precedence: int) -> _Item:
    record = call.store["policies"].get(policy_id)
    if record is None or record.get("_app", app_id) != app_id or _hidden(call, record):
        raise _no_such_policy(call, policy_id)
    return _Item(precedence, policy_id, None, "_app" not in record)


def _hidden(call: Call, record: Record) -> bool:
    return bool(record.get("_visible_at", 0.0) > call.world.clock.now())


def _no_such_policy(call: Call, policy_id: str) -> ApiError:
    elsewhere = any(policy_id in call.store[t] for t in TABLES if t != "policies")
    if elsewhere and call.switches.number("wrong-policy-reference") == 500:
        return answers.ApiError(500, 10001, "Internal Server Error")
    return answers.invalid(f"policy {policy_id[:80]} not found")


def _inline(call: Call, app_id: str, item: dict[str, Any], precedence: int) -> _Item:
    if "id" not in item:
        record = policies.new(call, item, app_id)
        return _Item(precedence, record["id"], record, reusable=False)
    base = call.store["policies"].get(str(item["id"]))
    if base is None or base.get("_app") != app_id:
        raise _no_such_policy(call, str(item["id"]))
    record = dict(base)
    policies.replace(record, policies.read(call, item, base))
    return _Item(precedence, record["id"], record, reusable=False)
