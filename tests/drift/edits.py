"""Somebody changes an account behind our back: one meaning at a time.

Rules of this file:
- Each edit is a row in `EDITS`; what it does must never be what `account.reread` does.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from cf_mtls.access.doors import door_at
from cf_mtls.model.doors import Reach
from tests.drift.account import Account, Raw, open_to_all, state_of

Edit = Callable[[Random, Account], bool]
"""Changes an account; False where there is nothing to change."""


def _cas(account: Account) -> list[Raw]:
    return [raw for raw in account["certificates"] if raw["id"] != "c-foreign"]


def _apps(account: Account) -> list[Raw]:
    return [raw for raw in account["apps"] if raw["id"] != "a-foreign"]


def _policies(account: Account, *, reusable: bool = False) -> list[Raw]:
    """The policies in our applications: their own, or the reusable ones that they name."""
    return [p for raw in _apps(account) for p in raw["policies"] if bool(p.get("reusable")) is reusable]


def _policy_edit(change: Callable[[Random, Raw], None]) -> Edit:
    def edit(random: Random, account: Account) -> bool:
        rows = _policies(account)
        if not rows:
            return False
        change(random, random.choice(rows))
        return True

    return edit


def _reusable_edit(change: Callable[[Raw], None]) -> Edit:
    def edit(random: Random, account: Account) -> bool:
        rows = _policies(account, reusable=True)
        if not rows:
            return False
        change(random.choice(rows))
        return True

    return edit


def _opened(random: Random, account: Account) -> bool:
    """Whoever owns a reusable policy lets everybody in by it; our applications refer to it as before."""
    used = {p["id"] for p in _policies(account, reusable=True)}
    if not used:
        return False
    chosen = random.choice(sorted(used))
    for p in (*account["policies"], *_policies(account, reusable=True)):
        if p["id"] == chosen:
            p.update(decision="bypass", include=[{"everyone": {}}], require=[], exclude=[])
    return True


def _emptied(part: str) -> Edit:
    """A real selector loses what it names, or a certificate its object, and stays in its place."""

    def edit(random: Random, account: Account) -> bool:
        rows = [p[part] for p in _policies(account) if p.get(part)]
        if not rows:
            return False
        rules = random.choice(rows)
        at = random.randrange(len(rules))
        ((kind, value),) = rules[at].items()
        if rules.count(rules[at]) > 1 or (kind == "ip" and f"{value['ip']}/32" in str(rules)):
            return False  # its equal beside it still says it
        rules[at] = {kind: dict.fromkeys(value) if value else None}
        return True

    return edit


def _member(table: Callable[[Account], list[Raw]], name: str, other: Callable[[Any], Any]) -> Edit:
    """One member of one raw thing becomes something else; nothing to do where nothing has it."""

    def edit(random: Random, account: Account) -> bool:
        having = [raw for raw in table(account) if raw.get(name) is not None]
        if not having:
            return False
        raw = random.choice(having)
        raw[name] = other(raw[name])
        return True

    return edit


def _gone(table: str, ours: Callable[[Account], list[Raw]]) -> Edit:
    def edit(random: Random, account: Account) -> bool:
        if not ours(account):
            return False
        account[table].remove(random.choice(ours(account)))
        return True

    return edit


def _declared_field(random: Random, account: Account) -> bool:
    """A member that the file declared gets a value that means something else."""
    modelled = {"id", "name", "type", "domain", "destinations", "policies"}
    rows = [(raw, name) for raw in _apps(account) for name in raw if name not in modelled]
    if not rows:
        return False
    raw, name = random.choice(rows)
    value = raw[name]
    raw[name] = not value if isinstance(value, bool) else [*value, "z"] if isinstance(value, list) else "7h"
    return True


def _order(random: Random, account: Account) -> bool:
    """Two policies change places."""
    having = [raw for raw in _apps(account) if len(raw["policies"]) > 1]
    if not having:
        return False
    first, second = random.choice(having)["policies"][:2]
    first["precedence"], second["precedence"] = second["precedence"], first["precedence"]
    return True


def _appears(random: Random, account: Account) -> bool:
    """A thing with this stack's mark that no file declares."""
    account["certificates"].append({"name": "late (cf-mtls s)", "associated_hostnames": ["e.net"], "id": "c-late",
                                    "fingerprint": "CC:DD", "expires_on": "2031-01-01T00:00:00Z"})  # fmt: skip
    return True


def _opens_below(random: Random, account: Account) -> bool:
    """A foreign application below one of ours lets everybody in, where ours does not."""
    shut = [domain for domain in (raw["domain"] for raw in _apps(account)) if not _is_open(account, domain)]
    if not shut:
        return False
    below = random.choice(shut).replace("*", "w") + "/zz"
    account["apps"].append(open_to_all("a-hole", below))
    return True


def _is_open(account: Account, domain: str) -> bool:
    host, _, path = domain.replace("*", "w").partition("/")
    return door_at(state_of(account), host, f"/{path}/zz").reach is Reach.ANYONE


DECISIONS = {"allow", "deny", "bypass", "non_identity"}
FRESH = {"common_name": {"common_name": "fresh"}}

EDITS: dict[str, Edit] = {
    "ca renamed": _member(_cas, "name", lambda name: f"x{name}"),
    "ca loses its mark": _member(_cas, "name", lambda _: "mine now"),
    "ca on one more host": _member(_cas, "associated_hostnames", lambda hosts: [*hosts, "new.net"]),
    "ca on no host": _member(
        lambda a: [raw for raw in _cas(a) if raw["associated_hostnames"]],
        "associated_hostnames",
        lambda _: [],
    ),
    "ca gone": _gone("certificates", _cas),
    "setting gone": _gone("settings", lambda a: a["settings"]),
    "setting flipped": _member(lambda a: a["settings"], "china_network", lambda value: not value),
    "app renamed": _member(_apps, "name", lambda name: f"x{name}"),
    "app loses its mark": _member(_apps, "name", lambda _: "mine now"),
    "app on one more domain": _member(
        _apps, "destinations", lambda d: [*d, {"type": "public", "uri": "new.net/p"}]
    ),
    "app gone": _gone("apps", _apps),
    "app without policies": _member(_apps, "policies", lambda _: []),
    "declared field": _declared_field,
    "policies change places": _order,
    "policy decision": _policy_edit(
        lambda random, p: p.update(
            decision=random.choice(sorted({"allow", "deny", "bypass", "non_identity"} - {p["decision"]}))
        )
    ),
    "policy renamed": _policy_edit(lambda _, p: p.update(name=p["name"] + "x")),
    "policy includes more": _policy_edit(lambda _, p: p.update(include=[*p["include"], FRESH])),
    "policy includes other": _policy_edit(lambda _, p: p.update(include=[FRESH])),
    "policy requires more": _policy_edit(lambda _, p: p.update(require=[*p["require"], FRESH])),
    "policy excludes more": _policy_edit(lambda _, p: p.update(exclude=[*p["exclude"], FRESH])),
    "reusable policy is another": _reusable_edit(lambda p: p.update(id="r-9")),
    "reusable policy becomes a copy": _reusable_edit(lambda p: p.update(id="p-copy", reusable=False)),
    "reusable policy opened": _opened,
    "policy include emptied": _emptied("include"),
    "policy require emptied": _emptied("require"),
    "policy exclude emptied": _emptied("exclude"),
    "marked thing appears": _appears,
    "foreign hole below ours": _opens_below,
}
