"""One stack against the account: every difference, foreign danger and coming end, each as a finding.

Rules of this file:
- Pure: what is declared, what is there and the time come in.
- Nothing is ordered or allowed here: whether a plan could be applied is no question of drift.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from cf_mtls.access.doors import doorways
from cf_mtls.access.reach import concrete
from cf_mtls.diagnostics import Place
from cf_mtls.model.ends import End
from cf_mtls.model.marks import stack_of
from cf_mtls.model.resources import (
    AccessApplication,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    host_of,
    hosts_on,
)
from cf_mtls.model.state import State
from cf_mtls.planning import baseline, drift, grounds
from cf_mtls.planning.admission import with_bundles
from cf_mtls.planning.contents import doubts
from cf_mtls.planning.diff import diff
from cf_mtls.planning.drift import Class, Finding
from cf_mtls.planning.foreign import lets_in_more, weakenings
from cf_mtls.planning.host_settings import unmanaged_note
from cf_mtls.planning.ownership import is_ours, is_pinned, merge
from cf_mtls.planning.withdrawal import withdrawals
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.coverage import Coverage
    from cf_mtls.model.plan import Change, Removed
    from cf_mtls.model.resources import Resource
    from cf_mtls.planning.ownership import Merged
    from cf_mtls.planning.saved import Saved


@dataclass(frozen=True, slots=True)
class Known:
    """What one check knows of a stack besides the account."""

    file: str
    stack: str
    declared: State
    places: Mapping[Address, Place] = field(default_factory=dict)
    ends: Sequence[End] = ()
    """When clients, the token and each certificate of a CA's file end."""
    managed: frozenset[Address] = frozenset()
    """The account's CAs that other stacks of the same run declare."""
    applied: tuple[Saved, ...] = ()
    """The plans of this stack that were applied, the last one last: the only evidence of what is pending."""
    before: State | None = None
    """What the file declared before its last commit."""
    removed: Sequence[Removed] = ()
    """Ids that the file retires or forgets."""
    stacks: frozenset[str] | None = None
    """Every stack that is declared in this scope; None where not every plan file was given and read."""
    beside: Sequence[str] = ()
    """The PEM of CAs of ours that left the file, as far as it was found beside its chains."""


def findings(known: Known, actual: State, now: datetime, within: timedelta) -> tuple[Finding, ...]:
    """Everything found, by class and then by address. now: aware; within: what ends sooner is reported."""
    merged = merge(known.declared, actual, known.stack, removed=known.removed)
    changes = diff(actual, merged.desired)
    weak = list(_weakened(known, merged))
    found = [
        *_differences(known, actual, merged, changes),
        *weak,
        *_expiring(known, actual, merged, now, within),
        *_unmanaged(known, actual, merged, {finding.address for finding in weak}),
    ]
    order = list(Class)
    return tuple(sorted(found, key=lambda f: (order.index(f.kind), f.address, f.essence)))


def ends(known: Known, actual: State, now: datetime, within: timedelta) -> tuple[Finding, ...]:
    """What of the stack ends within a time, or has ended. now: aware."""
    return tuple(_expiring(known, actual, merge(known.declared, actual, known.stack), now, within))


def said_of_contents(known: Known, actual: State, now: datetime) -> tuple[Diagnostic, ...]:
    """Notes on the CAs of which nobody proved what they hold, and on those that were taken out or are to be.

    What is said of their clients rests on that. Taken out by an applied plan or since, without one by the file's last
    commit, and out of what the account holds as far as its contents are known. Each is said once. now: aware.
    """
    merged = merge(known.declared, actual, known.stack, removed=known.removed)
    taken = [d for before in _befores(known) for d in withdrawals(before, known.declared, now)]
    taken += withdrawals(_ours_with_contents(known, actual), merged.desired, now)
    once = {(d.code.code, d.detail): d for d in taken}
    return (*doubts(merged.desired, {merged.moved.get(a, a) for a in known.declared}), *once.values())


