"""How the CPU of a plan grows with the account, from 50 to 500 to 5,000 applications.

Two shapes: every application on a hostname of its own, and all of them on one hostname. Of each: the plan file read
and judged; a plan of everything anew; a plan of a rotation (another CA, and a changed policy in a tenth of the
applications); both shown, saved and read again; what verify expects of every URL. Guard and order are in the plans.
That it grows no faster than n·log n is also a test, counted in calls: tests/planning/test_growth.py.
"""

from __future__ import annotations

import cProfile
import math
import pstats
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from cf_mtls import workflow
from cf_mtls.access.explain import explain
from cf_mtls.model.plan import NOTHING, Plan
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    Resource,
    Rule,
    Scope,
)
from cf_mtls.model.state import State
from cf_mtls.pki.authority import root
from cf_mtls.planning.planfile import as_json, text
from cf_mtls.planning.planfile_reader import load
from cf_mtls.report.plan_text import plan_text
from cf_mtls.report.terminal import Paint
from cf_mtls.verify.expect import expect
from tests.bench.table import Ask, Figure, Measured

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
HOSTS = {"own hostnames": "h{}.net", "one hostname": "one.net"}
SIZES = (50, 500, 5_000)
EXPLAINED = 5
"""How often explanations are made, each time of a state of which nothing is known yet."""
PLAN, EXPLAIN = "plan and what belongs to it", "explain of ten URLs"

Work = Callable[[], object]


def text_of(apps: int, shape: str) -> str:
    """A plan file of so many applications, in one of the shapes of `HOSTS`."""
    hosts = sorted({HOSTS[shape].format(i) for i in range(apps)})
    lines = ["version: 1", "stack: big", "certificates:", "  ca:", "    chain: chain.pem"]
    lines += [f"    associated_hostnames: [{', '.join(hosts)}]", "applications:"]
    for i in range(apps):
        lines += [
            f"  app{i}:",
            f"    domain: {HOSTS[shape].format(i)}/part{i % 70}/path{i}",
            "    policies:",
            "      - name: fleet",
            "        decision: non_identity",
            "        include: [{certificate: {}}]",
            f"        require: [{{common_name: fleet{i % 7}}}]",
        ]
    return "\n".join(lines) + "\n"


def older(state: State) -> State:
    """What an account held before a rotation: another CA on the same hosts, a tenth of the policies looser."""
    old = "0" * 32
    loose = (AccessPolicy("fleet", "non_identity", (Rule("certificate"),)),)
    found: dict[Address, Resource] = {}
    for number, (address, resource) in enumerate(state.items()):
        match resource:
            case CaCertificate():
                found[Address(Kind.CERTIFICATE, old)] = replace(
                    resource,
                    name="ca 00000000 (cf-mtls big)",
                    fingerprints=(old,),
                    sha256=None,
                    pem=None,
                    id="c",
                )
            case AccessApplication():
                policies = resource.policies if number % 10 else loose
                found[address] = replace(resource, id=str(number), policies=policies)
    return State(found)


def work(apps: int, shape: str, folder: Path) -> Iterator[tuple[str, Work]]:
    """What is measured, by name, each to be done once and in this order. folder: with `chain.pem` in it."""
    file = folder / "plan.yaml"
    file.write_text(text_of(apps, shape))
    yield "file read and judged", lambda: workflow.validate(file, NOW)
    stack = workflow.validate(file, NOW)
    plans: list[Plan] = []
    for name, actual in (("plan of everything", State()), ("plan of a rotation", older(stack.state))):
        yield (
            name,
            lambda a=actual: plans.append(
                workflow.planned("big", SCOPE, stack.state, a, NOTHING, workflow.people_of(stack))
            ),
        )  # type: ignore[misc]
    yield "both shown and saved", lambda: [shown(plan, stack.hosts) for plan in plans]
    urls = [app.domain.partition("/") for _, app in stack.state.of(AccessApplication)][:10]
    yield "what verify expects", lambda: expect(stack.targets, (), stack.state)
    fresh = iter([State(stack.state) for _ in range(EXPLAINED)])
    yield EXPLAIN, lambda: explained(next(fresh), urls)


def explained(fresh: State, urls: list[tuple[str, str, str]]) -> None:
    """Who gets in at these URLs of a state."""
    for host, _, path in urls:
        explain(fresh, host, f"/{path}")


def shown(made: Plan, hosts: frozenset[str]) -> None:
    """The text of a plan, and it saved and read again. hosts: those that its file names."""
    made = replace(made, inputs=replace(made.inputs, hosts=hosts))
    plan_text(made, Paint(), NOW)
    load(text(as_json(made)).encode(), "plan.json", to_apply=False)


def folder_with_chain(folder: Path) -> Path:
    """The folder, with a CA chain in it."""
    (folder / "chain.pem").write_text(root("Big", now=NOW, days=3650).chain.pem)
    return folder


def n_log_n(small: int, large: int) -> float:
    """How much more work n·log n is."""
    return large * math.log(large) / (small * math.log(small))


STEPS = tuple(pairwise(SIZES))
ROWS = tuple(
    Ask(
        f"{what}, {large:,} applications on {shape}",
        f"{small:,} of them",
        most=round(n_log_n(small, large), 1),
    )
    for shape in HOSTS
    for what in (PLAN, EXPLAIN)
    for small, large in STEPS
)


def measure() -> Measured:
    """CPU of this process."""
    with TemporaryDirectory() as name:
        folder = folder_with_chain(Path(name))
        spent(
            SIZES[0], next(iter(HOSTS)), folder
        )  # so that what is imported and remembered for good is there
        times = {(shape, size): spent(size, shape, folder) for shape in HOSTS for size in SIZES}
    found = iter(ROWS)
    return {
        next(found).what: Figure(times[shape, large][what], times[shape, small][what])
        for shape in HOSTS
        for what in (PLAN, EXPLAIN)
        for small, large in STEPS
    }


def spent(apps: int, shape: str, folder: Path) -> dict[str, float]:
    """CPU milliseconds of a plan with all that belongs to it, and of explanations; the median of rounds."""
    rounds = [_round(apps, shape, folder) for _ in range(1 if apps == max(SIZES) else 3)]
    return {what: median(found[what] for found in rounds) for what in rounds[0]}


def _round(apps: int, shape: str, folder: Path) -> dict[str, float]:
    found = {PLAN: 0.0, EXPLAIN: 0.0}
    for name, act in work(apps, shape, folder):
        if name == EXPLAIN:  # so short that a collection of garbage in it would be most of it
            found[EXPLAIN] = min(_cpu_ms(act) for _ in range(EXPLAINED))
        else:
            found[PLAN] += _cpu_ms(act)
    return found


def _cpu_ms(act: Work) -> float:
    began = time.process_time()
    act()
    return (time.process_time() - began) * 1000


def profile(apps: int = SIZES[1], lines: int = 12) -> str:
    """Where the time goes: the functions that took most of it by themselves, all on one hostname."""
    profiler = cProfile.Profile()
    with TemporaryDirectory() as name:
        for _, act in work(apps, "one hostname", folder_with_chain(Path(name))):
            profiler.runcall(act)
    out = StringIO()
    pstats.Stats(profiler, stream=out).strip_dirs().sort_stats("tottime").print_stats(lines)
    return f"{apps} applications on one hostname\n{out.getvalue().rstrip()}\n"
