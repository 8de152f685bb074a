"""Which new trust must be proven before a hostname leaves a CA, and which declared client can prove it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.declare.clients import shown_by
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.plan import Phase, Step
from cf_mtls.model.resources import CaCertificate, Contents, Resource
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.planning.admission import People
from cf_mtls.planning.gates import unproven
from cf_mtls.planning.succession import Handover, handovers, hosts_of_entry, proofs, successors, why_unproven
from tests.conftest import Pki
from tests.planning.things import ANYONE, app, app_at, ca, ca_at, policy, rule

NOW = datetime.now(UTC)
URL = "https://a.net/"
TARGET = Target(URL, "a")
U, W, S, D, R, N, X = Phase


@pytest.fixture(scope="module")
def new() -> Authority:
    return root("New Root", now=NOW)


@pytest.fixture(scope="module")
def mary(new: Authority) -> Identity:
    return new.issue("mary", now=NOW)


def named(key: str, entry: str, *hosts: str, stack: str | None = "s") -> CaCertificate:
    """A CA of an entry of the file, by its name."""
    mark = f" (cf-mtls {stack})" if stack else ""
    return replace(ca(key, *hosts), name=f"{entry} {key * 32}{mark}" if stack else entry)


def world(*cas: CaCertificate) -> State:
    return State({ca_at(c.fingerprints[0]): c for c in cas})


OLD, SAME, OTHER = named("1", "fleet", "a.net"), named("2", "fleet", "a.net"), named("3", "bank", "a.net")
FOREIGN = named("4", "by hand", "a.net", stack=None)
IMPORTED = replace(OLD, name="as it was imported", id="x")


@pytest.mark.parametrize(
    ("start", "desired", "found"),
    [
        ([OLD], [SAME], ["2"]),
        ([OLD, SAME], [SAME], ["2"]),
        ([OLD, OTHER], [OTHER], []),
        ([OLD], [OTHER], ["3"]),
        ([OLD, FOREIGN], [FOREIGN], []),
        ([OLD, SAME, OTHER, FOREIGN], [SAME, OTHER, FOREIGN], ["2"]),
        ([IMPORTED, SAME, OTHER, FOREIGN], [SAME, OTHER, FOREIGN], ["2", "3"]),
        ([OLD], [], []),
        ([OLD], [named("2", "fleet", "b.net")], []),
    ],
)
def test_who_takes_over_a_hostname(
    start: list[CaCertificate], desired: list[CaCertificate], found: list[str]
) -> None:
    """What this plan puts there, and what stands there in the same entry; not what stays, nor what is foreign.

    Where the entry of what leaves is not known, every CA of this stack that stays counts.
    """
    seen = successors("a.net", ca_at("1"), world(*start), world(*desired), "s")
    assert [a.key for a in seen] == found


def step(phase: Phase, key: str, value: Resource | None) -> Step:
    return Step(phase, ca_at(key), value, ca_at(key))


def test_what_leaves_together_is_proven_before_the_first_of_it_leaves() -> None:
    """Both old CAs stand in the state of both proofs; what comes in between starts anew."""
    two = named("5", "fleet", "a.net")
    start, desired = world(OLD, two), world(SAME)
    bare = [replace(c, associated_hostnames=()) for c in (OLD, two)]
    steps = [
        step(U, "2", SAME),
        step(N, "1", bare[0]),
        step(N, "5", bare[1]),
        step(X, "1", None),
        step(X, "5", None),
    ]
    found = handovers(steps, start, desired, "s", start)
    assert [(h.host, h.old.key, h.new.key) for h in found] == [("a.net", "1", "2"), ("a.net", "5", "2")]
    assert [h.state for h in found] == [world(OLD, two, SAME)] * 2
    apart = handovers([steps[0], steps[1], step(W, "2", SAME), steps[2]], start, desired, "s", start)
    assert [hosts(h.state, "1") for h in apart] == [("a.net",), ()]


def hosts(state: State, key: str) -> tuple[str, ...]:
    found = state[ca_at(key)]
    assert isinstance(found, CaCertificate)
    return found.associated_hostnames


def test_only_what_a_ca_loses_is_handed_over() -> None:
    """A hostname that it keeps, an upload, or an application are none."""
    start = world(named("1", "fleet", "a.net", "b.net"))
    desired = world(named("1", "fleet", "b.net"), named("2", "fleet", "a.net", "b.net"))
    steps = [step(U, "2", named("2", "fleet", "a.net", "b.net")), step(N, "1", named("1", "fleet", "b.net"))]
    assert [h.host for h in handovers(steps, start, desired, "s", start)] == ["a.net"]


def test_where_a_hostname_has_one_ca_only_the_new_one_cannot_be_there_before() -> None:
    """Said as it is: the proof's state has not the new CA."""
    start, desired = world(OLD), world(SAME)
    steps = [
        step(U, "2", replace(SAME, associated_hostnames=())),
        step(N, "1", replace(OLD, associated_hostnames=())),
        step(W, "2", SAME),
    ]
    (found,) = handovers(steps, start, desired, "s", start, one_ca=True)
    assert found.state == start


