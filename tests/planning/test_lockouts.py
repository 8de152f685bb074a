"""Who is out after a plan: every declared client by its own file, and what its `expect` and the flags make of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cf_mtls.declare.clients import shown_by
from cf_mtls.diagnostics import Diagnostic
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.resources import CaCertificate, Contents, Resource
from cf_mtls.model.state import State
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.planning.admission import People, departed, standings, with_bundles, with_contents
from cf_mtls.planning.gates import lockouts
from tests.conftest import Pki
from tests.planning.things import ANYONE, HOLDERS, MAIL, app, app_at, ca, ca_at, policy, rule

NOW = datetime.now(UTC)
URL = "https://a.net/"
TARGET = Target(URL, "a")
A, R = Expected.ALLOWED, Expected.REFUSED
OUT, IMPOSSIBLE, ALREADY = "plan.locks-out", "plan.expect-impossible", "plan.already-out"


@pytest.fixture(scope="module")
def other() -> Authority:
    return root("Other Root", now=NOW)


def trust(key: str, of: Authority | None, *hosts: str) -> dict[object, Resource]:
    """A CA of an authority, or one whose contents nobody knows."""
    pem, known = (of.chain.pem, Contents.KNOWN) if of else (None, Contents.UNKNOWN)
    return {ca_at(key): ca(key, *(hosts or ("a.net",)), pem=pem, contents=known)}


def state(*parts: dict[object, Resource]) -> State:
    found = {k: v for part in parts for k, v in part.items()}
    return State({**found, app_at("a.net"): app("a.net")})  # type: ignore[dict-item]


def people(identity: Identity, expect: Expected | None = None, name: str = "jean") -> People:
    client = Client(name, f"{name}.pem", f"{name}.key", expect)
    return People((client,), (TARGET,), {name: shown_by(identity, NOW)}, NOW)


def said(who: People, before: State, after: State, *typed: str) -> list[str]:
    """The codes of what is said."""
    return [d.code.code for d in found(who, before, after, *typed)]


def found(who: People, before: State, after: State, *typed: str) -> list[Diagnostic]:
    return [*lockouts(who, before, after, frozenset(typed))]


@pytest.mark.parametrize(
    ("expect", "typed", "codes"),
    [
        (None, (), [OUT]),
        (None, (f"jean@{URL}",), []),
        (None, ("jean@https://b.net/", f"ana@{URL}", URL, "a.net", "jean", "*"), [OUT]),
        (A, (), [IMPOSSIBLE]),
        (A, (f"jean@{URL}",), [IMPOSSIBLE]),
        (R, (), []),
    ],
)
def test_a_client_that_loses_its_access(
    pki: Pki, other: Authority, expect: Expected | None, typed: tuple[str, ...], codes: list[str]
) -> None:
    """Refused until it is typed as CLIENT@URL; `expect: allowed` binds whatever is typed; `refused` loses nothing."""
    before, after = state(trust("1", pki.clients)), state(trust("2", other))
    seen = found(people(pki.jean, expect), before, after, *typed)
    assert [d.code.code for d in seen] == codes
    assert all(f"--allow-lockout jean@{URL}" in d.fix for d in seen if d.code.code == OUT)


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [("1", "1", []), ("1", "12", []), ("12", "2", [OUT]), ("2", "2", []), ("", "1", []), ("1", "", [OUT])],
)
def test_only_a_loss_is_a_loss(pki: Pki, other: Authority, before: str, after: str, codes: list[str]) -> None:
    """Who was out stays out without a word, when nothing demands otherwise."""
    cas = {"1": pki.clients, "2": other}
    sides = [state(*(trust(key, cas[key]) for key in side)) for side in (before, after)]
    assert said(people(pki.jean), *sides) == codes


def test_what_was_so_already_keeps_nobody_from_mending_something_else(pki: Pki, other: Authority) -> None:
    """An expired client, or one that no CA of the account accepts: a warning, also with `expect: allowed`."""
    over = pki.clients.issue("over", now=NOW, not_before=NOW - timedelta(9), not_after=NOW - timedelta(2))
    before, after = state(trust("1", pki.clients)), state(trust("1", pki.clients), trust("2", other))
    for identity in (over, pki.stranger):
        seen = found(people(identity, A), before, after)
        assert [(d.code.code, d.is_error) for d in seen] == [(ALREADY, False)]
        assert said(people(identity), before, after) == []


def test_a_client_whose_own_file_is_at_fault_is_not_the_plans_doing(pki: Pki) -> None:
    """Whoever got in only because anybody did, and whose certificate nobody can take: a warning."""
    over = pki.clients.issue("over", now=NOW, not_before=NOW - timedelta(9), not_after=NOW - timedelta(2))
    open_ = state(trust("1", pki.clients)).put(app_at("a.net"), app("a.net", ANYONE))
    assert said(people(over, A), open_, state(trust("1", pki.clients))) == [ALREADY]


def test_what_hangs_on_what_a_client_sends_is_judged_by_the_worst(pki: Pki) -> None:
    """The issuing CA leaves the bundle and the root stays: in if the edge uses what is sent, out if not."""
    shown = replace(shown_by(pki.jean, NOW), sent=(pki.clients.certificate.der,))
    who = replace(people(pki.jean), shown={"jean": shown})
    before, after = state(trust("1", pki.clients)), state(trust("2", pki.root))
    (loss,) = found(who, before, after)
    assert loss.code.code == OUT
    assert "worst of what is possible" in loss.detail
    quiet = replace(who, shown={"jean": replace(shown, sent=())})
    (loss,) = found(quiet, before, after)
    assert "worst of what is possible" not in loss.detail
    assert said(replace(who, clients=(replace(who.clients[0], expect=A),)), before, after) == [OUT]


def test_a_ca_whose_contents_nobody_knows_is_tried_both_ways(pki: Pki, other: Authority) -> None:
    """It may be the one that lets a client in: its leaving may be a loss, and its staying is the same CA as before."""
    who = people(pki.jean)
    leaves = said(who, state(trust("9", None), trust("2", other)), state(trust("2", other)))
    stays = said(who, state(trust("9", None)), state(trust("9", None), trust("2", other)))
    comes = said(who, state(trust("1", pki.clients)), state(trust("9", None)))
    assert (leaves, stays, comes) == ([OUT], [], [OUT])
    one_of_two = said(who, state(trust("9", None), trust("8", None)), state(trust("8", None)))
    assert one_of_two == [OUT]
    same = said(who, state(trust("1", pki.clients)), state(trust("1", None)))
    assert same == []  # at the same address: what was known of it is so still
    stranger = people(pki.stranger, A)
    assert said(stranger, state(trust("1", pki.clients)), state(trust("1", None))) == [ALREADY]


def test_who_was_in_because_anybody_was_is_judged_by_what_it_gets_then(pki: Pki) -> None:
    """Demanded from now on: a client of the CA stays in, a stranger is locked out unless it is declared refused."""
    before = state(trust("1", pki.clients)).put(app_at("a.net"), app("a.net", ANYONE))
    after = state(trust("1", pki.clients))
    assert said(people(pki.jean), before, after) == []
    assert said(people(pki.stranger), before, after) == [OUT]
    assert said(people(pki.stranger, R), before, after) == []


@pytest.mark.parametrize(
    "rules", [HOLDERS, MAIL, policy("non_identity", rule("common_name", common_name="x"))]
)
def test_policies_decide_beside_the_trust(pki: Pki, rules: object) -> None:
    """A name that is not the client's, or a login, shuts it out as well as another CA."""
    before = state(trust("1", pki.clients))
    after = before.put(app_at("a.net"), app("a.net", rules))  # type: ignore[arg-type]
    assert said(people(pki.jean), before, after) == ([] if rules is HOLDERS else [OUT])


