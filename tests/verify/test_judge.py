"""What was seen becomes a verdict; what could not be told never becomes a pass."""

from __future__ import annotations

from typing import Any

import pytest

from cf_mtls.model.evidence import Control, Evidence, Got, Outcome, Probe
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.verify.judge import judge, shape

TARGET = Target("https://a.net/x", "a")
JEAN = Client("jean", "c.pem", "c.key")
EDGE = (("cf-ray", "1-FAKE"), ("server", "cloudflare"))
ACCESS = (*EDGE, ("cf-access-aud", "x"), ("cf-access-domain", "a.net/x"))


def saw(status: int | None, headers: tuple[tuple[str, str], ...] = EDGE, **more: Any) -> Evidence:
    return Evidence(status, "HTTP/2", headers, **more)


def verdict(without: Evidence, with_: Evidence, target: Target = TARGET) -> tuple[Outcome, Outcome]:
    """Outcomes of asking without a certificate (refused expected) and with one (allowed expected)."""
    probes = (Probe(target, None, Expected.REFUSED), Probe(target, JEAN, Expected.ALLOWED))
    one, two = judge(zip(probes, (without, with_), strict=True))
    return one.outcome, two.outcome


PASS, FAIL, UNSURE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("evidence", "got"),
    [
        (saw(200), Got.ORIGIN),
        (saw(404), Got.ORIGIN),
        (saw(500), Got.ORIGIN),
        (saw(401), Got.ORIGIN),
        (saw(403, ACCESS), Got.FORBIDDEN),
        (saw(401, ACCESS), Got.UNAUTHORIZED),
        (saw(403), Got.OTHER_REFUSAL),
        (
            saw(302, (("location", "https://team.cloudflareaccess.com/cdn-cgi/access/login/a.net"),)),
            Got.LOGIN,
        ),
        (saw(302, (("location", "https://a.net/elsewhere"),)), Got.ORIGIN),
        (saw(302, (("location", "https://a.net/?next=/cdn-cgi/access/login"),)), Got.ORIGIN),
        (saw(522), Got.ORIGIN_DOWN),
        (saw(502), Got.ORIGIN_DOWN),
        (saw(421), Got.MISDIRECTED),
        (saw(429), Got.THROTTLED),
        (saw(None), Got.CONFUSED),
        (saw(None, failure=Got.CLOSED), Got.CLOSED),
        (saw(302, (*ACCESS, ("location", "https://bank.example/denied"))), Got.DENY_PAGE),
    ],
)
def test_every_answer_has_one_shape(evidence: Evidence, got: Got) -> None:
    """401, 403 of Access, 403 of something else, login, dead origin and silence are different things."""
    assert got is shape(evidence)


@pytest.mark.parametrize(
    ("without", "with_", "expected"),
    [
        (saw(403, ACCESS), saw(200), (PASS, PASS)),
        (saw(401, ACCESS), saw(404), (PASS, PASS)),
        (saw(200), saw(200), (FAIL, PASS)),
        (saw(403, ACCESS), saw(403, ACCESS), (UNSURE, FAIL)),
        (saw(403, ACCESS), saw(522), (UNSURE, UNSURE)),
        (saw(403, (("cf-access-aud", "x"),)), saw(200), (UNSURE, PASS)),
        (saw(403), saw(200), (UNSURE, PASS)),
        (saw(522), saw(522), (UNSURE, UNSURE)),
        (saw(302, (*EDGE, ("location", "/cdn-cgi/access/login/x"))), saw(200), (FAIL, PASS)),
        (saw(None, failure=Got.TLS_REFUSED), saw(200), (UNSURE, PASS)),
        (saw(None, failure=Got.UNREACHABLE), saw(None, failure=Got.UNREACHABLE), (UNSURE, UNSURE)),
        (saw(403, ACCESS), saw(None, failure=Got.CLOSED), (UNSURE, FAIL)),
        (saw(403, ACCESS), saw(None, failure=Got.UNTRIED), (UNSURE, UNSURE)),
    ],
)
def test_a_refusal_counts_only_beside_a_client_that_got_in(
    without: Evidence, with_: Evidence, expected: tuple[Outcome, Outcome]
) -> None:
    """A dead origin, a missing ray, or nobody getting in: then "refused" proves nothing."""
    assert expected == verdict(without, with_)


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        (saw(302, (*ACCESS, ("location", "/cdn-cgi/access/login/x"))), PASS),
        (saw(302, (("location", "/cdn-cgi/access/login/x"),)), UNSURE),
        (saw(200), FAIL),
        (saw(403, ACCESS), FAIL),
        (saw(522), UNSURE),
    ],
)
def test_a_client_that_must_come_to_the_login_page(evidence: Evidence, outcome: Outcome) -> None:
    """Neither let in without a login, nor refused before it, nor believed without the edge's ray."""
    (verdict,) = judge([(Probe(TARGET, JEAN, Expected.LOGIN, proof=2, who="jean"), evidence)])
    assert verdict.outcome is outcome


