"""The whole account as one JSON object: dumped, loaded, started from.

Rules of this file:
- A record with a `_scope` is a dumped one and is restored as it was; any other is a request body and goes
  through the same checks as the API's own create, with `zone: NAME` for a zone-scoped one.
- Loading replaces the account, all or nothing, and the edge knows it at once.
- Secrets of service tokens are loaded, never dumped.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import apps, bodies, certificates, groups, policies, settings
from cf_mtls.emulator.answers import ApiError
from cf_mtls.emulator.pem import Unreadable, blocks_of
from cf_mtls.emulator.store import TABLES, Record, Scope, dns_record, new_hex, new_uuid, zone_records
from cf_mtls.emulator.tokens import ALL, Token
from cf_mtls.emulator.world import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import World

_LOADER = Token("loader", "", ALL)
_NOT_DUMPED = {"_bundle", "_client_secret", "_visible_at", "_leaving"}
_CREATE: dict[str, Callable[[Call], Answer]] = {
    "groups": groups.create, "tags": groups.tag_create, "policies": policies.create,
    "certificates": certificates.create, "apps": apps.create,
}  # fmt: skip
_ORDER = ("zones", "dns_records", "service_tokens", "identity_providers", *_CREATE, "settings")


def dump(world: World) -> Record:
    """The account as JSON that `load` takes back."""
    tables = {
        name: [{k: v for k, v in r.items() if k not in _NOT_DUMPED} for r in table.values()]
        for name, table in world.store.tables.items()
    }
    state = {"account": world.store.account, "organization": world.store.organization, **tables}
    copied: Record = copy.deepcopy(state)
    return copied


def load(world: World, state: Any) -> None:
    """Make this the account. Errors: ValueError, saying which record is wrong; then nothing has changed."""
    if not isinstance(state, dict):
        raise ValueError("a state is a JSON object of tables")
    unknown = sorted(state.keys() - set(TABLES) - {"account", "organization"})
    if unknown:
        raise ValueError(f"a state has no table {unknown[0]!r}; it may have {', '.join(TABLES)}")
    before = copy.deepcopy((world.store.tables, world.store.organization))
    try:
        _replace(world, state)
    except ValueError:
        world.store.tables, world.store.organization = before
        raise
    finally:
        publish(world)


def publish(world: World) -> None:
    """Tell the edge the whole account, at once, and forget whatever was on its way."""
    world.clock.forget()
    world.settings_busy_until = 0.0
    world.edge.clear()
    for name, table in world.store.tables.items():
        for key, record in table.items():
            record.pop("_visible_at", None)
            if name == "certificates":
                record["_leaving"] = {}
            world.edge.publish(name, key, record, 0.0)


def _replace(world: World, state: Record) -> None:
    zones = state.get("zones", [z["name"] for z in world.store["zones"].values()])
    for name in TABLES:
        world.store.tables[name] = {}
    organization = state.get("organization", {})
    if not isinstance(organization, dict):
        raise ValueError("organization: must be an object")
    world.store.organization |= organization
    records = {**state, "zones": zones}
    rest = [name for name in TABLES if name not in _ORDER]
    for name in (*_ORDER, *rest):
        for place, record in enumerate(_listed(records, name)):
            try:
                _add(world, name, record, records)
            except (ApiError, Unreadable, KeyError, TypeError) as error:
                raise ValueError(f"{name}[{place}]: {error}") from error


def _listed(records: Record, name: str) -> list[Any]:
    given = records.get(name, [])
    if not isinstance(given, list):
        raise ValueError(f"{name}: must be a list")
    return given


def _add(world: World, table: str, given: Any, state: Record) -> None:
    if table == "zones" and isinstance(given, str):
        add_zone(world, given, with_dns="dns_records" not in state)
    elif not isinstance(given, dict):
        raise TypeError("must be an object")
    elif table == "settings":
        _add_settings(world, given)
    elif "_scope" in given or (table == "zones" and "id" in given):
        _restore(world, table, given)
    elif table == "zones":
        add_zone(world, str(given["name"]), with_dns="dns_records" not in state)
    elif table == "dns_records":
        _add_dns(world, given)
    elif table in _CREATE:
        _create(world, table, given)
    else:
        _plain(world, table, given)


def add_zone(world: World, name: str, *, with_dns: bool) -> None:
    """A zone, with proxied records for its apex and everything below when `with_dns`."""
    zone, records = zone_records(
        name.lower(), world.random("zones"), world.store.account, world.clock.stamp()
    )
    world.store["zones"][zone["id"]] = zone
    for record in records if with_dns else ():
        world.store["dns_records"][record["id"]] = record


def _add_dns(world: World, given: Record) -> None:
    name = str(given["name"]).lower()
    zone_name = world.store.zone_of(name.removeprefix("*."))
    zone = next((z for z in world.store["zones"].values() if z["name"] == zone_name), None)
    if zone is None:
        raise TypeError(f"{name} is in no zone")
    record = dns_record(zone, name, world.random("zones"), world.clock.stamp())
    record |= {k: v for k, v in given.items() if k in record and not k.startswith("_")} | {"name": name}
    world.store["dns_records"][record["id"]] = record


def _add_settings(world: World, given: Record) -> None:
    call = Call(world, _LOADER, world.store.scope, {}, {}, None)
    for entry in settings.read(call, {"settings": [given]}):
        world.store["settings"][entry["hostname"]] = entry


def _restore(world: World, table: str, given: Record) -> None:
    record = copy.deepcopy(given)
    if table == "certificates":
        record["_bundle"] = tuple(b.der for b in blocks_of(record["_certificate"]))
        record["_leaving"] = {}
        for host in record["associated_hostnames"]:
            bodies.hostname(host, wildcard=True)
    if table == "apps" and not isinstance(record["_policies"], list):
        raise TypeError("_policies must be a list")
    world.store[table][str(record["name"] if table == "tags" else record["id"])] = record


def _create(world: World, table: str, given: Record) -> None:
    scope = _scope_of(world, given)
    body = {k: v for k, v in given.items() if k not in {"zone", "id"}}
    call = Call(world, _LOADER, scope, {}, {}, body)
    before = set(world.store[table])
    _CREATE[table](call)
    (key,) = set(world.store[table]) - before
    if "id" in given:
        record = world.store[table].pop(key)
        record["id"] = str(given["id"])
        _renamed(world, table, record, key)


def _renamed(world: World, table: str, record: Record, old: str) -> None:
    world.store[table][record["id"]] = record
    if "uid" in record:
        record["uid"] = record["id"]
    if table == "apps":
        for policy in world.store["policies"].values():
            if policy.get("_app") == old:
                policy["_app"] = record["id"]


def _plain(world: World, table: str, given: Record) -> None:
    random = world.random("ids")
    record: Record = {"id": new_uuid(random), "_scope": str(_scope_of(world, given))}
    if table == "service_tokens":
        stamp = world.clock.stamp()
        record |= {"client_id": f"{new_hex(random)}.access", "duration": "8760h", "created_at": stamp,
                   "updated_at": stamp, "expires_at": None}  # fmt: skip
    record |= {k: v for k, v in given.items() if k not in {"zone", "client_secret"}}
    if "client_secret" in given:
        record["_client_secret"] = str(given["client_secret"])
    world.store[table][str(record["id"])] = record


def _scope_of(world: World, given: Record) -> Scope:
    name = given.get("zone")
    if name is None:
        return world.store.scope
    found = [z["id"] for z in world.store["zones"].values() if z["name"] == name]
    if not found:
        raise TypeError(f"there is no zone {name!r}")
    return Scope("zones", found[0])


def zones_for(hostnames: Iterable[str]) -> list[str]:
    """Zones that would hold these hostnames: the last two labels of each, in order, without repeats."""
    return list(dict.fromkeys(".".join(h.lower().removeprefix("*.").split(".")[-2:]) for h in hostnames))
