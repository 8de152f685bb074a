"""The request budget of a token, by the emulator's own accounting: 1,200 calls in five minutes, then a block.

Its clock moves on whenever the program sleeps, so that an hour's waiting takes no time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest

from cf_mtls.emulator.server import Options, Running, running
from cf_mtls.model.plan import Phase, Plan, Step
from cf_mtls.model.resources import AccessApplication, Address, Scope
from cf_mtls.model.state import State
from cf_mtls.remote.apply import Applier
from cf_mtls.remote.gateway import Reader, Writer, client_for
from cf_mtls.remote.pace import Budget, Clock, Pace
from cf_mtls.remote.snapshot import read
from cf_mtls.remote.stages import after
from tests.bench.accounts import state
from tests.conftest import Counted
from tests.planning.worlds import BUDGET

APPS = 500
WRITES = 2 * APPS
LIMIT = 1200


class Unlimited(Budget):
    """The mutant: hears what is left and never waits."""

    def pause(self, now: float) -> float:
        return 0.0 * now


@dataclass
class Fast:
    """The emulator's clock, moved on by whoever sleeps."""

    emulator: Running
    slept: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        return self.emulator.emulator.world.clock.now()

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.slept += seconds
        self.emulator.do(lambda e: e.world.clock.advance(seconds))

    def pace(self, budget: Budget) -> Pace:
        return Pace(Clock(self.now, self.sleep), budget=budget)


@pytest.fixture
def emulator() -> Iterator[Running]:
    """An account with as many applications as there may be; calls a second are another limit, and out of the way."""
    account = state(cas=0, apps=APPS, policies=1, groups=1)
    with running(Options(state=account, switches={"rate-per-second": 10**6})) as started:
        yield started


def edits(emulator: Running, pace: Pace) -> Plan:
    """A plan that renames each application twice; each step looks once, then writes once."""
    ready = emulator.ready
    scope = Scope("account", ready.account_id)
    with client_for(ready.token, ready.api_base_url) as client:
        actual = read(Reader(client), scope, pace).state
    return planned(scope, actual, [(a, app) for a, app in actual.of(AccessApplication)])


def planned(scope: Scope, actual: State, apps: list[tuple[Address, AccessApplication]]) -> Plan:
    steps = tuple(
        Step(phase, address, replace(app, name=f"{app.name}{again}"), address, group=n)
        for phase, again in ((Phase.DEMAND, " again"), (Phase.RELEASE, " and again"))
        for n, (address, app) in enumerate(apps)
    )
    return Plan("s", scope, actual, after(actual, steps), (), steps)


def apply(emulator: Running, made: Plan, pace: Pace) -> int:
    with client_for(emulator.ready.token, emulator.ready.api_base_url) as client:
        return Applier(Writer(client), pace).apply(made)


def statuses(emulator: Running) -> dict[str, int]:
    """How many calls were made, refused, and wrote; and how many applications carry their last name."""
    log = emulator.do(lambda e: list(e.world.log))
    apps = emulator.do(lambda e: [r["name"] for r in e.world.store["apps"].values()])
    return {
        "calls": len(log),
        "refused": sum(r["status"] == 429 for r in log),
        "written": sum(r["method"] == "PUT" and r["status"] == 200 for r in log),
        "changed": sum(name.endswith(" and again") for name in apps),
    }


def test_a_thousand_writes_stay_within_the_budget(emulator: Running, counted: Counted) -> None:
    """2,005 calls, eight at a time: none is lost, none refused, and the block is never tripped."""
    time = Fast(emulator)
    pace = time.pace(Budget())
    assert apply(emulator, edits(emulator, pace), pace) == WRITES
    found = statuses(emulator)
    assert found == {"calls": 2 * WRITES + 5, "refused": 0, "written": WRITES, "changed": APPS}
    assert emulator.do(lambda e: e.rates.budgets["full"].blocked_until) == 0.0
    assert time.slept > 0
    counted(f"{found['calls']} calls under {LIMIT} in five minutes: {found['refused']} refused")


def test_without_the_bucket_the_block_is_tripped(emulator: Running) -> None:
    """Just more calls than the limit, with a budget that never waits is blocked: so the test above can fail."""
    pace = Fast(emulator).pace(Unlimited())
    whole = edits(emulator, pace)
    some = list(whole.actual.of(AccessApplication))[: LIMIT // 4 + 10]  # four calls each
    apply(emulator, planned(whole.scope, whole.actual, some), pace)
    assert statuses(emulator)["refused"] > 0
    assert emulator.do(lambda e: e.rates.budgets["full"].blocked_until) > 0


@pytest.mark.parametrize("runs", [6] if BUDGET == 1 else [2, 6])
def test_stacks_of_one_token_share_its_budget(emulator: Running, runs: int) -> None:
    """Runs that know nothing of each other, each with its own bucket: what each hears is what all have left."""
    time = Fast(emulator)
    whole = edits(emulator, time.pace(Budget()))
    apps = list(whole.actual.of(AccessApplication))
    parts = [planned(whole.scope, whole.actual, apps[n::runs]) for n in range(runs)]
    with ThreadPoolExecutor(runs) as pool:
        done = list(pool.map(lambda part: apply(emulator, part, time.pace(Budget())), parts))
    found = statuses(emulator)
    assert (sum(done), found["changed"], found["refused"]) == (WRITES, APPS, 0)
    assert emulator.do(lambda e: e.rates.budgets["full"].blocked_until) == 0.0
