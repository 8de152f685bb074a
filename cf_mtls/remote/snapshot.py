"""Read a whole scope once: the actual `State`.

Rules of this file:
- List calls only, side by side, pages as wide as allowed; it is handed a `Reader`, which can only GET.
- What cannot be understood is Cloudflare's answer at fault, said with the path; nothing is skipped silently.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from cf_mtls.diagnostics import Code, Failure, Fault, Severity
from cf_mtls.model.resources import Address, HostnameSettings
from cf_mtls.model.state import State
from cf_mtls.quick import dataclass
from cf_mtls.remote import wire
from cf_mtls.remote.elsewhere import read_elsewhere, together
from cf_mtls.remote.errors import PERMISSION, decoded
from cf_mtls.remote.pages import APPLICATIONS, CERTIFICATES, GROUPS, POLICIES, SETTINGS, pages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import TypeAlias

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.resources import Resource, Scope
    from cf_mtls.remote.gateway import Reader
    from cf_mtls.remote.pace import Pace

    Decoder: TypeAlias = Callable[[Iterable[Any]], dict[Address, Resource]]

UNSEEN_GROUPS = Code("groups.unseen", Severity.WARNING, Fault.INVOCATION, "groups cannot be read")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A scope as read: its state, and what could not be seen without harm."""

    state: State
    diagnostics: tuple[Diagnostic, ...]


def read(reader: Reader, scope: Scope, pace: Pace, hosts: Collection[str] = ()) -> Snapshot:
    """Everything in a scope that this program knows of. Raises Failure when any part could not be read.

    hosts: those for which the other scope counts too (see `elsewhere`).
    Only that and groups may stay unseen, for want of a permission; rules that refer to groups then count as unknown.
    Reusable policies exist in accounts only (facts 4.1).
    """
    jobs: list[tuple[str, Decoder]] = [
        (CERTIFICATES, lambda raws: dict(map(wire.certificate, raws))),
        (SETTINGS, _settings),
        (APPLICATIONS, lambda raws: dict(map(wire.application, raws))),
    ]
    if scope.kind == "account":
        jobs.append((POLICIES, lambda raws: dict(map(wire.reusable_policy, raws))))
    with ThreadPoolExecutor(len(jobs) + 2) as pool:
        rows = [pool.submit(_understood, reader, scope.path + path, pace, decode) for path, decode in jobs]
        groups = pool.submit(_groups, reader, scope.path + GROUPS, pace)
        others = pool.submit(read_elsewhere, reader, scope, hosts, pace)
    found = {address: resource for row in rows for address, resource in row.result().items()}
    (seen, said), (beside, unseen) = groups.result(), others.result()
    return Snapshot(State(together({**found, **seen}, beside)), (*said, *unseen))


def _groups(reader: Reader, path: str, pace: Pace) -> tuple[dict[Address, Resource], tuple[Diagnostic, ...]]:
    try:
        return _understood(reader, path, pace, lambda raws: dict(map(wire.group, raws))), ()
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
    return {a: s for a, s in map(wire.settings, raws) if s != HostnameSettings(s.hostname)}
