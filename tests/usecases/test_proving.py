"""Who is asked, with what, and how long: the use case of proof with a fake witness."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from cf_mtls import proving
from cf_mtls.model.evidence import Evidence, Extent, Got, Outcome, Probe
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.plan import Plan
from cf_mtls.model.resources import (
    AccessPolicy,
    Address,
    CaCertificate,
    HostnameSettings,
    Kind,
    Resource,
    Scope,
)
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.remote.pace import Clock
from cf_mtls.verify.wallet import Wallet
from cf_mtls.workflow import Allowed, planned
from tests.conftest import Pki
from tests.planning.things import ANYONE, app, app_at, ca, ca_at
from tests.planning.worlds import named

NOW = datetime.now(UTC)
URL = "https://a.net/"
TARGET = Target(URL, "a")
EDGE = (("cf-ray", "1-FAKE"),)
OPEN, DOWN = Evidence(200, "HTTP/2", EDGE), Evidence(522, "HTTP/2", EDGE)
REFUSED = Evidence(403, "HTTP/2", (*EDGE, ("cf-access-aud", "x")))


@dataclass
class Fake:
    """A witness that answers by who is shown, in turn; the last answer repeats."""

    answers: dict[str, list[Evidence]]
    asked: list[str] = field(default_factory=list)
    name: str = "fake"
    can: frozenset[int] = frozenset({1, 2})
    at_once: int = 1

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        self.asked.append(probe.who)
        listed = self.answers[probe.who]
        return listed.pop(0) if len(listed) > 1 else listed[0]


def trust(key: str, authority: Authority) -> CaCertificate:
    """A CA on a.net with the chain of an authority."""
    return ca(key, "a.net", pem=authority.chain.pem)


def state(*authorities: Authority, pem: bool = True) -> State:
    cas = {ca_at(str(n)): trust(str(n), a) if pem else ca(str(n), "a.net") for n, a in enumerate(authorities)}
    return State({**cas, app_at("a.net"): app("a.net")})


def wallet(**identities: Identity) -> Wallet:
    clients = tuple(Client(name, f"{name}.pem", f"{name}.key") for name in identities)
    return Wallet(identities, clients)


def expected(stands: State, held: Wallet) -> dict[str, Expected]:
    asked = proving.subject([TARGET], held, stands, NOW, frozenset({1, 2}))
    return {probe.who: probe.expected for probe in asked.probes}


def test_a_client_is_expected_to_get_in_under_its_own_ca_only(pki: Pki) -> None:
    """By its chain, not by a name: the stranger has the same subject and issuer."""
    held = wallet(jean=pki.jean, stranger=pki.stranger)
    found = expected(state(pki.clients), held)
    assert found == {
        "no certificate": Expected.REFUSED, "jean": Expected.ALLOWED, "stranger": Expected.REFUSED,
    }  # fmt: skip
    other = root("Another Root", now=NOW)
    assert expected(state(other), held)["jean"] is Expected.REFUSED
    assert expected(state(other, pki.clients), held)["jean"] is Expected.ALLOWED


def test_a_name_that_a_policy_asks_for_is_the_clients_own(pki: Pki) -> None:
    """Read from its certificate."""
    for name, what in (("jean", Expected.ALLOWED), ("ana", Expected.REFUSED)):
        only = AccessPolicy("p", "non_identity", (named(name),))
        stands = State({ca_at("0"): trust("0", pki.clients), app_at("a.net"): app("a.net", only)})
        assert expected(stands, wallet(jean=pki.jean))["jean"] is what


def test_what_cannot_be_imitated_is_not_asked_and_said(pki: Pki) -> None:
    """Of a CA without its PEM no wrong certificate can be made: nothing is shown that does not exist."""
    asked = proving.subject([TARGET], wallet(jean=pki.jean), state(pki.clients, pem=False), NOW)
    assert {p.shows for p in asked.probes if p.shows and not p.client} <= set(asked.identities)
    few = proving.subject([TARGET], wallet(jean=pki.jean), state(pki.clients), NOW, frozenset({1, 2}))
    assert any(note.startswith("Not asked for: proof 3") for note in few.notes)


def test_a_client_whose_time_is_over_is_expected_to_be_refused(pki: Pki) -> None:
    """Judged at the moment that was given."""
    over = pki.clients.issue("over", now=NOW, not_before=NOW - timedelta(9), not_after=NOW - timedelta(2))
    assert expected(state(pki.clients), wallet(over=over))["over"] is Expected.REFUSED


def test_what_is_not_here_is_never_asked_and_never_taken_for_refused(pki: Pki) -> None:
    """A client without its file: not tried, inconclusive; the witness is not troubled."""
    held = Wallet({}, (Client("jean", "j.pem", "j.key", is_here=False),))
    fake = Fake({"no certificate": [REFUSED], "jean": [OPEN]})
    asked = proving.subject([TARGET], held, state(pki.clients), NOW, frozenset({1, 2}))
    verdicts = {v.probe.who: v for v in proving.verify(asked, fake)}
    assert fake.asked == ["no certificate"]
    assert (verdicts["jean"].got, verdicts["jean"].outcome) == (Got.UNTRIED, Outcome.INCONCLUSIVE)
    assert verdicts["no certificate"].outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("first", [DOWN, OPEN])
def test_waiting_asks_again_whatever_has_not_passed(pki: Pki, first: Evidence) -> None:
    """Also what could not be told, as long as something fails; what passed is not asked twice."""
    fake = Fake({"no certificate": [OPEN, REFUSED], "jean": [first, OPEN]})
    asked = proving.subject([TARGET], wallet(jean=pki.jean), state(pki.clients), NOW, frozenset({1, 2}))
    at = [0.0]

    def sleep(seconds: float) -> None:
        at[0] += seconds

    verdicts = proving.verify_until(asked, fake, proving.Patience(Clock(lambda: at[0], sleep), 60.0))
    assert {v.outcome for v in verdicts} == {Outcome.PASS}
    assert fake.asked.count("no certificate") == 2
    assert fake.asked.count("jean") == (2 if first is DOWN else 1)


def test_a_witness_is_asked_only_what_it_can(pki: Pki) -> None:
    """Other proofs are left out and said."""
    fake = Fake({"no certificate": [REFUSED], "jean": [OPEN]}, can=frozenset({2}))
    asked = proving.subject([TARGET], wallet(jean=pki.jean), state(pki.clients), NOW, frozenset({1, 2}))
    found = proving.verify_all(asked, [fake])
    assert [v.probe.who for v in found.verdicts] == ["jean"]
    assert any("cannot ask for proof 1" in note for note in found.notes)
    waited = proving.verify_until(asked, fake, proving.Patience(Clock(lambda: 0.0, lambda _: None), 1.0))
    assert [v.probe.who for v in waited] == ["jean"]


B_URL = Target("https://b.net/", "b")


def run_of(actual: State, declared: State) -> Plan:
    return planned("s", Scope("account", "0" * 32), declared, actual, Allowed(delete=9))


BOTH = State(
    {
        app_at("a.net"): replace(app("a.net"), id="1"),
        app_at("b.net"): replace(app("b.net"), id="2"),
        ca_at("1"): replace(ca("1", "a.net", "b.net"), id="1"),
    }
)
TARGETS = (TARGET, B_URL)


def urls(made: Plan) -> list[str]:
    return [t.url for t in proving.affected(made, TARGETS)]


@pytest.mark.parametrize(
    ("address", "becomes", "found"),
    [
        (None, None, [URL, "https://b.net/"]),
        (app_at("a.net"), app("a.net", ANYONE), [URL]),
        (Address(Kind.SETTINGS, "b.net"), HostnameSettings("b.net", china_network=True), ["https://b.net/"]),
        (ca_at("1"), ca("1", "a.net"), ["https://b.net/"]),
        (app_at("b.net"), None, ["https://b.net/"]),
        (app_at("a.net/new"), app("a.net/new"), [URL]),
        (app_at("a.net/new"), app("a.net/new", ANYONE), [URL, "https://a.net/new"]),
        (app_at("c.net"), app("c.net", ANYONE, stack="s"), [URL, "https://b.net/"]),
    ],
)
def test_a_run_is_looked_at_wherever_it_could_matter(
    address: Address | None, becomes: Resource | None, found: list[str]
) -> None:
    """The file's URLs on the hosts that change, and others there that let in other people; all when nothing changes."""
    declared = State({a: replace(r, id=None) for a, r in BOTH.items()})  # type: ignore[call-arg]
    wanted = declared if address is None else declared.put(address, becomes)
    assert urls(run_of(BOTH, wanted)) == found


