"""Whole plans of rotations: what each must have proven, by whom, with which flag; the rules: `test_succession`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.people import Expected
from cf_mtls.model.plan import Allowed, Phase, Step
from cf_mtls.model.resources import CaCertificate
from cf_mtls.model.state import State
from cf_mtls.pki.pem import Chain
from cf_mtls.planning.ownership import is_ours
from cf_mtls.planning.succession import handovers, proofs
from tests.planning.things import ANYONE, MAIL, app, policy, rule
from tests.planning.trust import (
    JEAN,
    MARY,
    NEW,
    NOW,
    OF_TWO,
    OLD,
    ONE,
    RENEWED,
    TOP,
    TWO,
    Ca,
    File,
    Who,
    bundle,
    flags,
    found,
    sending,
    there,
)

A, R = Expected.ALLOWED, Expected.REFUSED
URL = "https://a.net/"
GIVEN_UP = Allowed(lockout=frozenset({f"jean@{URL}", "jean@https://b.net/"}))
UNPROVEN = "plan.unproven"
FLAG = "--allow-unproven a.net"
BEFORE = there(Ca(bundle(OLD)), a=app("a.net"))


def rotated(to: Chain, **clients: Who) -> File:
    return File((Ca(to),), (app("a.net"),), clients)


def why(file: File, actual: State = BEFORE) -> list[str]:
    """The reasons of each refusal, less the CAs' names."""
    return [
        line.partition(": ")[2].rstrip(".")
        for _, detail in found(file.plan(actual, GIVEN_UP), UNPROVEN)
        for line in detail.splitlines()[1:]
    ]


NOBODY = "no declared client has a certificate of it"
KEY = "the private key of mary is not here"


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (rotated(bundle(NEW), mary=Who(MARY, A)), None),
        (rotated(bundle(NEW), mary=Who(MARY)), None),
        (rotated(bundle(NEW), mary=Who(MARY, ((URL, A),))), None),
        (rotated(bundle(NEW)), NOBODY),
        (rotated(bundle(NEW), jean=Who(JEAN)), NOBODY),
        (
            rotated(bundle(NEW), mary=Who(None, A)),
            "no client that could be opened has a certificate of it; not opened: mary",
        ),
        (rotated(bundle(NEW), mary=Who(MARY, A, is_here=False)), KEY),
        (rotated(bundle(NEW), mary=Who(MARY, A, is_here=False), two=Who(NEW.issue("two", now=NOW))), None),
        (
            rotated(bundle(NEW), mary=Who(MARY, R)),
            "at no URL there does the certificate of mary decide whether it gets in",
        ),
        (
            rotated(bundle(RENEWED), jean=Who(JEAN, A)),
            "the old bundle accepts every client that the new one accepts, so no request can tell them apart",
        ),
        (rotated(bundle(OLD, NEW), jean=Who(JEAN, A)), "jean: another CA there accepts it too"),
        (rotated(bundle(OLD, NEW), jean=Who(JEAN, A), mary=Who(MARY)), None),
    ],
)
def test_a_successor_needs_a_client_that_it_alone_accepts(file: File, reason: str | None) -> None:
    """Refused before any write, with the reason and the flag of that host; and the flag opens it."""
    assert why(file) == ([reason] if reason else [])
    made = file.plan(BEFORE, GIVEN_UP)
    assert flags(made) == ([FLAG] if reason else [])
    for host, opened in (("a.net", True), ("b.net", reason is None)):
        again = file.plan(BEFORE, replace(GIVEN_UP, unproven=frozenset({host})))
        assert (flags(again) == []) is opened


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (OF_TWO, None),
        (sending(OF_TWO, TWO), "the old bundle accepts every client that the new one accepts"),
    ],
)
def test_what_a_client_sends_may_let_the_old_ca_accept_it(who: object, reason: str | None) -> None:
    """An issuing CA is added under the same root: only a client that sends its leaf alone tells the bundles apart."""
    file = rotated(bundle(ONE, TWO, TOP), two=Who(who, A))  # type: ignore[arg-type]
    said = why(file, there(Ca(bundle(ONE, TOP)), a=app("a.net")))
    assert [s.partition(",")[0] for s in said] == ([reason] if reason else [])


def test_a_ca_of_unknown_contents_on_the_host_means_it_cannot_be_told() -> None:
    """The old one whose PEM is gone, or a stranger's: whoever gets in may get in by that."""
    file = rotated(bundle(NEW), mary=Who(MARY, A))
    stranger = Ca(bundle(TOP), stack=None)
    unknown = "nobody here has the contents of {}, so who lets a client in cannot be told"
    assert why(file, there(Ca(bundle(OLD)), stranger, a=app("a.net"))) == [unknown.format("by hand")]
    file.beside = ()
    name = f"fleet {bundle(OLD).sha256[:8]}… (cf-mtls s)"
    assert why(file) == [unknown.format(name)]
    file.beside = (bundle(TOP), bundle(OLD))
    assert why(file) == []


@pytest.mark.parametrize(
    "policies", [ANYONE, MAIL, policy("non_identity", rule("common_name", common_name="x"))]
)
def test_at_a_url_where_the_certificate_does_not_decide_nothing_is_shown(policies: object) -> None:
    """Open to anybody, a login for everybody, another's name: who gets in there shows no CA."""
    file = rotated(bundle(NEW), mary=Who(MARY))
    file.apps = (app("a.net", policies),)  # type: ignore[arg-type]
    assert why(file, there(Ca(bundle(OLD)), a=app("a.net", policies))) == [  # type: ignore[arg-type]
        "at no URL there does the certificate of mary decide whether it gets in"
    ]


