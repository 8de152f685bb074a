"""A rotation: who is out afterwards is told before anything is written, and new trust is proven before old goes.

The emulator's own edge is asked, and its own state looked at; it is slow on purpose, by a clock that nobody waits for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cf_mtls import workflow
from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.emulator import state
from cf_mtls.emulator.server import Options, Ready, Running, running
from cf_mtls.model.plan import Phase, Plan
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.proving import Patience
from cf_mtls.remote.gateway import Answer, Writer, client_for
from cf_mtls.remote.pace import Clock
from cf_mtls.remote.stages import Boundary, Setback
from cf_mtls.rotation import LAG_S, Rotation
from cf_mtls.settle import Settler
from cf_mtls.verify.connect import parse
from cf_mtls.verify.httpx_probe import HttpxWitness
from cf_mtls.verify.wallet import open_all
from cf_mtls.workflow import Account, Allowed, Hooks
from tests.conftest import Pki
from tests.drift.inside import run
from tests.emulated.edge import Asking, Prober, files
from tests.emulated.test_main_job import PLAN, URL, seen

NOW = datetime.now(UTC)


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def new() -> Authority:
    return root("New Root CA", now=NOW)


def put(folder: Path, name: str, who: Identity) -> str:
    """A client's files beside the others; its entry for the plan file."""
    certs = folder / "plans/certs"
    (certs / f"{name}.pem").write_text(who.certificate_pem, "ascii")
    (certs / f"{name}.key").write_text(who.key_pem, "ascii")
    return f"certificate: certs/{name}.pem, key: certs/{name}.key"


def edit(folder: Path, *pairs: tuple[str, str]) -> None:
    text = (folder / PLAN).read_text("utf-8")
    for old, wanted in pairs:
        assert old in text
        text = text.replace(old, wanted)
    (folder / PLAN).write_text(text, "utf-8")


def status(ready: Ready, folder: Path, who: Identity) -> int:
    """What the edge answers to a client."""
    pem = files(folder, [("asked", who)])["asked"]
    return Prober(ready, []).ask_once(
        Asking("jeann.net", URL.removeprefix("https://jeann.net"), "asked", pem)
    )


def written(ready: Ready) -> list[str]:
    return [r["method"] for r in seen(ready) if r["method"] != "GET"]


TO_NEW = ("certs/certchain.pem ", "certs/new.pem ")


@pytest.mark.parametrize("expect", ["allowed", None, "two"])
def test_the_scenario_of_a_client_that_was_forgotten(
    folder: Path, ready: Ready, pki: Pki, new: Authority, expect: str | None
) -> None:
    """Chain A with client a, then another chain: refused before any write, and a still gets in."""
    (folder / "plans/certs/new.pem").write_text(new.chain.pem, "ascii")
    if expect is None:
        edit(folder, (", expect: allowed", ""))
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    before = len(written(ready))
    edit(folder, TO_NEW)
    if expect == "two":
        mary = put(folder, "mary", new.issue("mary", now=NOW))
        edit(folder, ("clients: ", f"clients:\n  mary: {{{mary}, expect: allowed}}\n#"))
    for words in (["plan", PLAN], ["apply", PLAN, "-y"]):
        refused = run(folder, ready, *words)
        assert refused.returncode == 4, refused.stdout + refused.stderr
        assert ("[plan.locks-out]" if expect is None else "[plan.expect-impossible]") in refused.stderr
        assert f"jean{' gets' if expect is None else ' must get'} in at {URL}" in refused.stderr
        assert ("[plan.unproven]" in refused.stderr) is (expect != "two")
    assert len(written(ready)) == before
    assert status(ready, folder, pki.jean) == 200
    assert run(folder, ready, "validate", PLAN).returncode == (0 if expect is None else 1)


# In one process, on a slow edge, by a clock that is turned


HOSTS = ("a.jeann.net", "b.jeann.net")
SLOW = {"association-delay": 3.0, "detach-delay": 20.0, "app-delay": 0.0, "settings-delay": 0.0}


