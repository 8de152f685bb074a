"""Pending over small worlds: exactly the file's own move, never an excuse. Judged by `alphabet`, not by `access/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from cf_mtls.model.plan import Change
from cf_mtls.model.resources import (
    AccessApplication,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Resource,
    Scope,
)
from cf_mtls.model.state import State
from cf_mtls.planning.canon import differing
from cf_mtls.planning.check import Known, findings
from cf_mtls.planning.diff import diff
from cf_mtls.planning.drift import ALARMING, Class, Finding
from cf_mtls.planning.ownership import merge
from cf_mtls.planning.planfile import saved_of
from cf_mtls.planning.saved import Saved
from cf_mtls.workflow import Allowed, planned
from tests.conftest import Counted
from tests.planning.alphabet import PLACES, Account, covers
from tests.planning.saved_worlds import Everything
from tests.planning.worlds import BUDGET, GROUP, HOSTS, a_world, edited

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
NOW = datetime.now(UTC)
ALLOWED = Allowed(lockout=Everything(), weaken=Everything(), unproven=Everything(), delete=99)
SETTINGS = Address(Kind.SETTINGS, "a.net")


def in_account(state: State) -> State:
    """Everything with the id that the account gave it."""
    return State((a, _with_id(a, r)) for a, r in state.items())


def _with_id(address: Address, resource: Resource) -> Resource:
    return (
        replace(resource, id=f"i-{address.key}")
        if isinstance(resource, CaCertificate | AccessApplication)
        else resource
    )


def declared(state: State) -> State:
    """What a file would say of it: no groups."""
    return State((a, r) for a, r in state.items() if a != GROUP)


def moved(random: Random, state: State, edits: int) -> State:
    """A few random edits, of settings too."""
    if random.random() < 0.2:
        state = state.put(SETTINGS, random.choice((None, HostnameSettings("a.net", china_network=True))))
    return edited(random, state, edits)


def halfway(random: Random, state: State, other: State) -> State:
    """A state with some of the things, and of applications some of the members, that another one has."""
    for address in sorted(state.keys() | other.keys()):
        there, wanted, how = state.get(address), other.get(address), random.random()
        if isinstance(there, AccessApplication) and isinstance(wanted, AccessApplication) and how < 0.3:
            state = state.put(address, replace(there, policies=wanted.policies))
        elif how < 0.5:
            state = state.put(address, wanted)
    return state


class Case:
    """What was applied, what the file says since, and what the account has become."""

    def __init__(self, random: Random, *, by_hand: bool) -> None:
        world = a_world(random)
        group = State({GROUP: world[GROUP]})
        start = in_account(moved(random, world, 2)) if random.random() < 0.4 else in_account(world)
        plan = planned("s", SCOPE, declared(world), start, ALLOWED)
        plan = replace(plan, inputs=replace(plan.inputs, hosts=frozenset(HOSTS)))
        self.applied, self.saved = in_account(plan.desired), saved_of(plan)
        wanted = moved(random, world, random.randint(1, 3))
        self.wanted = declared(wanted)
        self.actual = self.applied
        if by_hand:
            kind = random.random()
            self.actual = halfway(random, self.actual, wanted) if kind < 0.6 else self.actual
            self.actual = moved(random, self.actual, random.randint(0 if kind < 0.6 else 1, 2))
            self.actual = in_account(self.actual.put_all(dict(group)))
        self.file = merge(self.wanted, self.actual, "s").desired

    def findings(self, *plans: Saved) -> tuple[Finding, ...]:
        known = Known("p.yaml", "s", self.wanted, applied=plans or (self.saved,))
        return findings(known, self.actual, NOW, timedelta(0))

    def neither(self) -> Iterator[tuple[str, str]]:
        """Where somebody gets in by neither the file nor what was applied, or is shut out though both let him in."""
        was, there, wanted = map(Account, (self.applied, self.actual, self.file))
        for host, path in PLACES:
            a, n, f = (state.inside(host, path) for state in (was, there, wanted))
            if n & ~(a | f) or a & f & ~n:
                yield host, path


def is_at(change: Change, host: str, path: str) -> bool:
    sides = [side for side in (change.before, change.after) if side is not None]
    if isinstance(sides[0], CaCertificate):
        hosts = [
            set(s.associated_hostnames) if isinstance(s, CaCertificate) else set()
            for s in (change.before, change.after)
        ]
        return host in hosts[0] ^ hosts[1]
    return any(covers(d, host, path) for s in sides if isinstance(s, AccessApplication) for d in s.domains)


def unmoved(change: Change, was: Resource | None, there: Resource | None) -> set[str]:
    """The attributes of a change at which the account is as it was applied."""
    if was is None or there is None:
        return set(change.attributes) if was is there else set()
    return set(change.attributes) - set(differing(was, there))


def test_what_only_the_file_moved_is_pending_and_nothing_else_is(counted: Counted) -> None:
    """The account is as it was applied: every difference is pending, whole. What a plan must refuse is drift."""
    pending = 0
    for seed in range(150 * BUDGET):
        case = Case(Random(f"file {seed}"), by_hand=False)
        found = case.findings()
        waiting = {
            f.change.address: f.change.attributes for f in found if f.change and f.kind is Class.PENDING
        }
        assert waiting == {c.address: c.attributes for c in diff(case.actual, case.file)}, seed
        assert not any(f.change and f.kind is Class.DRIFT for f in found), seed
        pending += len(waiting)
    counted(f"{150 * BUDGET} files edited since they were applied: {pending} differences pending, 0 drift")


def test_pending_excuses_nobody(counted: Counted) -> None:
    """Somebody changed the account too, by chance, or partly as the file says.

    Where somebody gets in by neither the file nor what was applied, or is shut out though both let him in, nothing is
    pending and there is an alarm; elsewhere exactly what is as it was applied is pending, attribute by attribute.
    """
    cases, beyond, pending, drifted = 200 * BUDGET, 0, 0, 0
    for seed in range(cases):
        case = Case(Random(f"hand {seed}"), by_hand=True)
        found = case.findings()
        bad = list(case.neither())
        beyond += len(bad)
        for finding in found:
            change = finding.change
            if change is None or finding.kind not in {Class.PENDING, Class.DRIFT}:
                continue
            here = [place for place in bad if is_at(change, *place)]
            same = unmoved(change, case.applied.get(change.address), case.actual.get(change.address))
            if finding.kind is Class.PENDING:
                pending += 1
                assert same == set(change.attributes), (seed, finding.address)
                assert not here, (seed, finding.address)
                continue
            drifted += 1
            assert here or same != set(change.attributes), (seed, finding.address)
        assert not bad or any(f.kind in ALARMING for f in found), seed
    counted(f"{cases} accounts changed by hand: {beyond} places beyond both, 0 excused")
    counted(f"there: {pending} differences pending, {drifted} drift")
