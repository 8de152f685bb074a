"""A plan says everything that is to be said: each gate, each finding, each promise has its place in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cf_mtls.declare.clients import shown_by
from cf_mtls.diagnostics import Exit, Failure
from cf_mtls.model.marks import certificate_name
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.plan import Plan
from cf_mtls.model.resources import AccessApplication, Address, CaCertificate, Contents, Resource, Scope
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.planning.admission import People
from cf_mtls.workflow import NOTHING, Account, Allowed, planned, scope_of
from tests.conftest import Pki
from tests.planning.things import ANYONE, app, app_at, ca, ca_at

NOW = datetime.now(UTC)
SCOPE = Scope("account", "0" * 32)
A, B = "a" * 32, "b" * 32
URL = "https://a.net/"


def state(*things: Resource, ids: bool = False) -> State:
    found: dict[Address, Resource] = {}
    for number, thing in enumerate(things):
        assert isinstance(thing, AccessApplication | CaCertificate)
        at = app_at(thing.domain) if isinstance(thing, AccessApplication) else ca_at(thing.fingerprints[0])
        found[at] = replace(thing, id=f"id-{number}") if ids else thing
    return State(found)


def plan(
    actual: State, *declared: Resource, allowed: Allowed = NOTHING, people: People | None = None
) -> Plan:
    who = {"people": people} if people else {}
    return planned("s", SCOPE, state(*declared), actual, allowed, **who)


def codes(made: Plan) -> set[str]:
    return {d.code.code for d in made.diagnostics}


def trust(key: str, of: Authority) -> CaCertificate:
    """A CA as this program uploads it: the digits of its bundle are in its name."""
    chain = of.chain
    made = ca(key, "a.net", pem=chain.pem, contents=Contents.KNOWN)
    return replace(made, name=certificate_name(key, chain.sha256, "s"), sha256=chain.sha256)


def test_every_gate_and_every_finding_is_in_the_plan(pki: Pki) -> None:
    """One account and one file for each: what is not asked at all opens everything."""
    other = root("Other", now=NOW)
    jean = People((Client("jean", "j", "k"),), (Target(URL, "a"),), {"jean": shown_by(pki.jean, NOW)}, NOW)
    stands = state(app("a.net"), trust("1", pki.clients), ids=True)
    hole = state(app("a.net"), ca("1", "a.net"), app("a.net/x", ANYONE, stack=None), ids=True)
    made = {
        "plan.weaker": plan(stands, app("a.net", ANYONE), trust("1", pki.clients)),
        "plan.too-much-deleted": plan(stands),
        "plan.locks-out": plan(stands, app("a.net"), trust("2", other), people=jean),
        "plan.unproven": plan(stands, app("a.net"), trust("2", other), people=jean),
        "plan.no-glitch-free-order": plan(stands, app("a.net"), trust("2", other),
                                          allowed=Allowed(one_ca_per_hostname=True)),
        "ownership.foreign": plan(state(app("a.net", stack=None), ids=True), app("a.net")),
        "access.foreign-opening": plan(hole, app("a.net"), ca("1", "a.net")),
        "plan.partial": plan(State(), app("a.net"), trust("1", other),
                             allowed=Allowed(targets=frozenset({app_at("a.net")}))),
    }  # fmt: skip
    assert {code for code, of in made.items() if code not in codes(of)} == set()
    expected = replace(jean, clients=(replace(jean.clients[0], expect=Expected.ALLOWED),))
    refused = plan(stands, app("a.net"), trust("2", other), people=expected)
    assert "plan.expect-impossible" in codes(refused)


def test_nobody_is_told_anything_where_all_is_well(pki: Pki) -> None:
    """No word, nothing to do."""
    jean = People((Client("jean", "j", "k"),), (Target(URL, "a"),), {"jean": shown_by(pki.jean, NOW)}, NOW)
    stands = state(app("a.net"), trust("1", pki.clients), ids=True)
    made = plan(stands, app("a.net"), trust("1", pki.clients), people=jean)
    assert not {d.code.code for d in made.diagnostics if d.is_error}
    assert made.is_empty


def test_only_what_is_targeted_is_changed(pki: Pki) -> None:
    """The rest is named as left out; what is nothing of the file nor of the plan is a usage error."""
    declared = (app("a.net"), trust("1", pki.clients))
    made = plan(State(), *declared, allowed=Allowed(targets=frozenset({ca_at("1")})))
    assert [c.address for c in made.changes] == [ca_at("1")]
    assert app_at("a.net") not in made.desired
    with pytest.raises(Failure) as caught:
        plan(State(), *declared, allowed=Allowed(targets=frozenset({ca_at("1"), app_at("typo.net")})))
    assert caught.value.exit_code is Exit.USAGE
    assert [d.code.code for d in caught.value.diagnostics] == ["plan.no-such-target"]


@pytest.mark.parametrize(
    ("account_id", "zone_id", "found"),
    [
        (A, None, Scope("account", A)),
        (None, B, Scope("zone", B)),
        (A, B, Scope("account", A)),
        (None, None, "scope.missing"),
        ("abc", None, "scope.invalid"),
        (A, "abc", "scope.invalid"),
        (A + "\n", None, "scope.invalid"),
    ],
)
def test_a_scope_is_named_and_never_guessed(
    account_id: str | None, zone_id: str | None, found: Scope | str
) -> None:
    """Of the environment; an id that is none is an error also beside one that is."""
    account = Account("t", "https://x", account_id, zone_id)
    if isinstance(found, Scope):
        assert scope_of(None, account) == found
        return
    with pytest.raises(Failure) as caught:
        scope_of(None, account)
    assert {d.code.code for d in caught.value.diagnostics} == {found}
