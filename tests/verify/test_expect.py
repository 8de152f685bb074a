"""What must happen comes from the declared policies, whatever their shape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.model.evidence import Probe
from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.people import Asker, Client, Expected, Target
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    Rule,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.verify import proofs
from cf_mtls.verify.expect import Party, expect, left_out

CA = Address(Kind.CERTIFICATE, "aa")
TARGET = Target("https://a.net/x", "x")
JEAN = Party(Client("jean", "c", "k"), Asker(frozenset({CA}), frozenset({"jean"})))
VALID, EVERYONE = Rule("certificate"), Rule("everyone")

A, R, L, N, U = (
    Expected.ALLOWED,
    Expected.REFUSED,
    Expected.LOGIN,
    Expected.UNDECLARED,
    Expected.UNFORESEEN,
)


def rule(kind: str, **value: str) -> Rule:
    return Rule(kind, freeze_object(dict(value)))


def policy(
    decision: str, *include: Rule, require: tuple[Rule, ...] = (), exclude: tuple[Rule, ...] = ()
) -> AccessPolicy:
    return AccessPolicy("p", decision, include, require, exclude)


def state(
    *policies: AccessPolicy, domains: tuple[str, ...] = ("a.net/x",), hosts: tuple[str, ...] = ("a.net",)
) -> State:
    apps = {
        Address(Kind.APPLICATION, domain): AccessApplication("x", (public(domain),), policies)
        for domain in domains
    }
    ca = CaCertificate("ca", hosts, ("aa",), (), "", "PEM")
    return State({CA: ca, **apps})


def expected(state: State, *parties: Party, target: Target = TARGET) -> dict[tuple[int, str], Expected]:
    return {(p.proof, p.who): p.expected for p in expect([target], parties, state)}


@pytest.mark.parametrize(
    ("policies", "bare", "jean"),
    [
        ([policy("non_identity", VALID)], R, A),
        ([policy("non_identity", EVERYONE, require=(VALID,))], R, A),
        ([policy("non_identity", VALID, require=(rule("common_name", common_name="jean"),))], R, A),
        ([policy("non_identity", VALID, require=(rule("common_name", common_name="fleet"),))], R, R),
        ([policy("non_identity", VALID, exclude=(rule("common_name", common_name="jean"),))], R, R),
        ([policy("bypass", EVERYONE)], A, A),
        ([policy("allow", rule("email", email="x@a.net"), require=(VALID,))], L, L),
        ([policy("allow", EVERYONE), policy("non_identity", VALID)], L, A),
        ([policy("deny", EVERYONE), policy("non_identity", VALID)], R, A),
        ([policy("deny", EVERYONE)], R, R),
        ([policy("non_identity", rule("ip", ip="192.0.2.0/24"))], U, U),
        ([policy("non_identity", VALID, rule("ip", ip="192.0.2.0/24"))], U, A),
        ([policy("non_identity", VALID, require=(rule("geo", country_code="MY"),))], R, U),
        ([policy("non_identity", rule("any_valid_service_token"))], R, R),
        ([AccessPolicy("", "", (), id="f00", reusable=True)], U, U),
        ([], R, R),
    ],
)  # fmt: skip
def test_every_policy_shape_has_its_expectation(
    policies: list[AccessPolicy], bare: Expected, jean: Expected
) -> None:
    """Refused, allowed, login, or not to be foreseen: for nobody's certificate and for a declared client's."""
    found = expected(state(*policies), JEAN)
    assert (found[1, "no certificate"], found[2, "jean"]) == (bare, jean)


def test_a_wrong_certificate_gets_what_none_gets() -> None:
    """Proofs 3 to 6, whatever that is."""
    for policies, outcome in (([policy("non_identity", VALID)], R), ([policy("bypass", EVERYONE)], A)):
        found = expected(state(*policies), JEAN)
        assert [e for (n, _), e in found.items() if 3 <= n <= 6] == [outcome] * 4


@pytest.mark.parametrize(
    ("domains", "url", "slash", "alike"),
    [
        (("a.net/x",), "https://a.net/x", R, N),
        (("a.net/x", "a.net"), "https://a.net/x", R, R),
        (("a.net/x*",), "https://a.net/x", R, R),
        (("b.net",), "https://a.net/x", N, N),
    ],
)
def test_neighbouring_paths_get_what_is_declared_for_them(
    domains: tuple[str, ...], url: str, slash: Expected, alike: Expected
) -> None:
    """A slash belongs to the path; a name that only begins alike belongs to whoever covers it, or to nobody."""
    found = expected(state(policy("non_identity", VALID), domains=domains), JEAN, target=Target(url, "x"))
    assert found[8, "no certificate, with a slash"] is slash
    assert found[8, "no certificate, path begins alike"] is alike


def test_no_post_goes_where_nobody_declared_one() -> None:
    """A target that is asked by POST has its neighbouring paths asked by GET; the target itself stays."""
    asked = Target("https://a.net/x", "x", "POST")
    found = expect([asked], [JEAN], state(policy("non_identity", VALID)))
    assert {p.target.method for p in found if p.path} == {"GET"}
    assert {p.target.method for p in found if not p.path} == {"POST"}


def test_a_whole_host_is_asked_below_its_root() -> None:
    """There is no path beside the root: what lies below it is covered as well."""
    whole = state(policy("non_identity", VALID), domains=("a.net",))
    found = expect([Target("https://a.net/", "x")], [JEAN], whole, frozenset({8}))
    assert [(p.url, p.expected) for p in found] == [("https://a.net/cf-mtls-anything", R)]


def test_a_replay_needs_somebody_who_gets_in_where_others_do_not() -> None:
    """Not planned where the door is open, where a login stands, or where nobody is here."""
    closed = state(policy("non_identity", VALID))
    absent = Party(Client("jean", "c", "k", is_here=False), JEAN.asker)
    shapes = [
        (closed, JEAN, True),
        (state(policy("bypass", EVERYONE)), JEAN, False),
        (state(policy("allow", EVERYONE)), JEAN, False),
        (closed, absent, False),
    ]
    for declared, party, planned in shapes:
        probes = expect([TARGET], [party], declared, frozenset({7}))
        assert [p.shows for p in probes] == (["jean"] if planned else [])


def test_a_session_is_resumed_only_on_another_hostname_of_the_plan() -> None:
    """One hostname: left out, and said so. Two: each offers the other's."""
    both = state(policy("non_identity", VALID), domains=("a.net/x", "b.net"), hosts=("a.net", "b.net"))
    alone = expect([TARGET], [JEAN], both)
    assert {p.proof for p in alone} == proofs.ALL - {9, 10}
    (note,) = left_out(alone, proofs.ALL - {10})
    assert "Proof 9" in note
    two = expect([TARGET, Target("https://b.net/", "x")], [JEAN], both, frozenset({9}))
    assert [(p.host, p.other_host) for p in two] == [("a.net", "b.net"), ("b.net", "a.net")]


