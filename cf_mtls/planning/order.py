"""Changes become steps, in an order that widens trust before it is demanded.

Rules of this file:
- The order is the sort key (phase, address).
- Every step names the change that caused it and carries the value after it.
- A CA goes up together with its hostnames only where nothing is served by them yet.

Source: the API refuses to delete an associated CA (facts 1.8); a hostname without a CA locks everyone out
where a certificate is demanded (facts 4.6).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.model.plan import Action, Phase, Step
from cf_mtls.model.resources import AccessApplication, CaCertificate, host_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cf_mtls.model.plan import Change
    from cf_mtls.model.state import State

CERTIFICATE_RULES = frozenset({"certificate", "common_name"})


def order(changes: Iterable[Change], actual: State) -> tuple[Step, ...]:
    """The steps of all changes, by phase and then by address."""
    served = served_hosts(actual)
    steps = [step for change in changes for step in _steps(change, served)]
    return tuple(sorted(steps, key=lambda step: (step.phase, step.address)))


def served_hosts(actual: State) -> frozenset[str]:
    """Hostnames that a CA or an application stands on already."""
    trusted = {host for _, ca in actual.of(CaCertificate) for host in ca.associated_hostnames}
    demanded = {host_of(domain) for _, app in actual.of(AccessApplication) for domain in app.domains}
    return frozenset(trusted | demanded)


def _steps(change: Change, served: frozenset[str]) -> Iterator[Step]:
    match change.before, change.after:
        case (None, CaCertificate() as ca):
            yield from _upload(change, ca, served)
        case (CaCertificate() as old, CaCertificate() as ca):
            yield from _move(change, old, ca)
        case (CaCertificate() as old, None):
            if old.associated_hostnames:
                bare = replace(old, associated_hostnames=())
                yield Step(Phase.NARROW, change.address, bare, change.address, "detached")
            yield Step(Phase.DELETE, change.address, None, change.address)
        case (AccessApplication() | None, AccessApplication() | None):
            yield Step(_application_phase(change), change.address, change.after, change.address)
        case _:
            yield Step(Phase.SETTINGS, change.address, change.after, change.address, "settled")


def _upload(change: Change, ca: CaCertificate, served: frozenset[str]) -> Iterator[Step]:
    if not served & set(ca.associated_hostnames):
        yield Step(Phase.UPLOAD, change.address, ca, change.address)
        return
    yield Step(Phase.UPLOAD, change.address, replace(ca, associated_hostnames=()), change.address)
    yield Step(Phase.WIDEN, change.address, ca, change.address)


def _move(change: Change, old: CaCertificate, ca: CaCertificate) -> Iterator[Step]:
    before, after = set(old.associated_hostnames), set(ca.associated_hostnames)
    if after - before or old.name != ca.name:
        union = tuple(sorted(before | after))
        yield Step(Phase.WIDEN, change.address, replace(ca, associated_hostnames=union), change.address)
    if before - after:
        yield Step(Phase.NARROW, change.address, ca, change.address, None if after else "detached")


def _application_phase(change: Change) -> Phase:
    if change.action is Action.DELETE:
        return Phase.RELEASE
    stops = _demands(change.before) and not _demands(change.after)
    return Phase.RELEASE if stops else Phase.DEMAND


def _demands(resource: object) -> bool:
    """Whether any policy of an application names a certificate."""
    return isinstance(resource, AccessApplication) and any(
        rule.kind in CERTIFICATE_RULES
        for policy in resource.policies
        for rule in (*policy.include, *policy.require)
    )