def test_refused_before_the_login_page_is_stricter_than_declared_and_right() -> None:
    """Without a certificate 403 in place of the login page passes, where a client did get to that page."""
    login = saw(302, (*ACCESS, ("location", "/cdn-cgi/access/login/x")))
    bare = (Probe(TARGET, None, Expected.LOGIN, proof=1), saw(403, ACCESS))
    client = (Probe(TARGET, JEAN, Expected.LOGIN, proof=2), login)
    assert [v.outcome for v in judge([bare, client])] == [PASS, PASS]
    assert [v.outcome for v in judge([bare])] == [UNSURE]


@pytest.mark.parametrize(
    ("evidence", "outcome"),
    [
        (saw(200), PASS),
        (saw(404), PASS),
        (saw(403, ACCESS), FAIL),
        (saw(403, (*EDGE, ("cf-access-domain", "a.net"))), PASS),
        (saw(403), UNSURE),
        (saw(200, ()), UNSURE),
        (saw(None, failure=Got.TIMEOUT), UNSURE),
    ],
)
def test_where_nothing_is_declared_no_application_of_ours_may_answer(
    evidence: Evidence, outcome: Outcome
) -> None:
    """The origin may, another application may; the one beside it may not, and silence proves nothing."""
    probe = Probe(TARGET, None, Expected.UNDECLARED, proof=8, path="/xx", ours=frozenset({"a.net/x"}))
    (verdict,) = judge([(probe, evidence)])
    assert verdict.outcome is outcome


def test_what_cannot_be_foreseen_is_never_a_pass() -> None:
    """Whatever the answer is."""
    probe = Probe(TARGET, None, Expected.UNFORESEEN)
    assert {judge([(probe, e)])[0].outcome for e in (saw(200), saw(403, ACCESS), saw(522))} == {UNSURE}


def test_an_answer_without_the_edges_ray_lets_nobody_in() -> None:
    """A host that is not behind Cloudflare answers everybody: that is no proof of an open bypass either."""
    (verdict,) = judge([(Probe(TARGET, None, Expected.ALLOWED), saw(200, ()))])
    assert verdict.outcome is UNSURE


def test_a_redirect_to_the_declared_deny_page_is_a_refusal() -> None:
    """Where Access sends the refused is known from the file, whatever headers it sets."""
    url = "https://bank.example/denied"
    refused = Probe(TARGET, None, Expected.REFUSED, deny_urls=frozenset({url}))
    pairs = [
        (refused, saw(302, (*EDGE, ("location", url)))),
        (Probe(TARGET, JEAN, Expected.ALLOWED), saw(200)),
    ]
    assert [v.outcome for v in judge(pairs)] == [PASS, PASS]


