"""CPU of one explanation and of one guarded plan in a full account, beside the same in a tenth of it.

50 CAs, 500 applications, one of them with 1,000 rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from cf_mtls.access.explain import explain
from cf_mtls.model.frozen import freeze
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    Resource,
    Rule,
    Scope,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.workflow import NOTHING, planned
from tests.bench.table import Ask, Figure, Measured

END = (datetime(2035, 1, 1, tzinfo=UTC),)
TENTH = "a tenth of the account"
EXPLAINED, PLANNED = "explain, full account, CPU", "plan of everything, full account, CPU"
ROWS = (Ask(EXPLAINED, TENTH), Ask(PLANNED, TENTH))
SCOPE = Scope("account", "0123456789abcdef0123456789abcdef")


def account(apps: int, cas: int, rules: int) -> State:
    """An account of that size; the first application has the many rules, and all CAs stand on its host."""
    found: dict[Address, Resource] = {}
    for i in range(cas):
        hosts = ("host0.net", *(f"host{j}.net" for j in range(i, apps, cas)))
        key = f"{i:032x}"
        found[Address(Kind.CERTIFICATE, key)] = CaCertificate(
            f"ca{i} (cf-mtls s)", tuple(sorted(set(hosts))), (key,), END, id=key
        )
    for i in range(apps):
        domain = f"host{i}.net/path"
        many = tuple(Rule("email", freeze({"email": f"u{n}@x.net"})) for n in range(rules if i == 0 else 2))
        policy = AccessPolicy("p", "non_identity", (Rule("certificate"),), (), ())
        other = AccessPolicy("q", "allow", many, (Rule("certificate"),), ())
        found[Address(Kind.APPLICATION, domain)] = AccessApplication(
            f"app{i} (cf-mtls s)", (public(domain),), (policy, other), id=str(i)
        )
    return State(found)


def cpu(act: Callable[[], object]) -> float:
    """CPU seconds of one call, the best of three."""
    best = 1e9
    for _ in range(3):
        began = time.process_time()
        act()
        best = min(best, time.process_time() - began)
    return best


def measure() -> Measured:
    """Milliseconds of CPU, in this process."""
    full, small = account(500, 50, 1000), account(50, 5, 100)

    def explained(state: State) -> float:
        return 1000 * cpu(lambda: explain(state, "host0.net", "/path"))

    def made(state: State) -> float:
        return 1000 * cpu(lambda: planned("s", SCOPE, state, State(), NOTHING))

    return {
        EXPLAINED: Figure(explained(full), explained(small)),
        PLANNED: Figure(made(full), made(small)),
    }
