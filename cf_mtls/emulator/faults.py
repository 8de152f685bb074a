"""Behaving badly on purpose: rules that pick requests, and what happens to them.

Rules of this file:
- A rule says `when` (method, end of the path, the nth time, every nth, a chance, how often) and what to `do`.
- Picking draws only from the seeded stream, in the order requests arrive, so it replays.
- What to do is a row of `KINDS`; a rule that names no row, or a member that is not the row's, is refused.

Source: facts: cloudflare-api 1.3, 1.8, 1.9, 2, 3.4, 7.4, 7.5.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "latency": ("the answer takes this long", {"seconds": 0.2}),
    "429": ("429 with code 971; retry_after null leaves the header out", {"retry_after": 1}),
    "block": ("the token is blocked, as after 1200 calls", {"seconds": 300}),
    "5xx": ("a server error whose body is HTML, nothing done", {"status": 502}),
    "reset": ("the connection is reset before the request is read", {}),
    "lost": ("the change is made and its answer lost", {}),
    "half": ("half an answer, then a reset", {}),
    "slow-edge": ("whatever is written from now on is slower by this", {"seconds": 5.0}),
    "settings-busy": ("settings are still being updated for this long", {"seconds": 5.0}),
    "hidden-policy": ("reusable policies made from now on are not found for this long", {"seconds": 5.0}),
    "shuffle": ("the list comes in another order", {}),
    "ignore-page": ("the list does not heed page", {}),
    "moving-pages": ("the list loses its first item before this page is cut", {}),
    "edit": ("somebody else edits a thing: table, match and set", {"table": "apps", "match": {}, "set": {}}),
    "remove": ("somebody else removes things: table and match", {"table": "apps", "match": {}}),
    "quota-zero": ("no more certificates: the account has lost its entitlement", {}),
}
"""Kind to what it does and its members with their defaults."""

_WHEN = {"method": "*", "path": "*", "nth": 0, "every": 0, "chance": 1.0, "times": 0}


@dataclass(slots=True)
class Rule:
    """One fault and when it strikes. Zero for `nth`, `every` and `times` means any."""

    do: str
    members: dict[str, Any]
    when: dict[str, Any]
    seen: int = 0
    struck: int = 0

    def strikes(self, method: str, path: str, random: Random) -> bool:
        """Whether it hits this request; counts it when it could have."""
        if not fnmatch.fnmatchcase(method, self.when["method"]) or not fnmatch.fnmatchcase(
            path, f"*{self.when['path']}"
        ):
            return False
        self.seen += 1
        hit: bool = (
            (not self.when["nth"] or self.seen == self.when["nth"])
            and (not self.when["every"] or self.seen % self.when["every"] == 0)
            and (not self.when["times"] or self.struck < self.when["times"])
            and bool(self.when["chance"] >= 1 or random.random() < self.when["chance"])
        )
        self.struck += hit
        return hit

    def shown(self) -> dict[str, Any]:
        """The rule as JSON, with its counts."""
        when = {k: v for k, v in self.when.items() if v != _WHEN[k]}
        return {"do": self.do, **self.members, "when": when, "seen": self.seen, "struck": self.struck}


@dataclass(slots=True)
class Faults:
    """The rules in force."""

    random: Random
    rules: list[Rule] = field(default_factory=list)

    def pick(self, method: str, path: str) -> list[Rule]:
        """The rules that strike this request, in their order."""
        return [rule for rule in self.rules if rule.strikes(method, path, self.random)]

    def add(self, given: Any) -> list[Rule]:
        """Take in rules from JSON, all or none. Errors: ValueError, saying which member is wrong."""
        rules = [read(rule) for rule in given] if isinstance(given, list) else [read(given)]
        self.rules += rules
        return rules


def read(given: Any) -> Rule:
    """One rule from JSON. Errors: ValueError."""
    if not isinstance(given, dict) or given.get("do") not in KINDS:
        raise ValueError(f"a fault is an object whose do is one of {', '.join(KINDS)}")
    defaults = KINDS[given["do"]][1]
    when = given.get("when", {})
    if not isinstance(when, dict):
        raise ValueError("when must be an object")
    _only(given, {*defaults, "do", "when"}, given["do"])
    _only(when, set(_WHEN), "when")
    members = {name: given.get(name, default) for name, default in defaults.items()}
    for name, default in defaults.items():
        _same_kind(f"{given['do']}.{name}", members[name], default)
    for name, value in when.items():
        _same_kind(f"when.{name}", value, _WHEN[name])
    return Rule(given["do"], members, _WHEN | when)


def _only(given: Iterable[str], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"{where} has no member {unknown[0]!r}; it may have {', '.join(sorted(known))}")


def _same_kind(name: str, value: Any, default: Any) -> None:
    number = isinstance(default, (int, float))
    fits = (
        (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e6)
        if number
        else isinstance(value, type(default))
    )
    if not fits and not (name == "429.retry_after" and value is None):
        raise ValueError(f"{name} must be {'a number' if number else 'a ' + type(default).__name__}")


def bad_day(severity: float) -> list[dict[str, Any]]:
    """The rules of a bad day: a bit of everything that the network and the API do. severity: 0 to 1."""
    kinds = ("latency", "429", "5xx", "reset", "lost", "half", "shuffle", "moving-pages")
    reads = {"shuffle", "moving-pages"}
    return [
        {"do": kind, "when": {"chance": severity / len(kinds), "method": "GET" if kind in reads else "*"}}
        for kind in kinds
    ]
