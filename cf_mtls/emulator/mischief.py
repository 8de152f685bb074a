"""What each fault does: before the request is handled, to its list, and after.

Rules of this file:
- Faults that last (slowness, busy settings) end by the clock.
- How lists misbehave is told to the handler; `paging` does it.
- What somebody else edits goes through the world, as any write does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import rates
from cf_mtls.emulator.http import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cf_mtls.emulator.faults import Rule
    from cf_mtls.emulator.store import Record
    from cf_mtls.emulator.world import World

LISTS = frozenset({"shuffle", "ignore-page", "moving-pages"})
_HTML = b"<html>\r\n<head><title>%d</title></head>\r\n<body><h1>Error %d</h1>cloudflare</body></html>\r\n"


def before(world: World, meter: rates.Rates, picked: Sequence[Rule], who: str) -> Answer | None:
    """The answer that stands in for handling the request, None when it is to be handled."""
    for rule in picked:
        match rule.do:
            case "block":
                meter.block(who, rule.members["seconds"])
            case "429":
                return rates.refused(rule.members["retry_after"])
            case "5xx":
                status = int(rule.members["status"])
                return Answer(status, (("content-type", "text/html"),), _HTML % (status, status))
            case kind if kind in _LASTING:
                _LASTING[kind](world, rule)
            case _:
                pass
    return None


def _slow_edge(world: World, rule: Rule) -> None:
    world.slower_s = rule.members["seconds"]


def _settings_busy(world: World, rule: Rule) -> None:
    world.settings_busy_until = world.clock.now() + rule.members["seconds"]


def _hidden_policy(world: World, rule: Rule) -> None:
    world.switches.set("policy-visible-delay", float(rule.members["seconds"]))


def _quota_zero(world: World, _rule: Rule) -> None:
    world.switches.set("certificate-quota", 0)


_LASTING: dict[str, Callable[[World, Rule], None]] = {
    "slow-edge": _slow_edge,
    "settings-busy": _settings_busy,
    "hidden-policy": _hidden_policy,
    "quota-zero": _quota_zero,
}


def mood(picked: Sequence[Rule]) -> frozenset[str]:
    """How lists are to misbehave this time."""
    return frozenset(rule.do for rule in picked) & LISTS


def after(world: World, picked: Sequence[Rule]) -> None:
    """Let somebody else meddle with the account."""
    for rule in picked:
        if rule.do == "edit":
            _edit(world, rule.members)
        elif rule.do == "remove":
            _remove(world, rule.members)


def _matching(world: World, table: str, match: dict[str, Any]) -> list[tuple[str, Record]]:
    records = world.store.tables.get(table, {})
    return [(k, r) for k, r in records.items() if all(r.get(m) == v for m, v in match.items())]


def _edit(world: World, members: dict[str, Any]) -> None:
    for key, record in _matching(world, members["table"], members["match"]):
        record |= {k: v for k, v in members["set"].items() if not k.startswith("_")}
        world.put(members["table"], record, key)


def _remove(world: World, members: dict[str, Any]) -> None:
    for key, _ in _matching(world, members["table"], members["match"]):
        world.drop(members["table"], key)
