"""Who is asked, with what, and how long: the use case of proof with a fake witness."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from cf_mtls import proving
from cf_mtls.model.evidence import Evidence, Got, Outcome, Probe
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.resources import CaCertificate
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.remote.pace import Clock
from cf_mtls.verify.wallet import Wallet
from tests.conftest import Pki
from tests.planning.things import app, app_at, ca, ca_at

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
