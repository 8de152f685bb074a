"""What of an account goes into the plan file, and why the rest does not.

Rules of this file:
- Pure. Every thing of a kind that a file can declare is either chosen or has a sentence why not.
- What carries this stack's own mark is always chosen: left out, the next plan would delete it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.match import covers
from cf_mtls.model.marks import stack_of
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    hosts_on,
)
from cf_mtls.model.rules import CERTIFICATE_RULES
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cf_mtls.model.resources import Resource
    from cf_mtls.model.state import State


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. only: hostnames, none means all."""

    stack: str
    only: frozenset[str] = frozenset()
    all_applications: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something left out of the file, and so never touched."""

    address: Address
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, and what was not."""

    chosen: dict[Address, Resource]
    skipped: tuple[Skipped, ...]


def select(actual: State, wish: Wish) -> Selection:
    """The choice."""
    chosen: dict[Address, Resource] = {}
    skipped = []
    things = [(a, r) for a, r in actual.items() if isinstance(r, CaCertificate | AccessApplication)]
    for address, thing in things:
        why = _why_not(thing, wish, actual)
        if why:
            skipped.append(Skipped(address, thing.name, why))
        else:
            chosen[address] = thing
    hosts = {host for thing in chosen.values() for host in hosts_on(thing)}
    for address, settings in actual.of(HostnameSettings):
        if settings.hostname in hosts:
            chosen[address] = settings
        else:
            skipped.append(Skipped(address, "", "nothing of this file stands on that hostname"))
    return Selection(chosen, tuple(skipped))


def _why_not(thing: CaCertificate | AccessApplication, wish: Wish, actual: State) -> str:
    """Why it is not chosen, '' when it is."""
    owner = stack_of(thing.name)
    if thing.elsewhere:
        return f"it lives in {thing.elsewhere}, which this file does not manage"
    if owner == wish.stack:
        return ""
    if owner:
        return f"it carries the mark of the stack {owner}, whose own plan file manages it"
    if wish.only and not any(covers(h, host, "/") for h in hosts_on(thing) for host in wish.only):
        return "it is on none of the hostnames asked for"
    return "" if isinstance(thing, CaCertificate) else _why_not_application(thing, wish, actual)


def _why_not_application(app: AccessApplication, wish: Wish, actual: State) -> str:
    kind = app.fields.get("type") or "self_hosted"
    if kind != "self_hosted":
        return f"it is of type {kind}, not self_hosted"
    if not wish.all_applications and not asks_for_certificates(app, actual):
        return "no policy of it asks for a certificate (--all-applications brings it)"
    return ""


def asks_for_certificates(app: AccessApplication, actual: State) -> bool:
    """Whether any include or require of its policies names a certificate, directly or through groups."""
    groups = {group.id: group for _, group in actual.of(AccessGroup)}
    return any(kind in CERTIFICATE_RULES for policy in app.policies for kind in _kinds(policy, groups, ()))


def _kinds(
    holder: AccessPolicy | AccessGroup, groups: dict[str, AccessGroup], seen: tuple[str, ...]
) -> Iterator[str]:
    for rule in (*holder.include, *holder.require):
        yield rule.kind
        inner = groups.get(_group_id(rule.value)) if rule.kind == "group" else None
        if inner and inner.id not in seen:
            yield from _kinds(inner, groups, (*seen, inner.id))


def _group_id(value: object) -> str:
    found = value.get("id") if hasattr(value, "get") else None
    return found if isinstance(found, str) else ""


def hostnames(texts: Iterable[str]) -> frozenset[str]:
    """Hostnames as typed, in lower case."""
    return frozenset(text.lower().rstrip(".") for text in texts)
