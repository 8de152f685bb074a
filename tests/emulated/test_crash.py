"""Killed after any call, or hit by any fault at any call, and run again: it converges, and no request flickers."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.plan import NOTHING, Allowed
from cf_mtls.model.resources import Address, Kind
from cf_mtls.pki.authority import root
from tests.conftest import Counted
from tests.emulated import crash_child
from tests.emulated.crash_child import CALLS, WRITES, Job
from tests.emulated.edge import Asking, Prober, files, lever
from tests.planning.worlds import BUDGET

A, B = "a.jeann.net", "b.jeann.net"
HEAD = "version: 1\nstack: s\n"
CA = "certificates:\n  fleet: {{chain: {chain}, associated_hostnames: [{hosts}]}}\n"
APP = "applications:\n  door: {{domain: {domain}, policies: [{{name: p, include: [{rule}]}}]}}\n"
ANY = "{certificate: {}}"


def ca(chain: str, *hosts: str) -> str:
    return CA.format(chain=chain, hosts=", ".join(hosts))


def app(domain: str, rule: str = ANY) -> str:
    return APP.format(domain=domain, rule=rule)


@dataclass(frozen=True)
class Scenario:
    """What stands before, what is declared then, and what was typed to allow it."""

    before: str
    after: str
    allowed: Allowed = NOTHING
    destroy: bool = False
    by_hand: tuple[dict[str, Any], ...] = ()
    """Applications that somebody made in the dashboard."""


FOREIGN_DOOR = {
    "name": "by hand", "type": "self_hosted", "domain": f"{A}/x",
    "policies": [{"name": "p", "decision": "non_identity", "include": [{"certificate": {}}]}],
}  # fmt: skip

SCENARIOS = {
    "create": Scenario("", ca("one.pem", A) + app(f"{A}/x")),
    "rename": Scenario(
        ca("one.pem", A) + app(f"{A}/x"),
        (ca("one.pem", A) + app(f"{A}/x")).replace("fleet", "cars").replace("door", "gate"),
    ),
    "rotate": Scenario(ca("one.pem", A) + app(f"{A}/x"), ca("two.pem", A) + app(f"{A}/x")),
    "move a hostname": Scenario(
        ca("one.pem", A) + app(f"{A}/x"),
        ca("one.pem", B) + app(f"{B}/x"),
        Allowed(delete=1, weaken=frozenset({f"https://{A}/x"}), lockout=frozenset({B})),
    ),
    "change a policy": Scenario(
        ca("one.pem", A) + app(f"{A}/x"), ca("one.pem", A) + app(f"{A}/x", "{common_name: alice}")
    ),
    "delete all": Scenario(
        ca("one.pem", A) + app(f"{A}/x"),
        ca("one.pem", A) + app(f"{A}/x"),
        Allowed(delete=2, weaken=frozenset({f"https://{A}/x"})),
        destroy=True,
    ),
    "adopt": Scenario(
        "",
        ca("one.pem", A) + app(f"{A}/x"),
        Allowed(adopt=frozenset({Address(Kind.APPLICATION, f"{A}/x")}), weaken=frozenset({f"https://{A}/x"})),
        by_hand=(FOREIGN_DOOR,),
    ),
    "settings": Scenario(
        ca("one.pem", A)
        + app(f"{A}/x")
        + f"hostname_settings: {{{A}: {{client_certificate_forwarding: true}}}}\n",
        ca("one.pem", A)
        + app(f"{A}/x")
        + f"hostname_settings:\n  {A}: {{client_certificate_forwarding: false}}\n"
        + f"  {B}: {{client_certificate_forwarding: true}}\n",
    ),
    "two cas, one goes": Scenario(
        f"certificates:\n  fleet: {{chain: [one.pem, two.pem], associated_hostnames: [{A}, {B}]}}\n"
        + app(f"{A}/x"),
        ca("two.pem", A, B) + app(f"{A}/x"),
    ),
}


@dataclass(frozen=True)
class Stage:
    """A running emulator with foreign things in it, certificates on disk, and the requests to watch."""

    ready: Ready
    folder: Path
    asking: list[Asking]
    empty: Any

    def job(self, scenario: Scenario) -> Job:
        """The declared end as a plan file."""
        file = self.folder / "after.yaml"
        file.write_text(HEAD + scenario.after, "utf-8")
        return Job(file, scenario.allowed, scenario.destroy)

    def begin(self, scenario: Scenario) -> Any:
        """Put the beginning in place; the whole account as JSON, to come back to."""
        lever(self.ready, "state", self.empty)
        if scenario.by_hand:
            state = lever(self.ready, "state")
            lever(self.ready, "state", {**state, "apps": [*state["apps"], *scenario.by_hand]})
        if scenario.before:
            file = self.folder / "before.yaml"
            file.write_text(HEAD + scenario.before, "utf-8")
            crash_child.run(Job(file), self.ready)
        time.sleep(0.15)
        return lever(self.ready, "state")

    def come_back(self, state: Any) -> None:
        """The beginning again, felt by the edge."""
        lever(self.ready, "faults", method="DELETE")
        lever(self.ready, "state", state)

    def prober(self) -> Prober:
        return Prober(self.ready, self.asking)

    def foreign(self) -> Any:
        """What carries no mark of ours, less what changes by itself."""
        state = lever(self.ready, "state")
        return [
            [r for r in state[table] if "(cf-mtls s)" not in r.get("name", "") and not _ours(r)]
            for table in ("certificates", "apps")
        ]

    def settle(self, job: Job) -> None:
        """Run again until there is nothing left to do; nothing may be there twice."""
        crash_child.run(job, self.ready)
        time.sleep(0.12)
        assert crash_child.planned(job, self.ready).is_empty
        state = lever(self.ready, "state")
        for table in ("certificates", "apps"):
            names = [r["name"] for r in state[table]]
            assert len(names) == len(set(names)), names


def _ours(raw: dict[str, Any]) -> bool:
    return raw.get("domain") == f"{A}/x"  # the one that is adopted


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("crash")
    now = datetime.now(UTC)
    one, two, theirs = (
        root(name, now=now).intermediate(f"{name} clients", now=now) for name in ("one", "two", "foreign")
    )
    for name, authority in (("one", one), ("two", two)):
        (folder / f"{name}.pem").write_text(authority.chain.pem, "ascii")
    who = files(folder, [("alice", one.issue("alice", now=now)), ("bob", two.issue("bob", now=now))])
    asking = [
        Asking(host, "/x", name, pem) for host in (A, B) for name, pem in ((("nobody", None)), *who.items())
    ] + [Asking(A, "/", "nobody")]
    foreign = {
        "certificates": [
            {"name": "foreign", "certificate": theirs.chain.pem, "associated_hostnames": ["f.jeann.net"]}
        ],
        "apps": [{**FOREIGN_DOOR, "name": "foreign", "domain": "f.jeann.net"}],
        "settings": [
            {"hostname": "f.jeann.net", "client_certificate_forwarding": True, "china_network": False}
        ],
    }
    with running(Options(switches={"rate-per-second": 100_000, "rate-limit": 10_000_000})) as emulator:
        ready = emulator.ready
        state = lever(ready, "state")
        lever(ready, "state", {**state, **foreign})
        yield Stage(ready, folder, asking, lever(ready, "state"))


context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.emulated.crash_child", "cloudflare"])


def killed_after(job: Job, ready: Ready, n: int, among: frozenset[str]) -> bool:
    """Whether a run in a process of its own was killed after the nth call of those methods, or ended before."""
    child = context.Process(target=crash_child.run, args=(job, ready, n, among))
    child.start()
    child.join(60)
    assert child.exitcode in {0, -signal.SIGKILL}, child.exitcode
    return child.exitcode == -signal.SIGKILL


def places() -> Iterator[tuple[int, frozenset[str]]]:
    """Where a run is killed: after the first read and after each write; with a larger budget after each call.

    A read leaves the account as it was, and a killed run leaves nothing else behind: one read stands for all.
    """
    if BUDGET == 1:
        yield 1, frozenset({"GET"})
    yield from ((n, CALLS if BUDGET > 1 else WRITES) for n in range(1, 100))


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_after_any_call_it_heals(stage: Stage, name: str, counted: Counted) -> None:
    """Killed after each call in turn and run again: converged, nothing twice, foreign things as they were."""
    scenario = SCENARIOS[name]
    beginning = stage.begin(scenario)
    job = stage.job(scenario)
    foreign = stage.foreign()
    kills, watched = 0, 0
    for n, among in places():
        stage.come_back(beginning)
        with stage.prober() as prober:
            was_killed = killed_after(job, stage.ready, n, among)
            stage.settle(job)
        assert prober.glitches() == {}, f"killed after {n} of {sorted(among)}"
        assert stage.foreign() == foreign
        watched += prober.requests
        kills += was_killed
        if not was_killed:
            break
    assert kills >= (5 if BUDGET > 1 else 2)
    counted(f"{name}: {kills} kills survived, {watched} requests watched")


REFUSED = ("first", "any", "whole") if BUDGET > 1 else ("any",)
"""What an account refuses twice: first and any lead through a gap, whole through none where the bundles differ."""


def failing(job: Job, ready: Ready) -> list[str]:
    """The codes of a run that fails, none of one that does not; what was put back ends with 3."""
    failed: Failure | None = None
    try:
        crash_child.run(job, ready)
    except Failure as failure:
        failed = failure
    codes = [d.code.code for d in failed.diagnostics] if failed else []
    assert failed is None or failed.exit_code is (
        Exit.VERIFY_FAILED if "apply.put-back" in codes else Exit.ERROR
    )
    return codes


@pytest.mark.parametrize("hit", ["nothing", "the next upload"])
@pytest.mark.parametrize("refused", REFUSED)
def test_killed_inside_a_gap_it_heals(stage: Stage, refused: str, hit: str, counted: Counted) -> None:
    """Killed after each call of a rotation that must take the old CA away first, and run again: the new one stands.

    Meanwhile nobody gets in who does not before or afterwards, and who does in both is out in the gap alone; also
    where the upload of the next run fails, so that only the one behind it heals.
    """
    top = root("Top", now=datetime.now(UTC))
    one, two = (top.intermediate(f"Issuing {n}", now=datetime.now(UTC)) for n in ("one", "two"))
    bundles = {"both": (one, two, top), "part": (one, top)}
    for name, made in bundles.items():
        (stage.folder / f"{name}.pem").write_text("".join(a.certificate.pem for a in made), "ascii")
    identities = [(n, a.issue(n, now=datetime.now(UTC))) for n, a in (("stays", one), ("goes", two))]
    who: dict[str, Path | None] = {"nobody": None, **files(stage.folder, identities)}
    asking = {name: Asking(A, "/x", name, pem) for name, pem in who.items()}
    allowed = Allowed(twins=frozenset({refused}), lockout=frozenset({A}), unproven=frozenset({A}))
    scenario = Scenario(ca("both.pem", A) + app(f"{A}/x"), ca("part.pem", A) + app(f"{A}/x"), allowed)
    lever(stage.ready, "switches", {"refuse-duplicate-certificate": refused}, "POST")
    try:
        beginning, kills, gaps, backs = stage.begin(scenario), 0, 0, 0
        job = stage.job(scenario)
        for n, among in places():
            stage.come_back(beginning)
            with Prober(stage.ready, list(asking.values())) as prober:
                was_killed = killed_after(job, stage.ready, n, among)
                gaps += not any("fleet" in c["name"] and c["associated_hostnames"]
                                for c in lever(stage.ready, "state")["certificates"])  # fmt: skip
                if hit != "nothing":
                    fault = {
                        "do": "5xx",
                        "when": {"method": "POST", "path": "/access/certificates", "nth": 1},
                    }
                    lever(stage.ready, "faults", [fault], "POST")
                    codes = failing(job, stage.ready)
                    lever(stage.ready, "faults", method="DELETE")
                stage.settle(job)
            seen = {name: prober.outcomes[one_asking] for name, one_asking in asking.items()}
            assert seen["nobody"] == [403], n
            put_back = hit != "nothing" and "apply.put-back" in codes
            assert seen["goes"] in ([200, 403], [200, 403, 200, 403][: 4 if put_back else 2]), n
            assert seen["stays"] in (
                [200],
                [200, 403, 200],
                [200, 403, 200, 403, 200][: 5 if put_back else 1],
            ), n
            backs += put_back
            names = [c["name"] for c in lever(stage.ready, "state")["certificates"] if "fleet" in c["name"]]
            assert len(names) == 1
            kills += was_killed
            if not was_killed:
                break
        assert kills >= 3
        assert (gaps > 0) is (refused != "whole")
        counted(
            f"gap, {refused} refused, {hit} hit: {kills} kills, {gaps} of them inside the gap, {backs} put back"
        )
    finally:
        lever(stage.ready, "switches", {"refuse-duplicate-certificate": "first"}, "POST")


FAULTS: tuple[dict[str, Any], ...] = (
    {"do": "lost"},
    {"do": "half"},
    {"do": "reset"},
    {"do": "5xx", "status": 503},
    {"do": "429", "retry_after": None},
    {"do": "429", "retry_after": 1},
    {"do": "shuffle"},
)
"""What may happen to one call; with a larger budget each of them happens to every call."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_hit_by_a_fault_at_any_call_it_heals(stage: Stage, name: str, counted: Counted) -> None:
    """A fault at each call in turn: waited out or given up aloud, and healed by running again.

    Each write is hit, and without a larger budget every third read.
    """
    scenario = SCENARIOS[name]
    beginning = stage.begin(scenario)
    job = stage.job(scenario)
    foreign = stage.foreign()
    stage.come_back(beginning)
    methods = crash_child.run(job, stage.ready)
    survived, gave_up = 0, 0
    reads = [n for n, method in enumerate(methods, 1) if method == "GET"]
    left_out = set(reads) - set(reads[::3]) if BUDGET == 1 else set()
    hit = [n for n in range(1, len(methods) + 1) if n not in left_out]
    for n in hit:
        chosen = FAULTS if BUDGET > 1 else [FAULTS[(n + len(name)) % len(FAULTS)]]
        for fault in chosen:
            stage.come_back(beginning)
            lever(stage.ready, "faults", [{**fault, "when": {"nth": n}}], "POST")
            with stage.prober() as prober:
                try:
                    crash_child.run(job, stage.ready)
                except Failure:
                    gave_up += 1
                stage.settle(job)
            assert prober.glitches() == {}, f"{fault} at call {n}"
            assert stage.foreign() == foreign
            survived += 1
    assert survived >= len(hit) >= 3
    counted(f"{name}: {survived} faults survived, {gave_up} of them by running again")


def test_two_applies_at_once_make_nothing_twice(stage: Stage) -> None:
    """Both begin from the same plan: whoever comes later is stopped with a message or finds it done; it converges."""
    scenario = SCENARIOS["create"]
    for _ in range(5 * BUDGET):
        stage.come_back(stage.begin(scenario))
        job = stage.job(scenario)
        children = [context.Process(target=crash_child.outcome, args=(job, stage.ready)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join(60)
        assert sorted(child.exitcode or 0 for child in children) in ([0, 0], [0, 1]), children
        stage.settle(job)
