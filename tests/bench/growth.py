"""How the CPU of a plan grows with the account: `python -m tests.bench.growth [PROFILE]`.

Two shapes: every application on a hostname of its own, and all of them on one hostname. Two plans of each: everything
made anew, and a rotation of the CA together with a changed policy in a tenth of the applications.
What is measured is what a plan costs beside its requests: the file, the diff, the order, the guard, the doors, the
text, the saved plan; and `explain` of one URL. CPU seconds of one process; the growth is a ratio of them.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from cf_mtls import workflow
from cf_mtls.access.explain import explain
from cf_mtls.model.plan import Plan
from cf_mtls.model.resources import AccessApplication, AccessPolicy, CaCertificate, Rule, Scope
from cf_mtls.model.state import State
from cf_mtls.pki.authority import root
from cf_mtls.planning import planfile
from cf_mtls.report.plan_text import plan_text
from cf_mtls.report.terminal import Paint

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")
FREE = workflow.Allowed(weaken=frozenset({"*"}))

Times: TypeAlias = dict[str, float]


def text_of(apps: int, shape: str) -> str:
    """A plan file of so many applications."""
    host = "one.net" if shape == "one host" else "h{}.net"
    hosts = sorted({host.format(i) for i in range(apps)})
    lines = [
        "version: 1",
        "stack: big",
        "certificates:",
        "  ca:",
        "    chain: chain.pem",
        f"    associated_hostnames: [{', '.join(hosts)}]",
        "applications:",
    ]
    for i in range(apps):
        lines += [
            f"  app{i}:",
            f"    domain: {host.format(i)}/part{i % 70}/path{i}",
            f"    policies: [{{name: fleet, decision: non_identity, include: [{{certificate: {{}}}}], require: [{{common_name: fleet{i % 7}}}]}}]",
        ]
    return "\n".join(lines) + "\n"


@contextmanager
def spent(times: Times, name: str) -> Iterator[None]:
    """Adds CPU seconds to a name."""
    began = time.process_time()
    yield
    times[name] = times.get(name, 0) + time.process_time() - began


def older(state: State) -> State:
    """What an account held before a rotation: another CA on the same hosts, a tenth of the policies otherwise."""
    found = {}
    for number, (address, resource) in enumerate(state.items()):
        match resource:
            case CaCertificate():
                key = "0" * 32
                found[replace(address, key=key)] = replace(
                    resource,
                    name="ca 00000000 (cf-mtls big)",
                    fingerprints=(key,),
                    sha256=None,
                    pem=None,
                    id="c",
                )
            case AccessApplication():
                policies = (AccessPolicy("fleet", "non_identity", (Rule("certificate"),)),)
                found[address] = replace(
                    resource, id=str(number), policies=policies if number % 10 == 0 else resource.policies
                )
            case _:
                found[address] = resource
    return State(found)


def run(apps: int, shape: str, folder: Path) -> Times:
    """CPU seconds by stage."""
    times: Times = {}
    file = folder / "plan.yaml"
    file.write_text(text_of(apps, shape))
    with spent(times, "file"):
        stack = workflow.validate(file, NOW)
    for name, actual in (("anew", State()), ("rotation", older(stack.state))):
        with spent(times, name):
            made = workflow.planned("big", SCOPE, stack.state, actual, FREE)
        with spent(times, "shown"):
            shown(made)
    host, _, path = next(app.domain for _, app in stack.state.of(AccessApplication)).partition("/")
    with spent(times, "explain"):
        explain(stack.state, host, f"/{path}")
    return times


def shown(made: Plan) -> None:
    """The text of a plan, and it saved and read again."""
    plan_text(made, Paint(enabled=False), NOW)
    planfile.load(planfile.text(planfile.as_json(made, (), ())).encode(), "x")


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "chain.pem").write_text(root("Big", now=NOW, days=3650).chain.pem)
        for shape in sys.argv[2].split(",") if len(sys.argv) > 2 else ("spread", "one host"):
            for apps in map(int, sys.argv[1].split(",")):
                profile = cProfile.Profile()
                if len(sys.argv) > 3:
                    profile.enable()
                t = run(apps, shape, folder)
                profile.disable()
                print(shape, apps, {k: round(v, 3) for k, v in t.items()})
                if len(sys.argv) > 3:
                    pstats.Stats(profile).sort_stats(sys.argv[3]).print_stats(25)