def _befores(known: Known) -> Iterator[State]:
    """What stood before, as applied plans found and left it; without any, by the file before its last commit."""
    for plan in known.applied:
        yield _by_contents(State((c.address, c.before) for c in plan.changes if c.before is not None))
        yield _by_contents(plan.applied)
    if known.before is not None and not known.applied:
        yield known.before


def _by_contents(state: State) -> State:
    """The CAs of a state at the addresses that files give them: those of the account go by ids."""
    cas = ((address, ca) for address, ca in state.of(CaCertificate))
    return State((Address(Kind.CERTIFICATE, ca.sha256) if ca.sha256 else a, ca) for a, ca in cas)


def _ours_with_contents(known: Known, actual: State) -> State:
    """The CAs of this stack in the account, with what is known to be in them."""
    states = (known.declared, *_befores(known))
    bundles = {ca.pem for state in states for _, ca in state.of(CaCertificate) if ca.pem} | {*known.beside}
    ours = State((a, ca) for a, ca in actual.of(CaCertificate) if is_ours(ca, known.stack))
    return with_bundles(ours, sorted(bundles), known.stack)


def turned(known: Known, actual: State) -> frozenset[str]:
    """The hosts that are open or shut otherwise than the file says, as `open HOST` and `shut HOST`."""
    merged = merge(known.declared, actual, known.stack, removed=known.removed)
    hosts = {host for resource in merged.ours.values() for host in hosts_on(resource)}
    ways = doorways(actual, merged.desired, hosts)
    opened = {way.before.host for way in ways if lets_in_more(way.before, way.after)}
    shut = {way.before.host for way in ways if lets_in_more(way.after, way.before)}
    opened |= {concrete(host_of(found.domain)) for found in weakenings(merged.desired, merged.ours)}
    return frozenset((*(f"open {host}" for host in opened), *(f"shut {host}" for host in shut)))


def _differences(known: Known, actual: State, merged: Merged, changes: Sequence[Change]) -> Iterator[Finding]:
    homes = {home: declared for declared, home in merged.moved.items()}
    pending, hints = _pending(known, actual, merged, changes), _hints(known, actual, changes)
    for change in changes:
        place = known.places.get(homes.get(change.address, change.address), Place(known.file))
        waiting = pending.get(change.address, frozenset())
        for kind, names in (
            (Class.PENDING, waiting),
            (Class.DRIFT, frozenset(change.attributes) - waiting),
        ):
            if names:
                differs = replace(change, attributes=tuple(sorted(names)))
                found = drift.of_change(differs, kind, place, grounds.of_change(actual, differs))
                hint = hints.get(change.address, "") if kind is Class.DRIFT else ""
                yield replace(found, says=found.says + hint) if hint else found
    addresses = {str(a): a for a in (*known.declared, *actual)}
    problems = [d for d in merged.diagnostics if d.is_error]
    # A foreign thing in our place, a pinned one that is gone.
    for problem in problems:
        yield drift.of_diagnostic(
            problem,
            Class.DRIFT,
            addresses,
            Place(known.file),
            lambda named: grounds.of_thing(actual, addresses[named]),
        )
    if (changes or problems) and not known.applied and _is_absent(known, actual, merged):
        yield Finding(Class.DRIFT, f"stack/{known.stack}", ABSENT, "absent", place=Place(known.file))


AS_COMMITTED = (
    "; as the file said before its last commit: if that was not applied yet, apply it"
    " (--applied PLANFILE tells pending from drift)"
)
AS_BEFORE = "; as before the plan that was applied: its apply did not end, or somebody undid it"

ABSENT = (
    "never applied, or all removed: nothing that the file declares is in the account, nothing there carries the mark"
    " of this stack, and no applied plan was given"
)


def _pending(
    known: Known, actual: State, merged: Merged, changes: Sequence[Change]
) -> Mapping[Address, frozenset[str]]:
    """The attributes of each change that only the file moved since what was applied; none without evidence."""
    applied = baseline.as_applied(known.applied, actual)
    return baseline.pending(applied, merged, actual, changes, known.stack) if applied else {}