def test_the_hosts_of_an_entry_are_those_of_its_cas_that_stay() -> None:
    """None where the name does not say which entry it was."""
    desired = world(SAME, OTHER)
    assert hosts_of_entry(ca_at("1"), world(OLD), desired, "s") == {"a.net"}
    assert hosts_of_entry(ca_at("1"), world(IMPORTED), desired, "s") == frozenset()
    assert hosts_of_entry(ca_at("1"), world(IMPORTED), world(FOREIGN), "s") == frozenset()
    assert hosts_of_entry(ca_at("1"), world(OLD), world(OTHER), "s") == frozenset()


def with_pem(found: CaCertificate, of: Authority | None) -> CaCertificate:
    known = Contents.KNOWN if of else Contents.UNKNOWN
    return replace(found, pem=of.chain.pem if of else None, contents=known)


def client(name: str, expect: Expected | None = None, *, here: bool = True) -> Client:
    return Client(name, f"{name}.pem", f"{name}.key", expect, is_here=here)


def people(*pairs: tuple[Client, Identity]) -> People:
    return People(tuple(c for c, _ in pairs), (TARGET,), {c.name: shown_by(i, NOW) for c, i in pairs}, NOW)


def handover(*cas: CaCertificate, policies: object = None) -> Handover:
    shut = app("a.net") if policies is None else app("a.net", policies)  # type: ignore[arg-type]
    return Handover("a.net", ca_at("1"), ca_at("2"), world(*cas).put(app_at("a.net"), shut))


def test_a_client_that_the_new_ca_alone_accepts_proves_it(pki: Pki, new: Authority, mary: Identity) -> None:
    """Not one of the old CA, nor one that both accept, nor one that must be refused, nor where the door is open."""
    old, fresh = with_pem(OLD, pki.clients), with_pem(SAME, new)
    asked = handover(old, fresh)
    assert [p.client.name for p in proofs(asked, people((client("mary"), mary)), NOW)] == ["mary"]
    assert proofs(asked, people((client("jean"), pki.jean)), NOW) == ()
    assert proofs(asked, people((client("mary", Expected.REFUSED), mary)), NOW) == ()
    assert proofs(handover(old, fresh, policies=ANYONE), people((client("mary"), mary)), NOW) == ()
    assert proofs(handover(with_pem(OLD, new), fresh), people((client("mary"), mary)), NOW) == ()
    named_x = policy("non_identity", rule("common_name", common_name="x"))
    assert proofs(handover(old, fresh, policies=named_x), people((client("mary"), mary)), NOW) == ()


def test_a_proof_is_made_on_the_hostname_itself(pki: Pki, new: Authority, mary: Identity) -> None:
    """Getting in on another hostname of the same CA says nothing about this one."""
    old, fresh = with_pem(OLD, pki.clients), with_pem(named("2", "fleet", "a.net", "b.net"), new)
    asked = handover(old, fresh)
    asked = replace(asked, state=asked.state.put(app_at("b.net"), app("b.net")))
    elsewhere = replace(people((client("mary"), mary)), targets=(Target("https://b.net/", "b"),))
    assert proofs(asked, elsewhere, NOW) == ()