@pytest.mark.parametrize(("binds", "targets", "extent"), [
    (True, TARGETS, Extent.RUN), (True, (TARGET,), Extent.FILE), (False, (TARGET,), Extent.RUN),
])  # fmt: skip
def test_a_run_speaks_for_the_file_only_when_all_of_it_was_looked_at(
    binds: bool, targets: tuple[Target, ...], extent: Extent
) -> None:
    """Not where a part was asked, nor in a partial run or one that destroys."""
    made = run_of(BOTH, BOTH.put(app_at("a.net"), app("a.net", ANYONE)))
    asked = proving.after(made, State(), targets, Wallet({}, ()), NOW, binds=binds)
    assert asked.extent is extent


def test_in_a_run_that_does_not_bind_no_client_is_demanded(pki: Pki) -> None:
    """The policies that stand say what must happen."""
    stands = state(pki.clients)
    made = run_of(State(), State())
    made = replace(made, actual=stands, desired=stands)
    held = replace(wallet(jean=pki.jean), clients=(Client("jean", "j", "k", Expected.REFUSED),))
    for binds, what in ((True, Expected.REFUSED), (False, Expected.ALLOWED)):
        asked = proving.after(made, stands, (TARGET,), held, NOW, binds=binds)
        assert [p.expected for p in asked.probes if p.proof == 2] == [what]


def test_what_was_just_removed_may_answer_no_more(pki: Pki) -> None:
    """Its domains go along, so that its answer is a failure and not somebody else's."""
    made = run_of(BOTH, State({a: r for a, r in BOTH.items() if a != app_at("b.net")}))
    asked = proving.after(made, State(), TARGETS, Wallet({}, ()), NOW, binds=True)
    assert {d for p in asked.probes for d in p.declared} == {"a.net", "b.net"}
