"""Access groups and tags.

Rules of this file:
- A tag's key is its name; an application may only carry tags that are there.
- A group's rules are kept as a policy's are.

Source: facts: cloudflare-api 4.1, 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, bodies, rules
from cf_mtls.emulator.paging import paged
from cf_mtls.emulator.store import Record, new_uuid, public

if TYPE_CHECKING:
    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call

_LISTS = ("include", "exclude", "require")
_TAG_MOST = 35
_MOST_GROUPS = 300


def listing(call: Call) -> Answer:
    """GET /access/groups, by name or search."""
    records = call.shown("groups")
    name, search = call.query.get("name"), call.query.get("search", "").lower()
    records = [r for r in records if (not name or r["name"] == name) and search in r["name"].lower()]
    return paged(records, call, default=1000)


def get(call: Call) -> Answer:
    """GET /access/groups/{id}."""
    return answers.reply(public(_found(call)))


def create(call: Call) -> Answer:
    """POST /access/groups: 201."""
    if len(call.store["groups"]) >= _MOST_GROUPS:
        raise answers.invalid("maximum number of groups has been reached")
    group_id = new_uuid(call.world.random("ids"))
    stamp = call.world.clock.stamp()
    record = {"id": group_id, "uid": group_id, "created_at": stamp, "_scope": str(call.scope)}
    record |= _read(call, bodies.members(call.body))
    call.world.put("groups", record)
    return answers.reply(public(record), 201)


def update(call: Call) -> Answer:
    """PUT /access/groups/{id}."""
    record = _found(call)
    record |= _read(call, bodies.members(call.body))
    call.world.put("groups", record)
    return answers.reply(public(record))


def delete(call: Call) -> Answer:
    """DELETE /access/groups/{id}: 202."""
    record = _found(call)
    call.world.drop("groups", record["id"])
    return answers.reply({"id": record["id"]}, 202)


def _read(call: Call, body: dict[str, Any]) -> Record:
    if not isinstance(body.get("include"), list):
        raise answers.invalid("include is required")
    groups = call.store["groups"]
    lists = {part: rules.normal(body.get(part), part, groups.__contains__) for part in _LISTS}
    return {"name": bodies.text(body, "name"), "updated_at": call.world.clock.stamp()} | lists


def _found(call: Call) -> Record:
    record = call.store["groups"].get(call.names["id"])
    if record is None or record["_scope"] != str(call.scope):
        raise answers.not_found(call.switches.number("not-found-code"))
    return record


def tags(call: Call) -> Answer:
    """GET /access/tags, alphabetically."""
    names = sorted(call.store["tags"])
    return paged([_tag_shown(call, call.store["tags"][n]) for n in names], call)


def tag(call: Call) -> Answer:
    """GET /access/tags/{name}."""
    return answers.reply(_tag_shown(call, _tag_found(call)))


def tag_create(call: Call) -> Answer:
    """POST /access/tags: 201."""
    name = bodies.text(bodies.members(call.body), "name", most=_TAG_MOST)
    if name in call.store["tags"]:
        raise answers.ApiError(409, 12130, f"{answers.ACCESS}invalid_request: tag already exists")
    stamp = call.world.clock.stamp()
    record = {"name": name, "created_at": stamp, "updated_at": stamp, "_scope": str(call.scope)}
    call.world.put("tags", record, name)
    return answers.reply(_tag_shown(call, record), 201)


def tag_rename(call: Call) -> Answer:
    """PUT /access/tags/{name}: the applications that carry it follow."""
    record = _tag_found(call)
    old, name = record["name"], bodies.text(bodies.members(call.body), "name", most=_TAG_MOST)
    call.world.drop("tags", old)
    record |= {"name": name, "updated_at": call.world.clock.stamp()}
    call.world.put("tags", record, name)
    for app in call.store["apps"].values():
        app["tags"] = sorted({name if t == old else t for t in app["tags"]})
    return answers.reply(_tag_shown(call, record))


def tag_delete(call: Call) -> Answer:
    """DELETE /access/tags/{name}: 202; the applications lose it."""
    name = _tag_found(call)["name"]
    call.world.drop("tags", name)
    for app in call.store["apps"].values():
        app["tags"] = [t for t in app["tags"] if t != name]
    return answers.reply({"name": name}, 202)


def _tag_found(call: Call) -> Record:
    record = call.store["tags"].get(call.names["name"])
    if record is None:
        raise answers.not_found(call.switches.number("not-found-code"))
    return record


def _tag_shown(call: Call, record: Record) -> Record:
    count = sum(record["name"] in app["tags"] for app in call.store["apps"].values())
    return public(record) | {"app_count": count}