def test_a_ca_whose_contents_nobody_knows_proves_nothing_and_lets_nothing_be_proven(
    pki: Pki, new: Authority, mary: Identity
) -> None:
    """It could be the one that let the client in."""
    unknown = with_pem(named("9", "x", "a.net"), None)
    for cas in ((with_pem(OLD, None), with_pem(SAME, new)), (with_pem(OLD, pki.clients), with_pem(SAME, new), unknown),
                (with_pem(OLD, pki.clients), with_pem(SAME, None))):  # fmt: skip
        assert proofs(handover(*cas), people((client("mary"), mary)), NOW) == ()
        assert "nobody here has the contents of" in why_unproven(
            handover(*cas), people((client("mary"), mary)), NOW
        )


def test_what_a_client_sends_must_not_matter(pki: Pki, new: Authority) -> None:
    """One whom what it sends leads to the new root alone proves it; one whom the old root accepts then does not."""
    issuing = new.intermediate("New Issuing", now=NOW)
    sender = issuing.issue("sam", now=NOW)
    shown = replace(shown_by(sender, NOW), sent=(issuing.certificate.der,))
    who = replace(people((client("sam"), sender)), shown={"sam": shown})
    beside = with_pem(OLD, pki.clients)
    assert [p.client.name for p in proofs(handover(beside, with_pem(SAME, new)), who, NOW)] == ["sam"]
    both = handover(with_pem(OLD, new), with_pem(SAME, issuing))
    assert proofs(both, who, NOW) == ()


def test_why_nobody_can_prove_it_is_said(pki: Pki, new: Authority, mary: Identity) -> None:
    """Each cause in its own words; '' where it can be tried."""
    old, fresh = with_pem(OLD, pki.clients), with_pem(SAME, new)
    jean, here = (client("jean"), pki.jean), (client("mary"), mary)
    away, twin = (client("mary", here=False), mary), with_pem(named("7", "z", "a.net"), new)
    cases: list[tuple[Handover, People, str]] = [
        (handover(old, fresh), people(jean, here), ""),
        (handover(old, fresh), people(away), "the private key of mary is not here"),
        (handover(old, fresh), people(jean), "no declared client has a certificate of it"),
        (handover(old), people(here), "it comes only after the old one has left"),
        (handover(with_pem(OLD, new), fresh), people(here), "the old bundle accepts every client that the new one"),
        (handover(old, fresh, twin), people(here), "mary: another CA there accepts it too"),
        (handover(old, fresh, policies=ANYONE), people(here), "at no URL there does the certificate of mary decide"),
        (handover(old, fresh), replace(people(here), targets=(Target("https://b.net/", "b"),)),
         "the file declares no URL on that hostname"),
    ]  # fmt: skip
    for asked, who, why in cases:
        said = why_unproven(asked, who, NOW)
        assert said.startswith(why) if why else said == ""


@pytest.mark.parametrize(
    ("typed", "refused"),
    [((), True), (("b.net", "*", "net"), True), (("a.net",), False)],
)
def test_what_cannot_be_proven_is_refused_until_its_host_is_typed(
    pki: Pki, new: Authority, typed: tuple[str, ...], refused: bool
) -> None:
    """By its own name and no other; where it can be tried nothing is refused, nor in a plan that judges nobody."""
    asked = handover(with_pem(OLD, pki.clients), with_pem(SAME, new))
    who = people((client("jean"), pki.jean))
    seen = [*unproven([asked], who, asked.state, frozenset(typed))]
    assert [d.code.code for d in seen] == (["plan.unproven"] if refused else [])
    assert all("--allow-unproven a.net" in d.fix for d in seen)
    assert [*unproven([asked], replace(who, at=None), asked.state, frozenset())] == []


def test_what_can_be_tried_is_not_refused(pki: Pki, new: Authority, mary: Identity) -> None:
    """Whether it works shows itself in the run."""
    asked = handover(with_pem(OLD, pki.clients), with_pem(SAME, new))
    assert [*unproven([asked], people((client("mary"), mary)), asked.state, frozenset())] == []