def _hints(known: Known, actual: State, changes: Sequence[Change]) -> Mapping[Address, str]:
    """What is likely of a change, and proves nothing: the applied plan undone, or the file's last edit not applied."""
    if known.applied:
        return dict.fromkeys(baseline.as_before_applied(known.applied, actual), AS_BEFORE)
    if known.before is None:
        return {}
    likely = baseline.as_declared_before(known.stack, known.before, actual, changes)
    return dict.fromkeys(likely, AS_COMMITTED)


def _is_absent(known: Known, actual: State, merged: Merged) -> bool:
    """Whether nothing of a stack is in the account, by mark, by id or as settings."""
    if any(is_ours(there, known.stack) for there in actual.values()):
        return False
    there = ((wanted, actual[address]) for address, wanted in merged.ours.items() if address in actual)
    return not any(wanted == r or is_pinned(wanted, r) for wanted, r in there)


def unread(coverage: Coverage, place: Place) -> Iterator[Finding]:
    """What was not read and leaves open whether a stack is clean: each reason, or at least each part."""
    for why in coverage.why():
        yield drift.of_diagnostic(why, Class.UNCHECKED, (), place)
    for name in coverage.missing:
        if name not in coverage.unread:
            yield Finding(Class.UNCHECKED, name, f"{name}: nobody looked at them", "not asked", place=place)


def _weakened(known: Known, merged: Merged) -> Iterator[Finding]:
    for found in weakenings(merged.desired, merged.ours):
        says = f"{found.warning.code.summary}: {found.warning.detail}\n{found.warning.fix}"
        place = Place(known.file)
        rests_on = found.recognised()
        essence = f"{found.warning.code.code} {found.domain} {rests_on.content}"
        yield Finding(Class.WEAKENED, str(found.culprit), says, essence, place=place, unread=rests_on.unread)


def _expiring(
    known: Known, actual: State, merged: Merged, now: datetime, within: timedelta
) -> Iterator[Finding]:
    """What ends of the declared CAs, as their files and the account show it, of clients, and the token."""
    told = {(end.address, end.at) for end in known.ends}
    shown = {
        End(str(declared), at)
        for declared, wanted in known.declared.items()
        for ca in (wanted, actual.get(merged.moved.get(declared, declared)))
        if isinstance(ca, CaCertificate)
        for at in ca.expirations
        if (str(declared), at) not in told
    }
    places = {str(address): place for address, place in known.places.items()}
    for end in (*known.ends, *sorted(shown, key=lambda end: (end.address, end.at))):
        yield from drift.ending(end, now, within, places.get(end.address, Place(known.file)))


def _unmanaged(known: Known, actual: State, merged: Merged, weak: Collection[str]) -> Iterator[Finding]:
    ours = {merged.moved.get(address, address) for address in known.declared} | known.managed
    for address in merged.unmanaged:
        there = actual[address]
        if isinstance(there, HostnameSettings):
            says = f"{unmanaged_note(address, there).detail} {unmanaged_note(address, there).fix}"
            essence = f"unmanaged {grounds.of_thing(actual, address).content}"
            yield Finding(Class.UNMANAGED, str(address), says, essence, place=Place(known.file))
    for address, thing in actual.items():
        why = _of_nobody(thing, known.stacks) if address not in ours and str(address) not in weak else ""
        if why:
            essence = f"unmanaged {grounds.of_thing(actual, address).content}"
            yield Finding(Class.UNMANAGED, str(address), why, essence)


def _of_nobody(thing: Resource, stacks: frozenset[str] | None) -> str:
    """Why a thing is nobody's as far as this run sees, '' where it is not. stacks: as of `Known`.

    Applications without a mark are other people's: an account has hundreds. Other scopes are for their own files.
    """
    if not isinstance(thing, CaCertificate | AccessApplication) or thing.elsewhere:
        return ""
    mark, where = stack_of(thing.name), ", ".join(sorted(hosts_on(thing))) or "no hostname"
    if mark is not None:
        if stacks is None or mark in stacks:
            return ""
        why = f"carries the mark of stack {mark}, which no plan file of this run declares here"
        return f"{why}: {thing.name}, on {where}"
    is_ca = isinstance(thing, CaCertificate)
    return f"no plan file of this run declares this CA, named {thing.name}, on {where}" if is_ca else ""
