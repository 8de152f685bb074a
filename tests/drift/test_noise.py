"""The noise test: an account that is as declared never alarms, and one changed meaning always does."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

from cf_mtls.diagnostics import Place
from cf_mtls.model.coverage import Coverage, Part
from cf_mtls.model.resources import Kind
from cf_mtls.model.state import State
from cf_mtls.planning.basis import resting
from cf_mtls.planning.check import Known, findings, unread
from cf_mtls.planning.drift import Checked, Class, Status
from tests.conftest import Counted
from tests.drift.account import Account, a_declaration, as_account, reread, state_of
from tests.drift.edits import EDITS
from tests.planning.worlds import BUDGET

NOW = datetime(2026, 11, 24, tzinfo=UTC)
COUNT = 1000 * BUDGET


def checked(declared: State, account: Account) -> Checked:
    known = Known("plans/s.yaml", "s", declared)
    actual = state_of(account)
    coverage = resting(Coverage(frozenset(Part)), declared, actual, "s")
    found = (*findings(known, actual, NOW, timedelta(days=30)), *unread(coverage, Place(known.file)))
    return Checked(known.file, "s", "account:x", found, coverage=coverage)


def test_a_thousand_accounts_as_declared_raise_no_alarm(counted: Counted) -> None:
    """Applied, then read again in other words: never drift, and never anything but an unmanaged stranger."""
    alarms = 0
    things: Counter[Kind] = Counter()
    for seed in range(COUNT):
        random = Random(seed)
        declared = a_declaration(random)
        things += Counter(address.kind for address in declared)
        account = as_account(random, declared)
        found = checked(declared, reread(random, account))
        alarms += found.status is not Status.CLEAN
        assert {f.kind for f in found.findings} <= {Class.UNMANAGED}, (seed, found.findings)
    counted(f"{COUNT} accounts, {sum(things.values())} things: {alarms} false alarms")
    assert alarms == 0
    assert min(things.values()) > 100


def test_a_thousand_changed_meanings_are_all_found(counted: Counted) -> None:
    """One edit each, read in other words: all alarm; every fourth is read twice, and both agree on the fingerprint."""
    missed: list[tuple[int, str]] = []
    done: Counter[str] = Counter()
    seed = 0
    while done.total() < COUNT:
        seed += 1
        random = Random(seed)
        declared = a_declaration(random)
        account = as_account(random, declared)
        name = list(EDITS)[seed % len(EDITS)]
        edited = copy.deepcopy(account)
        if not EDITS[name](random, edited):
            continue
        done[name] += 1
        one = checked(declared, reread(random, edited))
        two = checked(declared, reread(random, edited)) if seed % 4 == 0 else one
        if one.status is not Status.DRIFT:
            missed.append((seed, name))
        assert one.fingerprint == two.fingerprint, (seed, name)
    counted(f"{done.total()} edits of {len(done)} kinds: {len(missed)} missed")
    assert missed == []
    assert len(done) == len(EDITS)
