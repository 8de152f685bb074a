"""Hostname settings: one list for the account, written by one PUT at a time.

Rules of this file:
- A PUT is accepted (202) and settles by the clock; a second one before that is a conflict.
- An entry with both booleans false is as good as none.

Source: facts: cloudflare-api 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, bodies
from cf_mtls.emulator.certificates import own

if TYPE_CHECKING:
    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.store import Record
    from cf_mtls.emulator.world import Call, World


def get(call: Call) -> Answer:
    """GET /access/certificates/settings: no pages; other zones' hostnames are shown too (facts 2)."""
    return answers.reply(shown(call.world))


def put(call: Call) -> Answer:
    """PUT /access/certificates/settings: 202, or 409 while the one before settles."""
    world = call.world
    if world.clock.now() < world.settings_busy_until:
        raise answers.settings_busy(call.switches.number("settings-conflict-code"))
    wanted = read(call, bodies.members(call.body))
    delay = world.delay("settings")
    world.settings_busy_until = world.clock.now() + delay
    replaces = not call.switches.on("settings-merge")
    if call.switches.on("settings-read-late"):
        world.clock.after(delay, lambda: _settle(world, wanted, 0.0, replaces=replaces))
    else:
        _settle(world, wanted, delay, replaces=replaces)
    return answers.reply(wanted, 202)


def read(call: Call, body: dict[str, Any]) -> list[Record]:
    """The entries of a body, with absent booleans false. Errors: `ApiError`."""
    entries = body.get("settings")
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise answers.invalid("settings must be a list of objects")
    wanted: list[Record] = [
        {
            "hostname": bodies.hostname(bodies.text(e, "hostname")),
            "client_certificate_forwarding": bodies.boolean(e, "client_certificate_forwarding"),
            "china_network": bodies.boolean(e, "china_network"),
        }
        for e in entries
    ]
    own(call, [w["hostname"] for w in wanted])
    if any(w["china_network"] for w in wanted) and not call.switches.on("china-network"):
        raise answers.invalid("china_network requires a China-network enabled zone")
    return wanted


def _settle(world: World, wanted: list[Record], delay: float, *, replaces: bool) -> None:
    if replaces:
        for host in [h for h in world.store["settings"] if h not in {w["hostname"] for w in wanted}]:
            del world.store["settings"][host]
            world.edge.publish("settings", host, None, delay)
    for entry in wanted:
        world.store["settings"][entry["hostname"]] = entry
        world.edge.publish("settings", entry["hostname"], entry, delay)


def shown(world: World) -> list[Record]:
    """The settings as GET lists them."""
    hide = world.switches.on("hide-false-settings")
    entries = world.store["settings"].values()
    return [e for e in entries if not hide or e["client_certificate_forwarding"] or e["china_network"]]