def test_a_control_counts_for_its_own_url_only() -> None:
    """A client that got in elsewhere does not prove a refusal here."""
    other = Target("https://a.net/y", "b")
    seen = [
        (Probe(TARGET, None, Expected.REFUSED), saw(403, ACCESS)),
        (Probe(other, JEAN, Expected.ALLOWED), saw(200)),
    ]
    assert [v.outcome for v in judge(seen)] == [UNSURE, PASS]


def test_a_pinned_status_must_be_the_one() -> None:
    """With expect_status any other answer of the origin fails; the refusal beside it still has its control."""
    target = Target("https://a.net/x", "a", expect_status=204)
    assert verdict(saw(403, ACCESS), saw(204), target) == (PASS, PASS)
    assert verdict(saw(403, ACCESS), saw(200), target) == (PASS, FAIL)


REPLAY = Probe(TARGET, JEAN, Expected.ALLOWED, is_replay=True)
BESIDE = Probe(TARGET, JEAN, Expected.ALLOWED, path="/x/below")
LOGIN_PAGE = (("location", "https://t.cloudflareaccess.com/cdn-cgi/access/login/a.net"),)


@pytest.mark.parametrize(
    ("probe", "seen", "counts"),
    [
        (Probe(TARGET, JEAN, Expected.ALLOWED), saw(200), True),
        (Probe(TARGET, None, Expected.ALLOWED), saw(200), True),
        (Probe(TARGET, JEAN, Expected.LOGIN), saw(302, (*EDGE, *LOGIN_PAGE)), True),
        (Probe(TARGET, JEAN, Expected.ALLOWED), saw(200, ()), False),
        (Probe(TARGET, JEAN, Expected.LOGIN), saw(302, LOGIN_PAGE), False),
        (Probe(TARGET, JEAN, Expected.REFUSED), saw(200), False),
        (Probe(TARGET, JEAN, Expected.ALLOWED), saw(302, (*EDGE, *LOGIN_PAGE)), False),
        (Probe(TARGET, JEAN, Expected.ALLOWED), saw(403, ACCESS), False),
        (Probe(TARGET, JEAN, Expected.ALLOWED), saw(522), False),
        (Probe(TARGET, JEAN, Expected.ALLOWED), saw(429), False),
        (REPLAY, saw(200), False),
        (BESIDE, saw(200), False),
    ],
)
def test_what_makes_a_refusal_count(probe: Probe, seen: Evidence, counts: bool) -> None:
    """Somebody who got as far as declared, at this very URL, through the edge: no replay, no other path."""
    refused = Probe(TARGET, None, Expected.REFUSED)
    (verdict, _) = judge([(refused, saw(403, ACCESS)), (probe, seen)])
    assert verdict.outcome is (PASS if counts else UNSURE)