def test_a_wildcard_is_asked_by_a_name_that_it_covers() -> None:
    """A star is no hostname and no path."""
    declared = state(policy("non_identity", VALID), domains=("*.a.net/v*",))
    probes = expect([Target("https://*.a.net/v*", "x")], [], declared, frozenset({1}))
    assert [(p.url, p.expected) for p in probes] == [("https://cf-mtls-anything.a.net/vcf-mtls-anything", R)]


def test_the_files_word_on_a_client_wins() -> None:
    """`expect` is what must happen; where refused is declared, the login page keeps somebody out as well."""
    closed = state(policy("non_identity", VALID))
    refused = Party(Client("jean", "c", "k", expect=R), JEAN.asker)
    assert expected(closed, refused)[2, "jean"] is R
    assert expected(state(policy("allow", EVERYONE)), refused)[2, "jean"] is L
    allowed = Party(Client("jean", "c", "k", expect=A), JEAN.asker)
    assert expected(state(policy("allow", EVERYONE)), allowed)[2, "jean"] is A


@pytest.mark.parametrize("url", ["https://a.net/x", "https://*.net/x"])
@pytest.mark.parametrize("demand", [A, R, None])
def test_a_demand_by_url_binds_there_alone(url: str, demand: Expected | None) -> None:
    """At the URL that `expect` names its word wins, stars included; elsewhere the policies decide."""
    domains = (url.removeprefix("https://"), "b.net")
    both = state(policy("non_identity", VALID), domains=domains, hosts=("a.net", "*.net", "b.net"))
    jean = Client("jean", "c", "k", expect=((url, demand),) if demand else ())
    targets = [Target(url, "x"), Target("https://b.net/", "y")]
    found = [p.expected for p in expect(targets, [Party(jean, Asker())], both, frozenset({proofs.CLIENT}))]
    assert found == [demand or R, R]


def test_every_probe_is_another_one() -> None:
    """Probes are keys of what was seen: no two of a plan are equal."""
    both = state(policy("non_identity", VALID), domains=("a.net/x", "a.net"), hosts=("a.net",))
    probes = expect([TARGET, Target("https://a.net/", "y")], [JEAN], both)
    assert len(set(probes)) == len(probes)
    assert all(isinstance(p, Probe) for p in probes)