@dataclass
class Bench:
    """An account on an edge whose clock stands still until somebody sleeps; and plan files made of dicts."""

    emulator: Running
    folder: Path
    said: list[str] = field(default_factory=list)
    slept: float = 0.0

    @property
    def account(self) -> Account:
        ready = self.emulator.ready
        return Account(ready.token, ready.api_base_url, ready.account_id)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.emulator.do(lambda e: e.world.clock.advance(seconds))

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.emulator.do(lambda e: e.world.clock.now()), self.sleep)

    def declare(
        self, chains: list[str] | dict[str, list[str]], **clients: str | Mapping[str, str] | None
    ) -> None:
        """chains: of both hosts, or of each; clients: name to what is expected."""
        by_host = chains if isinstance(chains, dict) else {"all": chains}
        document: dict[str, Any] = {
            "version": 1,
            "stack": "s",
            "certificates": {
                label: {
                    "chain": [f"{c}.pem" for c in listed],
                    "associated_hostnames": list(HOSTS) if label == "all" else [f"{label}.jeann.net"],
                }
                for label, listed in by_host.items()
            },
            "applications": {h[0]: {"domain": f"{h}/x"} for h in HOSTS},
            "clients": {
                name: {"certificate": f"{name}.pem", "key": f"{name}.key"}
                | ({"expect": expect} if expect else {})
                for name, expect in clients.items()
            },
        }
        (self.folder / "plan.yaml").write_text(json.dumps(document), "utf-8")

    def client(self, name: str, who: Identity) -> None:
        (self.folder / f"{name}.pem").write_text(who.certificate_pem, "ascii")
        (self.folder / f"{name}.key").write_text(who.key_pem, "ascii")

    def plan(self, **allowed: Any) -> Plan:
        stack = workflow.validate(self.folder / "plan.yaml", NOW)
        return workflow.plan(stack, self.account, Allowed(**{"delete": 9, **allowed}))

    def refusals(self, **allowed: Any) -> list[tuple[str, str]]:
        """Codes of errors, with the flag that each names."""
        return sorted(
            (d.code.code, d.fix.rpartition("    ")[2] if "\n    --" in d.fix else "")
            for d in self.plan(**allowed).diagnostics
            if d.is_error
        )

    def apply(
        self,
        stop_before: Phase | None = None,
        spoil: Callable[[Boundary], None] = lambda _: None,
        edge: str | None = None,
        **allowed: Any,
    ) -> None:
        """Plan and apply as the command does. stop_before: killed there. spoil: what somebody does between."""
        made = self.plan(**allowed)
        assert [str(d.detail) for d in made.diagnostics if d.is_error] == []
        stack = workflow.validate(self.folder / "plan.yaml", NOW)
        wallet = open_all(stack.clients, lambda _: None)
        ready = self.emulator.ready
        routes = (parse(f"::{edge or ready.edge}"),)
        witness = HttpxWitness(routes, ready.edge_ca)
        patience = Patience(self.clock, 60.0)
        asked = (stack.targets, wallet, witness)
        given = Allowed(**allowed)
        rotation = Rotation(
            "s", *asked, patience, lambda: NOW, self.said.append, given.unproven, given.lockout
        )
        settler = Settler(*asked, routes, patience, lambda: NOW, self.said.append, rotation)

        def between(boundary: Boundary) -> Setback | None:
            spoil(boundary)
            if boundary.next is stop_before is not None:
                raise Killed
            return settler.between(boundary)

        account = replace(self.account, pace=replace(self.account.pace, clock=self.clock))
        workflow.apply(made, account, Hooks(between=between))

    def cas(self) -> dict[str, list[str]]:
        """The account's CAs: the label and the first digits of each, and its hostnames."""
        raws = self.emulator.do(lambda e: state.dump(e.world))["certificates"]
        return {_short(r["name"]): sorted(r["associated_hostnames"]) for r in raws}

    def writes(self) -> list[str]:
        return [r["method"] for r in self.emulator.do(lambda e: list(e.world.log)) if r["method"] != "GET"]

    def take_from(self, chain: Authority, *hosts: str) -> None:
        """Somebody else relieves a CA of some hostnames, and the edge follows."""
        home = f"/accounts/{self.account.account_id}/access/certificates"
        with client_for(self.account.token, self.account.base_url) as client:
            writer = Writer(client)
            listed = writer.get(home)
            assert isinstance(listed, Answer)
            (ca,) = [r for r in listed.result if _short(r["name"]) == named(chain)]
            left = sorted(set(ca["associated_hostnames"]) - set(hosts))
            body = {"name": ca["name"], "associated_hostnames": left}
            assert isinstance(writer.put(f"{home}/{ca['id']}", body), Answer)
        self.sleep(60)