def test_a_hostname_without_a_url_of_the_file_is_said() -> None:
    """Nothing there can be asked for."""
    file = rotated(bundle(NEW), mary=Who(MARY))
    file.urls = ("https://b.net/",)
    assert why(file) == ["the file declares no URL on that hostname"]


def test_each_hostname_and_each_successor_needs_its_own() -> None:
    """Two hosts to two CAs of one entry: four proofs, of which the second CA lacks its own."""
    hosts = ("a.net", "b.net")
    file = File(
        (Ca(bundle(NEW), hosts), Ca(bundle(TWO, TOP), hosts)),
        (app("a.net"), app("b.net")),
        {"mary": Who(MARY, A)},
        (URL, "https://b.net/"),
    )
    made = file.plan(there(Ca(bundle(OLD), hosts), a=app("a.net"), b=app("b.net")))
    assert flags(made) == [FLAG, "--allow-unproven b.net"]
    details = [detail for _, detail in found(made, UNPROVEN)]
    assert [d.partition(" ")[0] for d in details] == list(hosts)
    assert all(bundle(TWO, TOP).sha256[:8] in d and bundle(NEW).sha256[:8] not in d for d in details)


def successors(file: File, actual: State) -> set[tuple[str, str]]:
    made = file.plan(actual)
    names = State({**made.actual, **made.desired})
    return {
        (h.host, names[h.new].name.partition(" ")[0])  # type: ignore[union-attr]
        for h in handovers(made.steps, made.actual, made.desired, "s", made.actual)
    }


@pytest.mark.parametrize(
    ("entry", "found_"),
    [("fleet", {("a.net", "fleet")}), ("other", set())],
)
def test_what_stays_is_a_successor_in_the_same_entry_only(entry: str, found_: set[tuple[str, str]]) -> None:
    """As after a run that was killed, or weeks of both: the CA of the entry that stays. A neighbour's is none."""
    file = File((Ca(bundle(NEW), entry=entry),), (app("a.net"),))
    actual = there(Ca(bundle(OLD)), Ca(bundle(NEW), entry=entry), a=app("a.net"))
    assert successors(file, actual) == found_


def test_what_the_plan_puts_there_is_a_successor_whatever_its_entry() -> None:
    """A new one, one that had other hostnames; not one of another stack, not one that stays elsewhere."""
    file = File((Ca(bundle(NEW), ("a.net", "b.net"), "other"), Ca(bundle(TWO, TOP), ("b.net",), "third")))
    actual = there(
        Ca(bundle(OLD), ("a.net", "b.net")), Ca(bundle(NEW), ("b.net",), "other"),
        Ca(bundle(ONE, TOP), ("a.net",), "fleet", "elsewhere"),
    )  # fmt: skip
    assert successors(file, actual) == {("a.net", "other"), ("b.net", "third")}


def test_where_the_entry_of_what_leaves_is_not_known_every_ca_of_ours_counts() -> None:
    """An imported CA has no mark: what stays of this stack may be meant to take over."""
    File((Ca(bundle(NEW), entry="other"),), (app("a.net"),))
    old_at, old = Ca(bundle(OLD), stack=None).there
    start = there(Ca(bundle(NEW), entry="other"), a=app("a.net")).put(old_at, old)
    bare = replace(old, associated_hostnames=())
    step = Step(Phase.NARROW, old_at, bare, old_at)
    (handover,) = handovers([step], start, start.put(old_at, bare), "s", start)
    assert (handover.old, is_ours(start[handover.new], "s")) == (old_at, True)


def test_what_leaves_together_is_proven_before_the_first_of_it_leaves() -> None:
    """Two old CAs: a client that the new one and the second old one accept shows nothing while both are there."""
    file = rotated(bundle(NEW), mary=Who(MARY, A))
    both = bundle(OLD, NEW)
    made = file.plan(there(Ca(bundle(OLD)), Ca(both), a=app("a.net")), GIVEN_UP)
    listed = handovers(made.steps, made.actual, made.desired, "s", made.actual)
    assert len(listed) == 2
    assert {len([*h.state.of(CaCertificate)]) for h in listed} == {3}
    file.beside = (bundle(OLD), both)
    again = file.plan(there(Ca(bundle(OLD)), Ca(both), a=app("a.net")), GIVEN_UP)
    assert [c for c, _ in found(again, UNPROVEN)] == [UNPROVEN]
    for handover in handovers(again.steps, again.actual, again.desired, "s", again.actual):
        assert proofs(handover, file.people, NOW) == ()


def test_where_a_hostname_takes_one_ca_only_nothing_can_be_tried_before() -> None:
    """The gap itself is one flag, that nobody proves the new one in time is another."""
    file = rotated(bundle(NEW), mary=Who(MARY, A))
    typed = replace(GIVEN_UP, one_ca_per_hostname=True)
    assert flags(file.plan(BEFORE, typed)) == ["--allow-lockout a.net", FLAG]
    both = replace(typed, lockout=typed.lockout | {"a.net"}, unproven=frozenset({"a.net"}))
    assert flags(file.plan(BEFORE, both)) == []
