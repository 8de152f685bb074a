"""Theory against reality: `access/` predicts what the emulated edge answers, over real TLS, in random accounts.

The two share no code: one works on typed values read through the API, the other on the raw JSON it was given.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cf_mtls.access.decide import LOGIN, Request, decide
from cf_mtls.access.reach import paths_at
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.doors import Outcome
from cf_mtls.model.frozen import freeze
from cf_mtls.model.people import Asker
from cf_mtls.model.resources import CaCertificate, Rule, Scope
from cf_mtls.model.rules import rule_meaning
from cf_mtls.model.state import State
from cf_mtls.pki.authority import root
from cf_mtls.remote.gateway import Reader, client_for
from cf_mtls.remote.pace import Pace
from cf_mtls.remote.snapshot import read
from tests.conftest import Counted
from tests.emulated.edge import Asking, Prober, files, lever
from tests.planning.worlds import BUDGET

ACCOUNTS, EACH = 120 * BUDGET, 12
HOSTS = ("a.jeann.net", "b.jeann.net", "jeann.net")
DOMAINS = (
    "a.jeann.net", "a.jeann.net/x", "a.jeann.net/x/*", "a.jeann.net/x/y", "a.jeann.net/*/y", "b.jeann.net/x",
    "*.jeann.net", "*.jeann.net/x", "jeann.net", "*b.jeann.net",
)  # fmt: skip
MINE = {"ip": {"ip": "127.0.0.1/32"}}
RULES: tuple[dict[str, Any], ...] = (
    {"certificate": {}}, {"certificate": {}}, {"certificate": {}},
    {"common_name": {"common_name": "alice"}}, {"common_name": {"common_name": "bob"}},
    {"common_name": {"common_name": "Alice"}},
    {"everyone": {}}, MINE, {"ip": {"ip": "192.0.2.0/24"}}, {"ip": {"ip": "127.0.0.0/8"}},
    {"email": {"email": "ana@example.com"}}, {"email_domain": {"domain": "example.com"}},
    {"geo": {"country_code": "PT"}}, {"any_valid_service_token": {}},
)  # fmt: skip
HELD = frozenset(
    rule_meaning(Rule(kind, freeze(value)))
    for rule in (MINE, {"ip": {"ip": "127.0.0.0/8"}})
    for kind, value in rule.items()
)
"""The selectors that every asker here meets: it comes from loopback."""


@dataclass(frozen=True)
class Stage:
    """A running emulator, its CAs as upload bodies by name, and the clients."""

    ready: Ready
    chains: dict[str, str]
    clients: dict[str, Path | None]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    now = datetime.now(UTC)
    folder = tmp_path_factory.mktemp("differential")
    one, two = (root(name, now=now).intermediate(f"{name} clients", now=now) for name in ("one", "two"))
    who = files(folder, [("alice", one.issue("alice", now=now)), ("bob", two.issue("bob", now=now))])
    quick = {"rate-per-second": 100_000, "rate-limit": 10_000_000, "close-on-change": False}
    with running(Options(switches=quick)) as emulator:
        chains = {"one": one.chain.pem, "two": two.chain.pem}
        yield Stage(emulator.ready, chains, {"nobody": None, **who})


def rules(random: Random, least: int, most: int) -> list[dict[str, Any]]:
    found = [random.choice(RULES) for _ in range(random.randint(least, most))]
    return [{"group": {"id": "g0"}} if random.random() < 0.1 else rule for rule in found]


def an_account(random: Random, stage: Stage, empty: Any) -> Any:
    """A whole account as the emulator loads it: request bodies by table."""
    certificates = [
        {
            "name": name,
            "certificate": pem,
            "associated_hostnames": [h for h in HOSTS if random.random() < 0.6],
        }
        for name, pem in stage.chains.items()
        if random.random() < 0.8
    ]
    apps = [
        {
            "name": domain,
            "type": "self_hosted",
            "domain": domain,
            "destinations": [{"type": "public", "uri": domain, **_overrides(random)}],
            "policies": [a_policy(random, f"p{i}") for i in range(random.choice((0, 1, 1, 2, 3)))],
        }
        for domain in DOMAINS
        if random.random() < 0.3
    ]
    inner = [random.choice(RULES) for _ in range(2)]
    group = {"id": "g0", "name": "g", "include": inner, "require": [], "exclude": []}
    return {**empty, "certificates": certificates, "apps": apps, "groups": [group]}


def _overrides(random: Random) -> dict[str, Any]:
    if random.random() > 0.15:
        return {}
    return {"overrides": [{"behavior": "public", "path_pattern": random.choice(("/x", "/x/*", "/"))}]}


def a_policy(random: Random, name: str) -> dict[str, Any]:
    decision = random.choice(("non_identity", "non_identity", "non_identity", "allow", "deny", "bypass"))
    return {
        "name": name,
        "decision": decision,
        "include": rules(random, 1, 2),
        "require": rules(random, 0, 1) if random.random() < 0.4 else [],
        "exclude": rules(random, 1, 1) if random.random() < 0.15 else [],
    }


def snapshot(ready: Ready) -> State:
    with client_for(ready.token, ready.api_base_url) as client:
        return read(Reader(client), Scope("account", ready.account_id), Pace()).state


def as_asker(state: State, who: str) -> Asker:
    """The client as the theory sees it: valid under the CA that issued it, named as it is."""
    authority = {"alice": "one", "bob": "two"}.get(who)
    trusted = frozenset(a for a, ca in state.of(CaCertificate) if ca.name == authority)
    return Asker(trusted, frozenset({who} if authority else ()), HELD)


EXPECTED = {Outcome.LOGIN: 302, Outcome.BLOCKED: 403, Outcome.REFUSED: 403}


def test_the_theory_predicts_every_answer_of_the_edge(stage: Stage, counted: Counted) -> None:
    """200 random accounts, a dozen requests each: status by status what `decide` said."""
    empty = lever(stage.ready, "state")
    seen: Counter[int] = Counter()
    for seed in range(ACCOUNTS):
        random = Random(seed)
        lever(stage.ready, "state", an_account(random, stage, empty))
        state = snapshot(stage.ready)
        hosts = (*HOSTS, "c.jeann.net", "bb.jeann.net")
        for _ in range(EACH):
            host = random.choice(hosts)
            path = random.choice([*paths_at((state,), host), "/x", "/x/y", "/z/y"])
            who, pem = random.choice(list(stage.clients.items()))
            asking = Asking(host, path, who, pem)
            status = Prober(stage.ready, [asking]).ask(asking)
            decision = decide(state, Request(host, path, as_asker(state, who)))
            predicted = EXPECTED.get(decision.outcome, 200)
            assert status == predicted, f"seed {seed}: {who} at https://{host}{path}: {decision}"
            seen[status] += 1
    assert min(seen[s] for s in (200, 302, 403)) > 50
    counts = json.dumps(dict(sorted(seen.items())))
    counted(f"{ACCOUNTS} accounts, seeds 0 to {ACCOUNTS - 1}: {counts} all as predicted")


def test_the_comparison_can_fail(stage: Stage) -> None:
    """With a theory that forgets who vouches for whom, predictions go wrong."""
    wrong = 0
    empty = lever(stage.ready, "state")
    for seed in range(20):
        random = Random(seed)
        lever(stage.ready, "state", an_account(random, stage, empty))
        state = snapshot(stage.ready)
        for host in HOSTS:
            right = decide(state, Request(host, "/x", as_asker(state, "alice")))
            forgetful = decide(state, Request(host, "/x", Asker(holds=frozenset({LOGIN}))))
            wrong += right.outcome.lets_in != forgetful.outcome.lets_in
    assert wrong
