"""A plan file as read becomes a `Stack`: the desired `State`, who the clients are, and what is wrong.

Rules of this file:
- Pure: the files' bytes and the time come in.
- Gathers every problem, each at the place in the plan file that causes it.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from cf_mtls.declare.applications import applications, targets
from cf_mtls.declare.clients import Clients
from cf_mtls.declare.ledger import Ledger
from cf_mtls.declare.semantics import semantics
from cf_mtls.declare.trust import Trust
from cf_mtls.diagnostics import Code, Fault, Severity, has_errors
from cf_mtls.model.plan import Removed
from cf_mtls.model.resources import (
    AccessApplication,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    hosts_on,
)
from cf_mtls.model.state import State
from cf_mtls.model.waiver import Waiver
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path as FilePath

    from cf_mtls.declare.files import Source
    from cf_mtls.declare.yaml_text import Path
    from cf_mtls.diagnostics import Diagnostic, Place
    from cf_mtls.model.people import Asker, Client, Shown, Target

BOTH_SCOPES = Code("scope.both", Severity.ERROR, Fault.FILE, "account_id and zone_id cannot both be given")

REMOVED_PIN = Code("removed.pinned", Severity.ERROR, Fault.FILE, "a removed id is still declared")
NO_FINDING = Code("waiver.no-finding", Severity.WARNING, Fault.FILE, "a waiver names no difference")
REMOVED_TWICE = Code("removed.twice", Severity.ERROR, Fault.FILE, "an id is removed twice")


@dataclass(frozen=True, slots=True)
class Stack:
    """A plan file, understood."""

    name: str
    account_id: str | None
    zone_id: str | None
    state: State
    """Desired; only what the file declares, so an application holds no field that the file leaves out."""
    places: Mapping[Address, Place]
    clients: tuple[Client, ...]
    targets: tuple[Target, ...]
    diagnostics: tuple[Diagnostic, ...]
    askers: Mapping[str, Asker]
    """Each client whose certificate could be read, as Access would see it."""
    waivers: tuple[Waiver, ...] = ()
    shown: Mapping[str, Shown] = field(default_factory=dict)
    """What the file of each of them shows to the edge."""
    client_places: Mapping[str, Place] = field(default_factory=dict)
    """Where something is demanded of each client, else where it is declared."""
    folders: tuple[FilePath, ...] = ()
    """The folders in which its chain files lie."""
    at: datetime | None = None
    """The aware moment for which it was resolved."""
    removed: tuple[Removed, ...] = ()
    """Ids that are retired or forgotten."""

    @property
    def hosts(self) -> frozenset[str]:
        """Every hostname that the file names."""
        return frozenset(host for resource in self.state.values() for host in hosts_on(resource))


def resolve(source: Source, at: datetime) -> Stack:
    """The stack that a plan file declares; everything wrong with it is in `diagnostics`, in file order.

    at: an aware moment, for what expires.
    """
    ledger, document = Ledger(source, at), source.document
    if document.account_id and document.zone_id:
        detail = "A stack lives in one account or in one zone."
        ledger.problem(BOTH_SCOPES, ("zone_id", "?key"), detail, "Take one of them out.")
    trust = Trust(ledger)
    _settings(ledger)
    applications(ledger)
    clients = Clients(ledger, trust)
    removed, waivers = tuple(_removed(ledger)), tuple(_waivers(ledger))
    state = State(ledger.resources)
    if not has_errors(ledger.found):
        _judge(ledger, state, clients)
    return Stack(
        document.stack,
        document.account_id,
        document.zone_id,
        state,
        ledger.places,
        clients.listed,
        tuple(targets(document)),
        tuple(sorted(ledger.found, key=lambda d: (d.place.line, d.place.column) if d.place else (0, 0))),
        clients.askers,
        waivers,
        clients.shown,
        clients.places,
        tuple(sorted({source.beside(name).parent for name in source.chains})),
        at,
        removed,
    )


def _settings(ledger: Ledger) -> None:
    for host, address, settings in _declared_settings(ledger.source):
        ledger.add(address, settings, ("hostname_settings", host))


def settings_of(source: Source) -> dict[Address, tuple[HostnameSettings, Place]]:
    """What a plan file declares for hostnames, each with its place."""
    return {
        address: (settings, source.reading.place(("hostname_settings", host)))
        for host, address, settings in _declared_settings(source)
    }


def _declared_settings(source: Source) -> Iterator[tuple[str, Address, HostnameSettings]]:
    for host, found in source.document.hostname_settings.items():
        settings = HostnameSettings(host, found.client_certificate_forwarding, found.china_network)
        yield host, Address(Kind.SETTINGS, host), settings


def _removed(ledger: Ledger) -> Iterator[Removed]:
    """The ids that leave, each once and pinned by nothing else in the file."""
    pins = {r.id: a for a, r in ledger.resources.items() if isinstance(r, CaCertificate | AccessApplication)}
    seen: set[str] = set()
    for index, found in enumerate(ledger.source.document.removed):
        path = ("removed", index)
        if found.id in pins:
            line = ledger.places[pins[found.id]].line
            detail = f"The id {found.id} is pinned at line {line} too."
            ledger.problem(REMOVED_PIN, path, detail, "Take one of the two out.")
        elif found.id in seen:
            ledger.problem(REMOVED_TWICE, path, f"The id {found.id} is listed before.", "List it once.")
        seen.add(found.id)
        yield Removed(found.id, found.destroy, ledger.source.reading.place(path))


def _judge(ledger: Ledger, state: State, clients: Clients) -> None:
    """Gather the warnings about who gets in."""
    for address, found in semantics(state, clients.welcome):
        place = ledger.places[address]
        ledger.found.append(found.at(place, ledger.source.reading.source(place)))


ENDS = re.compile(r"certificate/.*|certificates\..*|client/.*|token")
"""The addresses at which an end is reported, which may be waived whatever it is."""


def _waivers(ledger: Ledger) -> Iterator[Waiver]:
    for index, found in enumerate(ledger.source.document.waivers):
        path: Path = ("waivers", index)
        if found.finding is None and not ENDS.fullmatch(found.address):
            detail = f"The waiver for {found.address} covers nothing that could let somebody in."
            fix = (
                "Write `finding:` with the digest that drift shows beside the difference it is for:\n"
                f"    cf-mtls drift {ledger.source.path}"
            )
            ledger.problem(NO_FINDING, path, detail, fix)
        place = ledger.source.reading.place(path)
        yield Waiver(found.address, found.reason, found.owner, found.until, found.finding, place)