def _short(name: str) -> str:
    label, digits = name.split()[:2]
    return f"{label} {digits[:8]}"


def named(chain: Authority, label: str = "all") -> str:
    return f"{label} {chain.chain.sha256[:8]}"


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def emulator() -> Iterator[Running]:
    with running(Options(switches=dict(SLOW))) as started:
        yield started


@pytest.fixture(scope="module")
def old() -> Authority:
    return root("Old Root CA", now=NOW)


@pytest.fixture
def bench(emulator: Running, tmp_path: Path, old: Authority, new: Authority) -> Bench:
    """Client jean of the old CA, mary of the new one; the old CA serves two hosts."""
    emulator.do(lambda e: e.restart())
    emulator.do(lambda e: e.world.clock.freeze())
    made = Bench(emulator, tmp_path)
    for name, ca in (("old", old), ("new", new)):
        (tmp_path / f"{name}.pem").write_text(ca.chain.pem, "ascii")
    made.client("jean", old.issue("jean", now=NOW))
    made.client("mary", new.issue("mary", now=NOW))
    made.declare(["old"], jean="allowed")
    made.apply()
    return made


BOTH = frozenset(f"jean@https://{host}/x" for host in HOSTS)
"""What gives jean up."""


def test_both_moments_are_proven_by_clients_that_tell_the_cas_apart(
    bench: Bench, old: Authority, new: Authority
) -> None:
    """Mary, whom only the new CA accepts, before; jean, whom only the old one accepted, refused after; then it goes."""
    bench.declare(["new"], jean=None, mary="allowed")
    assert bench.refusals() == [("plan.locks-out", f"--allow-lockout {one}") for one in sorted(BOTH)]
    assert bench.refusals(lockout=frozenset(HOSTS)) == bench.refusals()  # a moment is not for ever
    bench.apply(lockout=BOTH)
    assert bench.cas() == {named(new): list(HOSTS)}
    for host in HOSTS:
        url = f"https://{host}/x"
        assert any(
            f"mary gets in at {url}, and only all {new.chain.sha256[:8]}" in line for line in bench.said
        )
        assert f"Shown: jean is refused at {url}; only the old CA accepted it." in bench.said
    assert bench.slept < LAG_S


def test_where_nobody_can_show_the_narrowing_the_longest_lag_passes_and_is_said(
    bench: Bench, new: Authority
) -> None:
    """Jean is not declared any more: nothing shows that the hostnames left, so time must."""
    bench.declare(["new"], mary="allowed")
    begun = bench.slept
    bench.apply()
    assert bench.slept - begun >= LAG_S
    assert any("no declared client can show that" in line and "62 s" in line for line in bench.said)
    assert bench.cas() == {named(new): list(HOSTS)}


@pytest.mark.parametrize("weeks", [0.0, 3 * 7 * 86400.0])
def test_a_run_that_resumes_proves_as_the_first_would_have(
    bench: Bench, old: Authority, new: Authority, weeks: float
) -> None:
    """Killed before anything was taken: the next run, whenever it comes, knows the successor by its entry."""
    bench.declare(["new"], jean="refused", mary="allowed")
    with pytest.raises(Killed):
        bench.apply(stop_before=Phase.NARROW)
    assert bench.cas() == {named(old): list(HOSTS), named(new): list(HOSTS)}
    bench.sleep(weeks)
    (bench.folder / "mary.key").rename(bench.folder / "away.key")
    assert bench.refusals() == [("plan.unproven", f"--allow-unproven {host}") for host in HOSTS]
    (bench.folder / "away.key").rename(bench.folder / "mary.key")
    bench.said.clear()
    bench.apply()
    assert sum("Shown: mary gets in" in line for line in bench.said) == 2
    assert bench.cas() == {named(new): list(HOSTS)}


