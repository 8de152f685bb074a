"""Between two phases: nothing is demanded before the edge asks, nothing is taken before it follows."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cf_mtls.diagnostics import Failure
from cf_mtls.model.evidence import Evidence, Got, Probe
from cf_mtls.model.people import Target
from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.state import State
from cf_mtls.pki.identity import Identity
from cf_mtls.proving import Patience
from cf_mtls.remote.pace import Clock
from cf_mtls.remote.stages import Boundary
from cf_mtls.rotation import Rotation
from cf_mtls.settle import BLIND_S, Settler
from cf_mtls.verify.connect import ConnectTo, parse
from cf_mtls.verify.wallet import Wallet
from tests.conftest import Pki
from tests.planning.things import app, app_at, ca, ca_at
from tests.verify.bad_edges import EDGES, HOST, serving

EDGE = (("cf-ray", "1-FAKE"),)
REFUSED = Evidence(403, "HTTP/2", (*EDGE, ("cf-access-aud", "x")))
OPEN = Evidence(200, "HTTP/2", EDGE)
UNREACHABLE = Evidence(failure=Got.UNREACHABLE, detail="no way")
URL = f"https://{HOST}/"


@dataclass
class Run:
    """A settler whose time passes by sleeping, and what it said and asked."""

    answers: Callable[[Probe], Evidence] = lambda _: OPEN
    connect_to: tuple[ConnectTo, ...] = ()
    at: float = 0.0
    said: list[str] = field(default_factory=list)
    asked: list[Probe] = field(default_factory=list)
    stops: bool = False
    name: str = "fake"
    can: frozenset[int] = frozenset(range(1, 10))
    at_once: int = 1

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        self.asked.append(probe)
        return self.answers(probe)

    def between(self, boundary: Boundary) -> None:
        patience = Patience(Clock(lambda: self.at, self.sleep), 3.0, self.said.append, lambda: self.stops)
        targets, now = (Target(URL, "a"),), lambda: datetime.now(UTC)
        asked = (targets, Wallet({}, ()), self)
        rotation = Rotation("s", *asked, patience, now, self.said.append)
        settler = Settler(*asked, self.connect_to, patience, now, self.said.append, rotation)
        assert settler.between(boundary) is None


TRUST = State({ca_at("1"): ca("1", HOST)})
DEMAND = Step(Phase.DEMAND, app_at(HOST), app(HOST), app_at(HOST))
NARROW = Step(Phase.NARROW, ca_at("1"), ca("1"), ca_at("1"))


def before(step: Step, state: State, done: tuple[Step, ...] = ()) -> Boundary:
    """The moment before one last step."""
    return Boundary(done, (step,), state, state.put(step.address, step.value))


@contextmanager
def edge(behaviour: str, pki: Pki, folder: Path) -> Iterator[tuple[ConnectTo, ...]]:
    with serving(EDGES[behaviour], pki.clients, folder) as served:
        yield (parse(f"::{served.address}"),)


def test_nothing_is_demanded_where_the_handshake_does_not_ask(pki: Pki, tmp_path: Path) -> None:
    """The deadline passes: the run stops, and says on which host."""
    with edge("never asks, and lets everybody in", pki, tmp_path) as way:
        run = Run(connect_to=way)
        with pytest.raises(Failure) as caught:
            run.between(before(DEMAND, TRUST))
    assert [d.code.code for d in caught.value.diagnostics] == ["apply.edge-does-not-ask"]
    assert HOST in caught.value.diagnostics[0].detail
    assert 1 < run.at <= 3


def test_where_the_handshake_asks_the_run_goes_on(pki: Pki, tmp_path: Path) -> None:
    """At once."""
    with edge("demands the certificate in TLS 1.3", pki, tmp_path) as way:
        run = Run(connect_to=way)
        run.between(before(DEMAND, TRUST))
    assert (run.at, run.said) == (0, [])


def test_only_a_hostname_with_a_ca_and_a_demand_must_ask(pki: Pki, tmp_path: Path) -> None:
    """Elsewhere nobody will be refused for it: nothing is looked at and nothing waited for."""
    elsewhere = Step(Phase.DEMAND, app_at("b.net"), app("b.net"), app_at("b.net"))
    with edge("never asks, and lets everybody in", pki, tmp_path) as way:
        for boundary in (before(elsewhere, TRUST), before(DEMAND, State())):
            run = Run(connect_to=way)
            run.between(boundary)
            assert run.at == 0


def test_an_edge_that_cannot_be_seen_is_said_and_a_pause_stands_in() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    run = Run(connect_to=(parse(f"::127.0.0.1:{port}"),))
    run.between(before(DEMAND, TRUST))
    assert run.at == BLIND_S
    assert f"cannot see the edge of {HOST}" in run.said[0]


SHUT = TRUST.put(app_at(HOST), app(HOST))


def test_no_trust_is_taken_while_the_edge_does_not_do_what_stands() -> None:
    """The application has gone, and Access still refuses: the clients would be out."""
    run = Run(lambda _: REFUSED)
    with pytest.raises(Failure) as caught:
        run.between(before(NARROW, TRUST))
    assert [d.code.code for d in caught.value.diagnostics] == ["apply.edge-behind"]
    assert 1 < run.at <= 3
    assert {p.proof for p in run.asked} == {1}


def test_trust_is_taken_once_the_edge_follows() -> None:
    """Access has let go a moment later: asked again, and on."""
    run = Run()
    run.answers = lambda _: OPEN if run.at > 1 else REFUSED
    run.between(before(NARROW, TRUST))
    assert 1 < run.at <= 3


@pytest.mark.parametrize("state", [TRUST, SHUT])
def test_an_edge_that_cannot_be_asked_is_said_and_a_pause_stands_in(state: State) -> None:
    """Every answer is missing: nothing is claimed."""
    run = Run(lambda _: UNREACHABLE)
    run.between(before(NARROW, state))
    assert run.at == BLIND_S
    assert "cannot see the edge from here" in run.said[-1]


def test_whoever_stops_the_run_does_not_wait_and_is_told_no_lie() -> None:
    """No failure is raised for what was not waited for."""
    run = Run(lambda _: REFUSED, stops=True)
    run.between(before(NARROW, TRUST))
    assert run.at == 0


def test_other_phases_begin_without_a_look() -> None:
    """Nothing hangs on the edge there."""
    for phase in (Phase.UPLOAD, Phase.WIDEN, Phase.SETTINGS, Phase.RELEASE, Phase.DELETE):
        run = Run(lambda _: REFUSED)
        run.between(before(Step(phase, ca_at("1"), ca("1"), ca_at("1")), TRUST))
        assert (run.asked, run.at) == ([], 0)
