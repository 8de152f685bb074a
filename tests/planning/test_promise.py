"""The promise: while a plan is applied, every request's outcome changes at most once, or the plan refuses by name.

Judged over every step and every request of `alphabet`, which shares nothing with the guard or with `access/`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from cf_mtls.access.decide import LOGIN, Asker, Request, decide
from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import Address, CaCertificate, Kind
from cf_mtls.model.rules import rule_meaning
from cf_mtls.model.state import State
from cf_mtls.planning import moves as moving
from cf_mtls.planning.diff import diff
from cf_mtls.planning.order import order
from tests.conftest import Counted
from tests.planning.alphabet import EVERYBODY, PLACES, WHO, Account, Who, flickers
from tests.planning.worlds import BUDGET, HOSTS, SELECTORS, a_plain_world, a_world, edited

SMALL, LARGE = 500 * BUDGET, 120 * BUDGET


def between(start: State, steps: Sequence[Step]) -> list[State]:
    """Every state on the way, the first and the last included."""
    states = [start]
    for step in steps:
        states.append(states[-1].put(step.address, step.value))
    return states


def survey(seeds: range, edits: int | None) -> tuple[Counter[str], list[int]]:
    """How plans were ordered, and the seeds of those that flicker without having been refused."""
    shares: Counter[str] = Counter()
    broken = []
    for seed in seeds:
        random = Random(seed)
        start = a_world(random)
        desired = edited(random, start, random.randint(1, edits)) if edits else a_world(random)
        desired = desired.put(Address(Kind.GROUP, "g"), start[Address(Kind.GROUP, "g")])
        made = order(diff(start, desired), start, desired)
        assert diff(between(start, made.steps)[-1], desired) == (), f"seed {seed} does not converge"
        kind = "named" if made.glitches else "search" if made.by_search else "key"
        shares[kind] += 1
        if kind != "named" and next(flickers(between(start, made.steps)), None):
            broken.append(seed)
    return shares, broken


def test_small_plans_keep_the_promise(counted: Counted) -> None:
    """One to three edits: at least 99 % are ordered without a glitch, the rest is refused by name."""
    shares, broken = survey(range(SMALL), 3)
    counted(
        f"plans of one to three edits: {dict(shares)} of {SMALL}, {len(PLACES) * len(WHO):,} requests each"
    )
    assert broken == []
    assert shares["key"] / SMALL >= 0.90
    assert (shares["key"] + shares["search"]) / SMALL >= 0.99


def test_unrelated_states_keep_the_promise(counted: Counted) -> None:
    """From anything to anything: what cannot be ordered is refused by name, and nothing flickers silently."""
    shares, broken = survey(range(10_000, 10_000 + LARGE), None)
    counted(
        f"plans between unrelated states: {dict(shares)} of {LARGE}, {len(PLACES) * len(WHO):,} requests each"
    )
    assert broken == []
    assert shares["key"] / LARGE >= 0.35
    assert (shares["key"] + shares["search"]) / LARGE >= 0.80


SWAPS = [
    (Phase.DEMAND, Phase.WIDEN),
    (Phase.WIDEN, Phase.NARROW),
    (Phase.RELEASE, Phase.NARROW),
    (Phase.UPLOAD, Phase.DEMAND),
]


def by_table(seed: int, swapped: dict[Phase, Phase]) -> tuple[str, str, Who] | None:
    """What flickers when a plan in a plain world is ordered by the phase table alone, with two rows exchanged."""
    random = Random(seed)
    start, desired = a_plain_world(random), a_plain_world(random)
    found = [move for change in diff(start, desired) for move in moving.moves(change)]
    found.sort(key=lambda move: (swapped.get(move.phase, move.phase), move.change.address))
    return next(flickers(between(start, moving.steps(dict(start), found))), None)


PLAIN = range(150)


def test_the_phase_table_alone_suffices_in_a_plain_world() -> None:
    """Where each application asks for any valid certificate, nothing flickers in key order."""
    assert [seed for seed in PLAIN if by_table(seed, {})] == []


@pytest.mark.parametrize(("one", "two"), SWAPS, ids=lambda p: p.name)
def test_the_property_sees_a_wrong_phase(one: Phase, two: Phase) -> None:
    """With two phases exchanged plans flicker in the same world: the property is not blind."""
    assert [seed for seed in PLAIN if by_table(seed, {one: two, two: one})]


def test_one_ca_per_hostname_is_never_broken_on_the_way() -> None:
    """Where an account takes a hostname on one CA only, no state between has it on two."""
    seen = 0
    for seed in range(150 * BUDGET):
        random = Random(seed)
        start, desired = _single(a_world(random)), _single(a_world(random))
        desired = desired.put(Address(Kind.GROUP, "g"), start[Address(Kind.GROUP, "g")])
        made = order(diff(start, desired), start, desired, HOSTS, one_ca=True)
        if made.glitches:
            continue
        seen += 1
        for state in between(start, made.steps):
            assert _single(state) == state, f"seed {seed}"
    assert seen > 50


def _single(state: State) -> State:
    """The state with each hostname on its first CA only."""
    taken: set[str] = set()
    changed: dict[Address, Any] = dict(state)
    for address, ca in state.of(CaCertificate):
        hosts = tuple(h for h in ca.associated_hostnames if h not in taken)
        taken.update(hosts)
        changed[address] = replace(ca, associated_hostnames=hosts)
    return State(changed)


def test_what_has_no_order_is_named_and_allowed_only_as_a_lockout() -> None:
    """Some plans between unrelated states have no order; a host that may be shut for a moment gives one to many."""
    named, helped = 0, 0
    for seed in range(10_000, 10_000 + LARGE):
        random = Random(seed)
        start, desired = a_world(random), a_world(random)
        desired = desired.put(Address(Kind.GROUP, "g"), start[Address(Kind.GROUP, "g")])
        if not order(diff(start, desired), start, desired).glitches:
            continue
        named += 1
        hosts = {*HOSTS, "cf-mtls-anything.net"}
        allowed = order(diff(start, desired), start, desired, hosts)
        if allowed.glitches:
            continue
        helped += 1
        for host, path in PLACES:
            seen = [Account(state).inside(host, path) for state in between(start, allowed.steps)]
            out = EVERYBODY & ~seen[-1]
            # Shut in the end: once shut it stays shut. Nobody is let in for a moment.
            assert not any(out & after & ~before for before, after in pairwise(seen)), f"seed {seed}"
    assert named
    assert helped


MEANT = {kind: rule_meaning(rule) for rule in SELECTORS if (kind := rule.kind) in {"email", "service_token"}}


def asker(who: Who) -> Asker:
    """The same asker in the words of `access/`."""
    words = {"login": LOGIN, "email": MEANT["email"], "token": MEANT["service_token"]}
    cas = frozenset(Address(Kind.CERTIFICATE, key) for key in who.issuers)
    return Asker(cas, frozenset({who.name}) - {""}, frozenset(words[held] for held in who.holds))


def test_two_readings_of_the_facts_agree(counted: Counted) -> None:
    """The alphabet's and `access/`'s, request by request: either being wrong would show here."""
    count = 0
    for seed in range(60 * BUDGET):
        random = Random(seed)
        state = a_world(random)
        account = Account(state)
        for host, path in PLACES:
            inside = account.inside(host, path)
            for number in random.sample(range(len(WHO)), 12):
                request = Request(host, path, asker(WHO[number]))
                assert decide(state, request).outcome.lets_in is bool(inside >> number & 1), (seed, request)
                count += 1
    counted(f"{count:,} requests decided alike by two readings of the facts")