def test_who_cannot_be_read_is_said_when_something_changes(pki: Pki, other: Authority) -> None:
    """Nobody can say whether it is locked out: a warning, and none where nothing changes."""
    who = People((Client("jean", "j.p12"),), (TARGET,), {}, NOW)
    before, after = state(trust("1", pki.clients)), state(trust("2", other))
    seen = found(who, before, after)
    assert [(d.code.code, d.is_error) for d in seen] == [("plan.client-not-judged", False)]
    assert "jean" in seen[0].detail
    assert found(who, before, before) == []


def test_where_nobody_is_to_be_judged_nothing_is_said(pki: Pki, other: Authority) -> None:
    """A plan that ends a stack."""
    before = state(trust("1", pki.clients))
    assert found(replace(people(pki.jean, A), at=None), before, State()) == []
    assert [*standings(replace(people(pki.jean), at=None), before, before)] == []


def test_contents_are_taken_only_from_where_they_are_known(pki: Pki, other: Authority) -> None:
    """A CA without a PEM gets it from the same address; what has one keeps it; what nobody knows gives nothing."""
    bare = State(trust("1", None))
    known, unknown = State(trust("1", pki.clients)), State({ca_at("1"): ca("1", "a.net", pem="guess")})
    assert pem(with_contents(bare, known)) == pki.clients.chain.pem
    assert pem(with_contents(bare, unknown)) is None
    assert pem(with_contents(known, State(trust("1", other)))) == pki.clients.chain.pem
    named = State({ca_at("1"): ca("1", "a.net", name=f"c {'0' * 32} (cf-mtls s)")})
    ours = {ca_at("1"): replace(known[ca_at("1")], sha256=pki.clients.chain.sha256)}
    assert pem(with_contents(named, State(ours))) is None  # type: ignore[arg-type]


def test_only_what_left_the_file_is_looked_for_beside_it(pki: Pki, other: Authority) -> None:
    """By the digits in the names of this stack's CAs; not what is declared, nor others', nor what has no digits."""
    here, gone, theirs = "1" * 32, "2" * 32, "3" * 32
    actual = State({
        ca_at("1"): ca("1", name=f"a {here} (cf-mtls s)"), ca_at("2"): ca("2", name=f"b {gone} (cf-mtls s)"),
        ca_at("3"): ca("3", name=f"c {theirs} (cf-mtls t)"), ca_at("4"): ca("4"),
    })  # fmt: skip
    declared = State({ca_at("x"): ca("1", sha256=here * 2)})
    assert departed(actual, declared, "s") == {gone}


def pem(of: State) -> str | None:
    (found_,) = (ca_ for _, ca_ in of.of(CaCertificate))
    return found_.pem


def test_a_bundle_beside_the_file_is_believed_by_its_digits_alone(pki: Pki, other: Authority) -> None:
    """A PEM that lies there says what a CA of ours holds only when name, MD5 and expiry say so too."""
    chain = pki.clients.chain
    for stack, digits, known in (
        ("s", chain.sha256, True),
        ("s", "0" * 64, False),
        ("other", chain.sha256, False),
    ):
        name = f"c {digits[:32]} (cf-mtls {stack})"
        there = CaCertificate(name, ("a.net",), chain.md5s[:1], chain.expirations[:1], id="1")
        seen = with_bundles(State({ca_at("1"): there}), [other.chain.pem, chain.pem], "s")
        assert (pem(seen) == chain.pem) is known
    plain = CaCertificate("c (cf-mtls s)", ("a.net",), chain.md5s[:1], chain.expirations[:1], id="1")
    assert pem(with_bundles(State({ca_at("1"): plain}), [chain.pem], "s")) is None
