"""Read a whole scope once: the actual `State`.

Rules of this file:
- List calls only, side by side, pages as wide as allowed; it is handed a `Reader`, which can only GET.
- What cannot be understood is Cloudflare's answer at fault, said with the path; nothing is skipped silently.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from cf_mtls.model.coverage import Coverage, Part
from cf_mtls.model.marks import stack_of
from cf_mtls.model.resources import (
    AccessApplication,
    Address,
    CaCertificate,
    HostnameSettings,
    hosts_on,
)
from cf_mtls.model.state import State
from cf_mtls.quick import dataclass
from cf_mtls.remote import wire
from cf_mtls.remote.elsewhere import Beside, find_beside, read_beside, together
from cf_mtls.remote.errors import PERMISSION, decoded
from cf_mtls.remote.pages import APPLICATIONS, CERTIFICATES, GROUPS, POLICIES, SETTINGS, pages
from cf_mtls.remote.shape import every

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.resources import Resource, Scope
    from cf_mtls.remote.gateway import Reader
    from cf_mtls.remote.pace import Pace

    Decoder: TypeAlias = Callable[[Iterable[Any]], dict[Address, Resource]]

UNSEEN_GROUPS = Code("groups.unseen", Severity.WARNING, Fault.INVOCATION, "groups cannot be read")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A scope as read: its state, what was looked at for it, and what lies beside it."""

    state: State
    coverage: Coverage
    beside: Beside = field(default_factory=Beside)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Why something could not be read, each reason once."""
        return tuple(dict.fromkeys(d for why in self.coverage.unread.values() for d in why))


def read(
    reader: Reader,
    scope: Scope,
    pace: Pace,
    hosts: Collection[str] = (),
    stacks: Collection[str] = (),
) -> Snapshot:
    """Everything in a scope that this program knows of. Raises Failure when any part could not be read.

    hosts: those for which the other scopes count too (see `elsewhere`). stacks: whose things' hostnames count as well.
    Without any of both nothing but the scope itself is read.
    Only other scopes and groups may stay unread, for want of a permission, as the coverage says; rules that refer to
    groups then count as unknown. Reusable policies exist in accounts only (facts 4.1).
    """
    jobs: list[tuple[str, Decoder]] = [
        (CERTIFICATES, lambda raws: dict(every(raws, wire.certificate))),
        (SETTINGS, _settings),
        (APPLICATIONS, lambda raws: dict(every(raws, wire.application))),
    ]
    if scope.kind == "account":
        jobs.append((POLICIES, lambda raws: dict(every(raws, wire.reusable_policy))))
    looks_beside = bool(hosts or stacks)
    with ThreadPoolExecutor(len(jobs) + 2) as pool:
        rows = [pool.submit(_understood, reader, scope.path + path, pace, decode) for path, decode in jobs]
        groups = pool.submit(_groups, reader, scope.path + GROUPS, pace)
        others = pool.submit(find_beside, reader, scope, pace) if looks_beside else None
    found = {address: resource for row in rows for address, resource in row.result().items()}
    seen, said = groups.result()
    beside = others.result() if others else Beside()
    near = {*hosts, *hosts_of_stacks(found.values(), stacks)}
    things, unread = read_beside(reader, scope, beside, near, pace)
    unread[Part.GROUPS] = (*said, *unread.get(Part.GROUPS, ()))
    coverage = _coverage(scope, unread, looks_beside=looks_beside)
    return Snapshot(State(together({**found, **seen}, things)), coverage, beside)


def _coverage(scope: Scope, unread: Mapping[str, tuple[Diagnostic, ...]], *, looks_beside: bool) -> Coverage:
    """What was read: a part of which something could not be read is not whole."""
    left = {Part.POLICIES} if scope.kind == "zone" else set()
    left |= set() if looks_beside else {Part.BESIDE}
    failed = {name: why for name, why in unread.items() if why}
    return Coverage(frozenset(Part) - left - failed.keys(), failed, frozenset(left))


def hosts_of_stacks(resources: Iterable[Resource], stacks: Collection[str]) -> Iterator[str]:
    """The hostnames of what carries the mark of one of these stacks."""
    for resource in resources:
        if isinstance(resource, CaCertificate | AccessApplication) and stack_of(resource.name) in stacks:
            yield from hosts_on(resource)


def _groups(reader: Reader, path: str, pace: Pace) -> tuple[dict[Address, Resource], tuple[Diagnostic, ...]]:
    try:
        return _understood(reader, path, pace, lambda raws: dict(every(raws, wire.group))), ()
    except Failure as failed:
        if [d.code for d in failed.diagnostics] != [PERMISSION]:
            raise
        detail = (
            "Rules that refer to a group count as unknown: somebody may meet them. "
            + failed.diagnostics[0].detail
        )
        return {}, (UNSEEN_GROUPS.found(detail, failed.diagnostics[0].fix),)


def _understood(reader: Reader, path: str, pace: Pace, decode: Decoder) -> dict[Address, Resource]:
    return decoded(decode, list(pages(reader, path, pace)), f"GET {path}")


def _settings(raws: Iterable[Any]) -> dict[Address, Resource]:
    """Settings that say something: both false equals absent (facts 2)."""
    return {a: s for a, s in every(raws, wire.settings) if s != HostnameSettings(s.hostname)}