def test_a_probe_carries_what_its_answer_is_judged_by() -> None:
    """The domains of the application that governs its URL, and where that sends the refused."""
    both = state(policy("non_identity", VALID), domains=("a.net/x", "a.net"))
    app = both[Address(Kind.APPLICATION, "a.net/x")]
    assert isinstance(app, AccessApplication)
    urls = freeze_object({"custom_deny_url": "https://no/", "custom_non_identity_deny_url": "https://never/"})
    told = both.put(Address(Kind.APPLICATION, "a.net/x"), replace(app, fields=urls))
    (probe,) = expect([TARGET], [], told, frozenset({1}))
    assert (probe.ours, probe.deny_urls) == ({"a.net/x"}, {"https://no/", "https://never/"})
    (probe,) = expect([Target("https://a.net/y", "x")], [], told, frozenset({1}))
    assert (probe.ours, probe.deny_urls) == ({"a.net"}, frozenset())


def test_a_wrong_certificate_is_shown_only_where_a_ca_is_declared() -> None:
    """There is nothing to look alike elsewhere; it imitates somebody who gets in, else somebody who is here."""
    numbers = frozenset({3, 4, 5, 6})
    bare = state(policy("non_identity", VALID), hosts=("b.net",))
    assert expect([TARGET], [JEAN], bare, numbers) == ()
    named = state(policy("non_identity", VALID, require=(rule("common_name", common_name="ana"),)))
    ana = Party(Client("ana", "c", "k"), Asker(frozenset({CA}), frozenset({"ana"})))
    away = Party(Client("away", "c", "k", is_here=False), ana.asker)
    for parties, imitated in (
        ([JEAN, ana], "ana"), ([away, JEAN], "jean"), ([away], None), ([away, ana], "ana"), ([], None)
    ):  # fmt: skip
        probes = expect([TARGET], parties, named, numbers)
        assert {(p.proof, p.imitates) for p in probes} == {(n, imitated) for n in numbers}


def test_a_replay_is_one_and_a_resumption_needs_no_client() -> None:
    """The cookie alone in the second request; a session may be opened by nobody's certificate too."""
    closed = state(policy("non_identity", VALID), domains=("a.net/x", "b.net"), hosts=("a.net", "b.net"))
    (probe,) = expect([TARGET], [JEAN], closed, frozenset({7}))
    assert (probe.is_replay, probe.shows, probe.expected) == (True, "jean", R)
    away = Party(Client("away", "c", "k", is_here=False), JEAN.asker)
    targets = [TARGET, Target("https://b.net/", "x")]
    assert {p.shows for p in expect(targets, [away], closed, frozenset({9}))} == {None}
    assert {p.shows for p in expect(targets, [away, JEAN], closed, frozenset({9}))} == {"jean"}


@pytest.mark.parametrize(
    ("url", "paths"),
    [
        ("https://a.net/x", ["/x/", "/xcf-mtls-anything"]),
        ("https://a.net/x/", ["/xcf-mtls-anything"]),
        ("https://a.net/x?y=1", ["/x/", "/xcf-mtls-anything"]),
        ("https://a.net/", ["/cf-mtls-anything"]),
    ],
)
def test_a_neighbouring_path_is_another_path(url: str, paths: list[str]) -> None:
    """Never the URL's own, whatever its slash; a query is no part of it."""
    found = expect([Target(url, "x")], [], state(policy("non_identity", VALID)), frozenset({8}))
    assert [p.path for p in found] == paths


@pytest.mark.parametrize("kind", ["ip", "ip_list", "geo", "external_evaluation", "group"])
def test_what_a_request_may_meet_without_meaning_to_cannot_be_foreseen(kind: str) -> None:
    """Where it comes from, another service, rules that nobody has read."""
    members = {"ip": "ip", "geo": "country_code"}
    by = rule(kind, **{members.get(kind, "id"): "192.0.2.0/24" if kind == "ip" else "x"})
    assert expected(state(policy("non_identity", by)))[1, "no certificate"] is U
    assert expected(state(policy("bypass", by)))[1, "no certificate"] is U


@pytest.mark.parametrize("kind", ["email", "service_token", "device_posture"])
def test_what_must_be_presented_is_foreseen_as_absent(kind: str) -> None:
    """A probe presents none of it."""
    members = {"email": "email", "service_token": "token_id", "device_posture": "integration_uid"}
    assert (
        expected(state(policy("non_identity", rule(kind, **{members[kind]: "x"}))))[1, "no certificate"] is R
    )
