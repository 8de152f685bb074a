"""Access certificates: the CAs that client certificates are judged by.

Rules of this file:
- The PEM is never returned; a PUT never changes it (silently, as in life).
- Removed hostnames linger, listed and counted, until the clock lets them go; then the certificate may go.

Source: facts: cloudflare-api 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, bodies
from cf_mtls.emulator.clock import text_of
from cf_mtls.emulator.paging import paged
from cf_mtls.emulator.pem import Block, Unreadable, blocks_of
from cf_mtls.emulator.store import Record, new_uuid, public

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call

_PEM_MOST = 512 * 1024


def listing(call: Call) -> Answer:
    """GET /access/certificates."""
    wide = call.switches.on("account-list-shows-zones")
    records = call.store.within("certificates", call.scope, zones_too=wide)
    deaf = call.scope.kind == "zones" and call.switches.on("zone-list-ignores-page")
    return paged([_shown(call, r) for r in records], call, ignore=deaf)


def get(call: Call) -> Answer:
    """GET /access/certificates/{id}."""
    return answers.reply(_shown(call, _found(call)))


def create(call: Call) -> Answer:
    """POST /access/certificates: 201."""
    record = made(call, bodies.members(call.body))
    call.world.put("certificates", record)
    _settings_notice(call)
    return answers.reply(_shown(call, record), 201)


def update(call: Call) -> Answer:
    """PUT /access/certificates/{id}: name and hostnames; never the PEM (facts 1.5)."""
    record, body = _found(call), bodies.members(call.body)
    clears = "associated_hostnames" in body or call.switches.on("put-without-hostnames-clears")
    hosts = _hostnames(call, body, record["id"]) if clears else record["associated_hostnames"]
    gone = [h for h in record["associated_hostnames"] if h not in hosts]
    record |= {
        "name": bodies.optional_text(body, "name", record["name"]),
        "associated_hostnames": hosts,
        "updated_at": call.world.clock.stamp(),
    }
    clock, delay = call.world.clock, call.switches.seconds("detach-delay") + call.world.slower_s
    leaving = record["_leaving"] | dict.fromkeys(gone, clock.now() + delay)
    record["_leaving"] = {h: due for h, due in leaving.items() if h not in hosts}
    call.world.put("certificates", record)
    _settings_notice(call)
    clock.after(delay, lambda: _let_go(record, clock.now()))
    return answers.reply(_shown(call, record))


def delete(call: Call) -> Answer:
    """DELETE /access/certificates/{id}: refused while hostnames are associated (facts 1.8)."""
    record = _found(call)
    if record["associated_hostnames"] or record["_leaving"]:
        raise answers.active_associations(call.switches.number("active-associations-status"))
    call.world.drop("certificates", record["id"])
    return answers.reply({"id": record["id"]})


def made(call: Call, body: dict[str, Any]) -> Record:
    """A new certificate record; quota, PEM and hostnames have been looked at. Errors: `ApiError`."""
    if len(call.store["certificates"]) >= call.switches.number("certificate-quota"):
        raise answers.quota_reached()
    name = bodies.text(body, "name")
    pem = bodies.text(body, "certificate", most=_PEM_MOST)
    blocks = _blocks(call, pem)
    named = blocks[-1 if call.switches.word("fingerprint-block") == "last" else 0]
    _refuse_twins(call, tuple(b.der for b in blocks))
    stamp = call.world.clock.stamp()
    return {
        "id": new_uuid(call.world.random("ids")), "name": name, "fingerprint": named.fingerprint,
        "associated_hostnames": _hostnames(call, body), "created_at": stamp, "updated_at": stamp,
        "expires_on": text_of(named.not_after), "_scope": str(call.scope), "_certificate": pem,
        "_bundle": tuple(b.der for b in blocks), "_leaving": {},
    }  # fmt: skip


def _blocks(call: Call, pem: str) -> list[Block]:
    try:
        blocks = blocks_of(pem)
    except Unreadable as error:
        raise answers.invalid(str(error)) from error
    if call.switches.on("refuse-leaf") and not all(b.is_ca for b in blocks):
        raise answers.invalid("certificate must be a CA certificate")
    if not all(b.usable_algorithm for b in blocks):
        raise answers.invalid("certificate signature algorithm is not supported")
    now = call.world.clock.now()
    if call.switches.on("refuse-expired-ca") and any(b.not_after < now for b in blocks):
        raise answers.invalid("certificate has expired")
    return blocks


_TWINS: dict[str, Callable[[tuple[bytes, ...], tuple[bytes, ...]], bool]] = {
    "off": lambda _, __: False,
    "first": lambda new, there: new[0] == there[0],
    "any": lambda new, there: bool(set(new) & set(there)),
    "whole": lambda new, there: set(new) == set(there),
}
"""What of a bundle may not be there already, by the word of the switch."""


def _refuse_twins(call: Call, bundle: tuple[bytes, ...]) -> None:
    is_twin = _TWINS[call.switches.word("refuse-duplicate-certificate")]
    if any(is_twin(bundle, r["_bundle"]) for r in call.store["certificates"].values()):
        raise answers.certificate_exists(call.switches.number("duplicate-certificate-code"))


def _hostnames(call: Call, body: dict[str, Any], mine: str = "") -> list[str]:
    wildcard = call.switches.on("wildcard-hostnames")
    names = [bodies.hostname(h, wildcard=wildcard) for h in bodies.strings(body, "associated_hostnames")]
    own(call, names)
    if not call.switches.on("share-hostname"):
        taken = {
            h
            for r in call.store["certificates"].values()
            if r["id"] != mine
            for h in r["associated_hostnames"]
        }
        if taken & set(names):
            raise answers.invalid("hostname is already associated with another certificate")
    return list(dict.fromkeys(names))


def own(call: Call, hostnames: Iterable[str]) -> None:
    """Nothing, when every hostname is in a zone of the scope. Errors: `ApiError` 12036."""
    if any(call.store.zone_of(h.removeprefix("*."), call.scope) is None for h in hostnames):
        raise answers.foreign_hostname(call.switches.number("foreign-hostname-status"))


def _let_go(record: Record, now: float) -> None:
    record["_leaving"] = {h: due for h, due in record["_leaving"].items() if due > now}


def _settings_notice(call: Call) -> None:
    if call.switches.on("association-blocks-settings"):
        call.world.settings_busy_until = call.world.clock.now() + call.switches.seconds("settings-delay")


def _shown(call: Call, record: Record) -> Record:
    hosts = [*record["associated_hostnames"], *record["_leaving"]]
    if call.switches.on("shuffle-hostnames"):
        call.world.random("hostnames").shuffle(hosts)
    return public(record) | {"associated_hostnames": hosts}


def _found(call: Call) -> Record:
    record = call.store["certificates"].get(call.names["id"])
    if record is None or record["_scope"] != str(call.scope):
        raise answers.not_found(call.switches.number("not-found-code"))
    return record
