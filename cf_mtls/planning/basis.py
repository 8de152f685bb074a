"""What the words about a stack rest on: every part of the account that decides who gets in where it declares something.

Rules of this file:
- An audience, a waiver and a comparison of ours rest on the same: what the account has of what is declared, whatever
  else can decide on the same hosts, and what the rules of all of it refer to, groups within groups too.
- What a rule refers to by an id counts as read only when that very thing was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.access.match import Hosts, standing
from cf_mtls.access.reach import concrete, hosts_of
from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.coverage import Part
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    Address,
    Kind,
    hosts_on,
)
from cf_mtls.model.rules import member
from cf_mtls.planning.ownership import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.coverage import Coverage
    from cf_mtls.model.state import State

NOT_LISTED = Code("groups.not-listed", Severity.WARNING, Fault.ACCOUNT, "a group is in no list that was read")

ALWAYS = frozenset({Part.CERTIFICATES, Part.SETTINGS, Part.APPLICATIONS})


def resting(
    coverage: Coverage, declared: State, actual: State, stack: str, zoneless: Sequence[Diagnostic] = ()
) -> Coverage:
    """The coverage for whatever is said of a stack. actual: the account as read.

    zoneless: for each hostname that lies in no zone which was read, that it does.
    A file that declares nothing, of which the account has nothing, rests on the lists of its own scope alone.
    """
    if zoneless:
        why = (*coverage.unread.get(Part.BESIDE, ()), *zoneless)
        coverage = coverage.resting_on((), {Part.BESIDE: why})
    known = (*declared.values(), *(r for r in actual.values() if is_ours(r, stack)))
    near = _near(actual, {host for resource in known for host in hosts_on(resource)})
    applications = [*near, *(r for r in known if isinstance(r, AccessApplication))]
    policies = [policy for app in applications for policy in app.policies]
    names: set[str] = {*ALWAYS, *([Part.BESIDE] if known else [])}
    if any(p.reusable for app in applications if app.elsewhere is None for p in app.policies):
        names.add(Part.POLICIES)
    named = _groups(policies, actual)
    missing = sorted(group for group, there in named.items() if not there)
    if named:
        names.add(Part.GROUPS)
    if Part.GROUPS in coverage.unread:
        return coverage.resting_on(names, {})
    return coverage.resting_on(
        (*names, *(f"group {group}" for group in missing)),
        {f"group {group}": (_not_listed(group),) for group in missing},
    )


def _near(actual: State, hosts: set[str]) -> list[AccessApplication]:
    """The applications that can decide on some of these hosts, which may have wildcards."""
    known = Hosts(hosts_of(actual))
    found = frozenset().union(*(known.covered_by(h) | {concrete(h)} for h in hosts))
    return list({a: app for host in sorted(found) for a, app, _ in standing(actual, host)}.values())


def _groups(policies: Iterable[AccessPolicy], actual: State) -> dict[str, bool]:
    """The ids of the groups that rules refer to, by whatever way, and whether each was read."""
    found: dict[str, bool] = {}
    waiting: list[AccessPolicy | AccessGroup] = list(policies)
    while waiting:
        for id_ in _named(waiting.pop()):
            if id_ not in found:
                group = actual.get(Address(Kind.GROUP, id_))
                found[id_] = isinstance(group, AccessGroup)
                waiting += [group] if isinstance(group, AccessGroup) else []
    return found


def _named(rules: AccessPolicy | AccessGroup) -> Iterator[str]:
    for rule in (*rules.include, *rules.require, *rules.exclude):
        if rule.kind == "group" and (id_ := member(rule, "id")):  # an emptied one selects nobody: facts 4.4
            yield id_


def _not_listed(group: str) -> Diagnostic:
    detail = f"A rule refers to the group {group}, and no list that this token may read shows it."
    return NOT_LISTED.found(
        detail, "Look whether it still exists, and let the token read the groups of its scope."
    )