def test_a_run_that_resumes_before_the_deletion_proves_before_it(
    bench: Bench, old: Authority, new: Authority
) -> None:
    """Killed when the hostnames had left: the old CA goes only after the proofs have run again on its entry's hosts."""
    bench.declare(["new"], jean="refused", mary="allowed")
    with pytest.raises(Killed):
        bench.apply(stop_before=Phase.DELETE)
    assert bench.cas() == {named(old): [], named(new): list(HOSTS)}
    bench.said.clear()
    bench.apply()
    assert any("jean is refused" in line for line in bench.said)
    assert bench.cas() == {named(new): list(HOSTS)}


@pytest.mark.parametrize("lost", [HOSTS, HOSTS[:1]])
def test_whoever_lost_access_has_the_hostnames_put_back(
    bench: Bench, old: Authority, new: Authority, lost: tuple[str, ...]
) -> None:
    """The new CA stops working while the old one leaves: one PUT gives the old one back what it had there; 3."""
    bench.declare(["new"], jean="refused", mary="allowed")

    def spoil(boundary: Boundary) -> None:
        if boundary.next is Phase.DELETE:
            bench.take_from(new, *lost)
            spoilt.append(len(bench.writes()))

    spoilt: list[int] = []
    with pytest.raises(Failure) as caught:
        bench.apply(spoil=spoil)
    assert caught.value.exit_code is Exit.VERIFY_FAILED
    (found,) = caught.value.diagnostics
    assert found.code.code == "apply.client-lost"
    assert f"{', '.join(lost)} again." in found.detail
    assert bench.writes()[spoilt[0] :] == ["PUT"]
    assert bench.cas()[named(old)] == sorted(lost)


def test_an_edge_that_cannot_be_reached_stops_the_run_before_anything_is_taken(
    bench: Bench, old: Authority, new: Authority
) -> None:
    """What shows itself only in the run: 1, and every hostname is where it was; typed, the run goes on and says so."""
    bench.declare(["new"], jean="refused", mary="allowed")
    with pytest.raises(Failure) as caught:
        bench.apply(edge="127.0.0.1:9")
    assert caught.value.exit_code is Exit.ERROR
    assert {d.code.code for d in caught.value.diagnostics} == {"apply.successor-not-shown"}
    assert bench.cas() == {named(old): list(HOSTS), named(new): list(HOSTS)}
    bench.apply(edge="127.0.0.1:9", unproven=frozenset(HOSTS))
    assert any(line.startswith(f"Not shown: all {new.chain.sha256[:8]}") for line in bench.said)
    assert bench.cas() == {named(new): list(HOSTS)}


def test_a_client_of_two_that_has_not_moved_stops_it_at_planning_and_at_its_own_host_alone(
    bench: Bench, old: Authority, new: Authority
) -> None:
    """One host passes to the new CA and one stays: jean is lost on the first alone, and mary proves it there."""
    bench.declare({"a": ["new"], "b": ["old"]}, jean=None, mary={f"https://{HOSTS[0]}/x": "allowed"})
    assert bench.refusals() == [("plan.locks-out", f"--allow-lockout jean@https://{HOSTS[0]}/x")]
    bench.apply(lockout=BOTH)
    assert bench.cas() == {named(new, "a"): [HOSTS[0]], named(old, "b"): [HOSTS[1]]}
    assert sum("Shown: mary" in line for line in bench.said) == 1