@pytest.mark.parametrize("status", [502, 504, *range(520, 531)])
def test_a_status_that_the_edge_makes_is_not_the_origins(status: int) -> None:
    """A dead origin is not "let in"; 503 and 531 are somebody's answer."""
    assert shape(saw(status)) is Got.ORIGIN_DOWN
    assert {shape(saw(other)) for other in (501, 503, 505, 519, 531)} == {Got.ORIGIN}


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (saw(403, ACCESS), PASS),
        (saw(403, (("cf-access-aud", "x"),)), UNSURE),
        (saw(403), UNSURE),
        (saw(401, ACCESS), PASS),
        (saw(302, (*ACCESS, ("location", "/denied"))), PASS),
        (saw(302, (*EDGE, *LOGIN_PAGE)), FAIL),
        (saw(302, (*EDGE, ("location", "/denied"))), FAIL),
        (saw(200), FAIL),
        (saw(200, ()), FAIL),
        (saw(429), UNSURE),
        (saw(421), UNSURE),
        (saw(520), UNSURE),
        *(
            (saw(None, failure=got), UNSURE)
            for got in (Got.TLS_REFUSED, Got.CLOSED, Got.TIMEOUT, Got.UNTRUSTED)
        ),
    ],
)
def test_who_must_be_refused(seen: Evidence, outcome: Outcome) -> None:
    """Beside a control: Access's own refusals pass, the origin or a login fail, everything else proves nothing."""
    control = (Probe(TARGET, JEAN, Expected.ALLOWED), saw(200))
    (verdict, _) = judge([(Probe(TARGET, None, Expected.REFUSED), seen), control])
    assert verdict.outcome is outcome


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (saw(200), PASS),
        (saw(404), PASS),
        (saw(200, ()), UNSURE),
        (saw(403, ACCESS), FAIL),
        (saw(401, ACCESS), FAIL),
        (saw(302, (*EDGE, *LOGIN_PAGE)), FAIL),
        (saw(None, failure=Got.TLS_REFUSED), FAIL),
        (saw(None, failure=Got.CLOSED), FAIL),
        (saw(403), UNSURE),
        (saw(522), UNSURE),
        (saw(None, failure=Got.TIMEOUT), UNSURE),
        (saw(None, failure=Got.UNREACHABLE), UNSURE),
        (saw(None, failure=Got.UNTRUSTED), UNSURE),
        (saw(None, failure=Got.UNTRIED), UNSURE),
    ],
)
def test_who_must_get_in(seen: Evidence, outcome: Outcome) -> None:
    """Only the origin's answer through the edge passes; only Access and the handshake fail it."""
    assert judge([(Probe(TARGET, JEAN, Expected.ALLOWED), seen)])[0].outcome is outcome


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ((("cf-ray", "1"), ("cf-access-domain", "a.net/x")), FAIL),
        ((("cf-access-domain", "a.net/x"),), FAIL),
        ((("cf-ray", "1"), ("cf-access-domain", "other.net")), PASS),
        ((("cf-access-domain", "other.net"),), UNSURE),
        ((("cf-ray", "1"), ("cf-access-aud", "x")), UNSURE),
    ],
)
def test_who_answers_where_nothing_is_declared(
    headers: tuple[tuple[str, str], ...], outcome: Outcome
) -> None:
    """Ours never; another application's refusal only with its name and the edge's ray."""
    probe = Probe(TARGET, None, Expected.UNDECLARED, path="/zz", ours=frozenset({"a.net/x"}))
    assert judge([(probe, saw(403, headers))])[0].outcome is outcome


@pytest.mark.parametrize(("beside", "outcome"), [(saw(522), UNSURE), (saw(200), PASS)])
def test_where_nobody_may_enter_the_control_is_one_of_the_same_host_if_it_has_one(
    beside: Evidence, outcome: Outcome
) -> None:
    """A client that gets in on another host shows nothing of a host that has a client of its own."""
    nobody = Probe(Target("https://a.net/n", "n"), None, Expected.REFUSED, 1, control=Control.NOBODY)
    own = Probe(Target("https://a.net/x", "x"), JEAN, Expected.ALLOWED, 2)
    other = Probe(Target("https://b.net/x", "y"), JEAN, Expected.ALLOWED, 2)
    found, *_ = judge([(nobody, saw(403, ACCESS)), (own, beside), (other, saw(200))])
    assert found.outcome is outcome


@pytest.mark.parametrize(("declared", "outcome"), [({"b.net/x"}, FAIL), (set(), PASS)])
def test_no_application_of_the_file_may_answer_where_nothing_is_declared(
    declared: set[str], outcome: Outcome
) -> None:
    """Also one that stands somewhere else; one of somebody else's may."""
    headers = (*EDGE, ("cf-access-aud", "x"), ("cf-access-domain", "b.net/x"))
    bare = Probe(TARGET, None, Expected.UNDECLARED, 8, declared=frozenset(declared))
    (found,) = judge([(bare, saw(403, headers))])
    assert found.outcome is outcome
