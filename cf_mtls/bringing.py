"""The use cases around what exists already: import brings it into a file, the doctor looks what is in the way.

Rules of this file:
- From values to values; it prints nothing, writes no file and reads no environment.
- Both are handed a `Reader`, which can only GET.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Failure
from cf_mtls.model.coverage import Coverage
from cf_mtls.model.state import State
from cf_mtls.planning.basis import resting
from cf_mtls.planning.ownership import homes
from cf_mtls.workflow import actual, covered, scope_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from cf_mtls.bring.draft import Draft
    from cf_mtls.bring.entries import Entry
    from cf_mtls.bring.select import Wish
    from cf_mtls.declare.resolve import Stack
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.evidence import Handshake
    from cf_mtls.remote.doctor import Readings
    from cf_mtls.remote.findings import Finding
    from cf_mtls.remote.gateway import Reader
    from cf_mtls.remote.snapshot import Snapshot
    from cf_mtls.workflow import Account


def bring(account: Account, wish: Wish, files: Mapping[str, bytes], at: datetime) -> tuple[Draft, State]:
    """A plan file for what exists, whose plan is empty, and what exists. Only reads; writes no file.

    files: where chains are looked for, path to bytes. at: an aware moment.
    """
    from cf_mtls.bring.draft import draft, heading, settle
    from cf_mtls.bring.match import match
    from cf_mtls.bring.select import select
    from cf_mtls.model.resources import CaCertificate

    there = actual(account)
    selection = select(there, wish)
    cas = {a: r for a, r in selection.chosen.items() if isinstance(r, CaCertificate)}
    head = heading(wish.stack, scope_of(None, account), at)
    return settle(draft(selection, match(cas, files, at), head), there, wish.stack, at), there


def missing_from(stack: Stack, made: Draft, there: State) -> Draft:
    """The part of a draft that an existing stack does not manage yet, under labels that its file does not use."""
    moved = homes(stack.state, there, stack.name)
    managed = frozenset(moved.get(address, address) for address in stack.state)
    entries = tuple(entry for entry in made.entries if entry.address not in managed)
    skipped = tuple(s for s in made.skipped if s.address not in managed)
    return replace(made, head="", entries=tuple(_relabelled(entries, stack)), skipped=skipped)


def _relabelled(entries: Iterable[Entry], stack: Stack) -> Iterator[Entry]:
    """Entries, each under a label that neither the file nor another entry has. A setting's label is its hostname."""
    from cf_mtls.bring.entries import free

    taken = {_label_at(place.path) for place in stack.places.values()}
    for entry in entries:
        named = entry.section != "hostname_settings"
        label = free(entry.section, entry.label, taken) if named else entry.label
        taken.add((entry.section, label))
        yield replace(entry, label=label)


def _label_at(path: str) -> tuple[str, str]:
    """Section and label of a place in a plan file, such as `certificates.penang.chain`."""
    section, _, rest = path.partition(".")
    return section, rest.partition(".")[0]


def doctor(
    account: Account, stack: Stack | None, at: datetime, look: Callable[[str], Handshake] | None = None
) -> tuple[Finding, ...]:
    """What stands in the way, found with GETs alone. stack: whose hostnames to look at. at: aware.

    look: how to see whether the edge asks for a certificate on a hostname; None looks at no edge.
    """
    from cf_mtls.remote import doctor as asking
    from cf_mtls.remote.diagnosis import diagnose
    from cf_mtls.remote.findings import Declared
    from cf_mtls.remote.gateway import Reader, client_for

    scope, name = scope_of(stack, account), stack.name if stack else ""
    hosts = stack.hosts if stack else frozenset()
    with client_for(account.token, account.base_url, account.pace.run) as client:
        reader = asking.Once(Reader(client))
        readings = asking.read(reader, scope, account.token or "", hosts)
        seen, why = _as_plan_reads(reader, readings, hosts, name) if stack else (None, ())
    edge = {host: look(host) for host in readings.hosts if not host.startswith("*")} if look else {}
    readings = replace(readings, edge=edge)
    declared = stack.state if stack else State()
    if seen is None:
        return diagnose(readings, Declared(name, declared, at, why=why))
    coverage = covered(seen, declared, name, {}, ())
    return diagnose(readings, Declared(name, declared, at, seen.state, coverage))


def permissions(stack: Stack) -> tuple[str, ...]:
    """What a token must be allowed for plan and drift of a file, by the file alone: nobody is asked.

    Not known then: groups that reusable policies and other applications on its hostnames refer to.
    """
    from cf_mtls.remote.account_checks import needed

    return needed(resting(Coverage(), stack.state, stack.state, stack.name).rests_on)


def _as_plan_reads(
    reader: Reader, readings: Readings, hosts: Collection[str], name: str
) -> tuple[Snapshot | None, tuple[Diagnostic, ...]]:
    """The account as plan and drift read it, or why it could not be; nothing is waited for."""
    from cf_mtls.remote.findings import ok
    from cf_mtls.remote.pace import Pace
    from cf_mtls.remote.snapshot import read

    if not all(ok(readings.access[part]) for part in ("certificates", "settings", "applications")):
        return None, ()
    try:
        return read(reader, readings.scope, Pace(stopping=lambda: True), hosts, {name}), ()
    except Failure as failed:
        return None, failed.diagnostics