def test_a_saved_plan_proves_a_rotation_as_its_file_would(
    folder: Path, ready: Ready, pki: Pki, new: Authority
) -> None:
    """What the old CA holds travels in the plan, known by its digits; without a key it is refused before any write."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    (folder / "plans/certs/new.pem").write_text(new.chain.pem, "ascii")
    mary = put(folder, "mary", new.issue("mary", now=NOW))
    edit(folder, TO_NEW, ("expect: allowed}", f"expect: refused}}\n  mary: {{{mary}, expect: allowed}}"))
    assert run(folder, ready, "plan", PLAN, "--out", "p.json").returncode == 0
    (folder / "plans/certs/certchain.pem").unlink()
    digest = json.loads((folder / "p.json").read_text("utf-8"))["cf_mtls"]["digest"]
    key, before = folder / "plans/certs/mary.key", len(written(ready))
    key.rename(folder / "away.key")
    refused = run(folder, ready, "apply", "p.json", "--expect", digest)
    assert (refused.returncode, "[plan.unproven]" in refused.stderr) == (4, True), refused.stderr
    assert len(written(ready)) == before
    (folder / "away.key").rename(key)
    done = run(folder, ready, "apply", "p.json", "--expect", digest)
    assert done.returncode == 0, done.stderr
    assert f"Shown: mary gets in at {URL}" in done.stderr
    assert f"Shown: jean is refused at {URL}; only the old CA accepted it." in done.stderr
    assert (status(ready, folder, pki.jean), "Proven" in done.stdout) == (403, True)


def test_an_expired_client_that_must_get_in_blocks_no_rotation(
    bench: Bench, old: Authority, new: Authority
) -> None:
    """It is out already, whatever the file demands: a warning, and neither moment waits for it."""
    long_ago = NOW - timedelta(days=9)
    gone = old.issue("gone", now=long_ago, not_before=long_ago, not_after=NOW - timedelta(days=2))
    bench.client("gone", gone)
    bench.declare(["new"], jean="refused", mary="allowed", gone="allowed")
    warned = [d.code.code for d in bench.plan().diagnostics]
    assert warned.count("plan.already-out") == 2
    bench.apply()
    assert bench.cas() == {named(new): list(HOSTS)}


def test_what_leaves_everybody_in_waits_for_nobody(bench: Bench, new: Authority) -> None:
    """The applications go with the CA: anybody gets in, no certificate matters, and nothing is asked or waited for."""
    (bench.folder / "plan.yaml").write_text(
        json.dumps({"version": 1, "stack": "s", "clients": {
            "jean": {"certificate": "jean.pem", "key": "jean.key", "expect": "allowed"},
        }}), "utf-8",
    )  # fmt: skip
    begun = bench.slept
    bench.apply(weaken=frozenset(f"https://{host}/x" for host in HOSTS), delete=9)
    assert bench.cas() == {}
    assert bench.slept - begun < LAG_S
    assert not any(line.startswith(("Prov", "Shown")) for line in bench.said)


def test_what_is_proven_along_the_way_is_proven_without_the_last_proof_too(
    folder: Path, ready: Ready, new: Authority
) -> None:
    """`--no-verify` leaves out the end and nothing else: an edge that cannot be reached stops the rotation, 1."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    (folder / "plans/certs/new.pem").write_text(new.chain.pem, "ascii")
    mary = put(folder, "mary", new.issue("mary", now=NOW))
    edit(folder, TO_NEW, ("expect: allowed}", f"expect: refused}}\n  mary: {{{mary}, expect: allowed}}"))
    away = {"CF_MTLS_CONNECT_TO": "::127.0.0.1:9"}
    stopped = run(folder, ready, "apply", PLAN, "-y", "--no-verify", "--deadline", "1", **away)
    assert stopped.returncode == 1, stopped.stderr
    assert "[apply.successor-not-shown]" in stopped.stderr
    done = run(folder, ready, "apply", PLAN, "-y", "--no-verify")
    assert done.returncode == 0, done.stderr
    assert f"Shown: mary gets in at {URL}" in done.stderr
    assert f"Shown: jean is refused at {URL}" in done.stderr
