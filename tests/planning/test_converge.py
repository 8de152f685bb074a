"""Whatever is there and whatever is declared: the plan leads there, a second one is empty, foreign things stay."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from cf_mtls.model.plan import Allowed, Plan
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, HostnameSettings, Scope
from cf_mtls.model.state import State
from cf_mtls.planning.ownership import is_ours
from cf_mtls.workflow import planned
from tests.planning.saved_worlds import Everything
from tests.planning.worlds import BUDGET, GROUP, a_world

SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
HOSTS = frozenset({"a.net", "b.net", "cf-mtls-anything.net"})
FREE = Allowed(lockout=HOSTS, weaken=Everything(), delete=99)


def as_account(random: Random, state: State) -> State:
    """A random state as an account holds it: with ids, and some of it somebody else's."""
    found = {}
    for address, resource in state.items():
        if isinstance(resource, CaCertificate | AccessApplication):
            whose = random.choice(("s", "s", "other", None))
            name = f"{address.key} (cf-mtls {whose})" if whose else address.key
            found[address] = replace(resource, id=str(address), name=name)
        else:
            found[address] = resource
    return State(found)


def after(plan: Plan, count: int | None = None) -> State:
    """The account after the first steps of a plan, after all of them when count is None."""
    state = plan.actual
    for step in plan.steps[:count]:
        value = step.value
        if isinstance(value, CaCertificate | AccessApplication) and value.id is None:
            value = replace(value, id=str(step.address))
        state = state.put(step.address, value)
    return state


def colliding(plan: Plan) -> bool:
    """Whether something foreign stands in the way, or no order could be found."""
    return any(d.is_error for d in plan.diagnostics)


@settings(max_examples=150 * BUDGET, deadline=None)
@given(st.integers(0, 10**9))
def test_a_plan_converges_and_leaves_foreign_things(seed: int) -> None:
    """Applied whole: a second plan is empty and what is not ours is what it was, field by field."""
    random = Random(seed)
    actual = as_account(random, a_world(random))
    declared = a_world(random).put(GROUP, None)
    plan = planned("s", SCOPE, declared, actual, FREE)
    foreign = {a: r for a, r in actual.items() if not is_ours(r, "s") and not isinstance(r, HostnameSettings)}
    end = after(plan)
    assert {a: end.get(a) for a in foreign} == foreign
    if not colliding(plan):
        assert planned("s", SCOPE, declared, end, FREE).is_empty


@settings(max_examples=100 * BUDGET, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 30))
def test_a_run_that_stopped_anywhere_is_healed_by_planning_again(seed: int, count: int) -> None:
    """Cut off after any step: the next plan leads to the same end."""
    random = Random(seed)
    actual = as_account(random, a_world(random))
    declared = a_world(random).put(GROUP, None)
    plan = planned("s", SCOPE, declared, actual, FREE)
    if colliding(plan):
        return
    again = planned("s", SCOPE, declared, after(plan, count), FREE)
    assert planned("s", SCOPE, declared, after(again), FREE).is_empty


@settings(max_examples=100 * BUDGET, deadline=None)
@given(st.integers(0, 10**9))
def test_a_change_always_names_its_attributes(seed: int) -> None:
    """No update without the names of what differs, and no change for what is the same."""
    random = Random(seed)
    actual = as_account(random, a_world(random))
    plan = planned("s", SCOPE, a_world(random).put(GROUP, None), actual, FREE)
    assert all(change.attributes for change in plan.changes)
    assert all(change.before != change.after for change in plan.changes)
    assert {step.cause for step in plan.steps} <= {change.address for change in plan.changes}


def test_two_stacks_plan_past_each_other() -> None:
    """What one stack made is foreign to the other: each one's plan keeps the other's things as they are."""
    for seed in range(60 * BUDGET):
        random = Random(seed)
        actual = as_account(random, a_world(random))
        for stack, other in (("s", "other"), ("other", "s")):
            plan = planned(stack, SCOPE, State(), actual, FREE)
            theirs = {a: r for a, r in actual.items() if is_ours(r, other)}
            assert {a: after(plan).get(a) for a in theirs} == theirs
            assert not any(is_ours(r, stack) for r in after(plan).values())


def test_addresses_of_a_plan_are_the_accounts() -> None:
    """Every step writes to an address that changes, once per phase."""
    for seed in range(60 * BUDGET):
        random = Random(seed)
        actual = as_account(random, a_world(random))
        plan = planned("s", SCOPE, a_world(random).put(GROUP, None), actual, FREE)
        seen: list[tuple[int, Address, tuple[str, ...]]] = []
        for step in plan.steps:
            hosts = step.value.associated_hostnames if isinstance(step.value, CaCertificate) else ()
            seen.append((step.phase, step.address, hosts))
        assert len(seen) == len(set(seen))
