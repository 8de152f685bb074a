"""Which application answered: what the edge says over a run; where it says nothing, nothing is concluded."""

from __future__ import annotations

import pytest

from cf_mtls.model.evidence import Evidence, Outcome, Probe
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.verify import answer as raw_answer
from cf_mtls.verify.answered import Answers, domain_of, tag_of
from cf_mtls.verify.judge import Seen, judge

RAY = ("cf-ray", "1-FAKE")
JEAN = Client("jean", "c.pem", "c.key")
X, Y = frozenset({"a.net/x"}), frozenset({"a.net/y"})


def probe(
    ours: frozenset[str] = X, expected: Expected = Expected.REFUSED, client: Client | None = None
) -> Probe:
    path = min(ours).partition("/")[2] if ours else "z"
    return Probe(Target(f"https://a.net/{path}", "a"), client, expected, 2 if client else 1, ours=ours)


def refusal(domain: str = "", tag: str = "") -> Evidence:
    headers = [("cf-access-domain", domain), ("cf-access-aud", tag or "t")]
    return Evidence(
        403, "HTTP/2", (RAY, *((k, v) for k, v in headers if v and (tag or k != "cf-access-aud" or domain)))
    )


def admission(tag: str = "") -> Evidence:
    return Evidence(200, "HTTP/2", (RAY,), session_of=tag)


def strange(*pairs: tuple[Probe, Evidence]) -> list[bool]:
    """Of each, whether another application answered."""
    seen = [Seen(p, e) for p, e in pairs]
    answers = Answers(seen)
    return [bool(answers.stranger(one)) for one in seen]


def named(*pairs: tuple[Probe, Evidence]) -> list[bool]:
    """Of each, whether the edge said that the right application answered."""
    seen = [Seen(p, e) for p, e in pairs]
    answers = Answers(seen)
    return [answers.is_named(one) for one in seen]


ALLOWED = probe(expected=Expected.ALLOWED, client=JEAN)


@pytest.mark.parametrize(
    ("domain", "tag", "stranger", "is_named"),
    [
        ("a.net/x", "", False, True),
        ("A.net/x/", "", False, True),
        ("a.net/other", "", True, False),
        ("*.net", "", True, False),
        ("a.net", "", False, False),
        ("", "one", False, False),
        ("", "", False, False),
    ],
)
def test_a_refusal_names_who_refused(domain: str, tag: str, stranger: bool, is_named: bool) -> None:
    """Another application's domain is a stranger's; the bare hostname may only be what was asked for."""
    pair = (probe(), refusal(domain, tag))
    assert (strange(pair), named(pair)) == ([stranger], [is_named])


def test_the_hostname_says_something_where_another_answer_shows_that_domains_are_shown() -> None:
    """Then a header that is the hostname is an application's own."""
    own = (probe(), refusal("a.net", "one"))
    shows = (probe(Y), refusal("a.net/y", "two"))
    assert strange(own, shows) == [True, False]


def test_one_tag_is_one_application() -> None:
    """It cannot stand where the file has two, nor can two stand where the file has one."""
    assert strange((probe(), refusal(tag="t")), (probe(Y), refusal(tag="t"))) == [True, True]
    assert strange((probe(), refusal(tag="t")), (ALLOWED, admission("u"))) == [True, True]
    assert (
        strange((probe(), refusal(tag="t")), (ALLOWED, admission("t")), (probe(Y), refusal(tag="u")))
        == [False] * 3
    )


def test_an_admission_is_named_by_the_tag_of_a_refusal_that_was() -> None:
    """A session shows its tag alone; the refusal beside it says whose that is."""
    assert named((probe(), refusal("a.net/x", "t")), (ALLOWED, admission("t"))) == [True, True]
    assert named((probe(), refusal("", "t")), (ALLOWED, admission("t"))) == [False, False]
    assert named((probe(), refusal("a.net/x", "t")), (ALLOWED, admission())) == [True, False]


@pytest.mark.parametrize("expected", [Expected.UNDECLARED, Expected.UNFORESEEN])
def test_where_no_application_must_govern_nobody_is_a_stranger(expected: Expected) -> None:
    """Nor where none is declared."""
    assert strange((probe(X, expected), refusal("a.net/other"))) == [False]
    assert strange((probe(frozenset()), refusal("a.net/other"))) == [False]


def test_a_strangers_answer_fails_and_is_no_control() -> None:
    """Whatever it was: the refusal beside it counts no longer; without the ray it is not believed either way."""
    pairs = [(probe(), refusal("a.net/x", "t")), (ALLOWED, admission("other"))]
    assert [v.outcome for v in judge(pairs)] != [Outcome.PASS, Outcome.PASS]
    by_other = [(probe(), refusal("a.net/other")), (ALLOWED, admission())]
    assert [v.outcome for v in judge(by_other)] == [Outcome.FAIL, Outcome.PASS]
    bare = Evidence(403, "HTTP/2", (("cf-access-domain", "a.net/other"),))
    assert [v.outcome for v in judge([(probe(), bare), (ALLOWED, admission())])] == [
        Outcome.INCONCLUSIVE,
        Outcome.PASS,
    ]


def test_what_is_not_said_by_access_names_nobody() -> None:
    """An origin's header, or another service's 403, is no name."""
    origin = Evidence(200, "HTTP/2", (RAY, ("cf-access-domain", "a.net/x")))
    other = Evidence(522, "HTTP/2", (RAY, ("cf-access-aud", "t")))
    for seen in (origin, other):
        one = Seen(probe(), seen)
        assert (domain_of(one), tag_of(one)) == ("", "")


def test_a_login_page_names_its_application_in_its_address() -> None:
    """By the query's kid where no header does."""
    where = "https://t.cloudflareaccess.com/cdn-cgi/access/login/a.net?kid=tag&x=1"
    assert tag_of(Seen(probe(), Evidence(302, "HTTP/2", (RAY, ("location", where))))) == "tag"


@pytest.mark.parametrize("status", ["9" * 5003, "20²", "-1", "2000", ""])
def test_a_status_that_is_none_is_no_status(status: str) -> None:
    """Digits without end, or what only looks like one: the rest of the answer is read."""
    seen = raw_answer.parse(f"HTTP/2 {status} x\r\ncf-ray: 1-LIS\r\n\r\n", 1)
    assert (seen.status, dict(seen.headers)["cf-ray"]) == (None, "1-LIS")


def test_an_admission_by_another_application_is_no_control() -> None:
    """It fails itself, and a refusal beside it proves nothing."""
    refused, admitted = judge([(probe(), refusal("a.net/x", "t1")), (ALLOWED, admission("t2"))])
    assert (refused.outcome, admitted.outcome) == (Outcome.INCONCLUSIVE, Outcome.FAIL)
    refused, admitted = judge([(probe(), refusal("a.net/x", "t1")), (ALLOWED, admission("t1"))])
    assert (refused.outcome, admitted.outcome) == (Outcome.PASS, Outcome.PASS)


def test_a_tag_without_a_domain_of_its_own_names_nobody() -> None:
    """A header that is the hostname may only be what was asked for: the tag beside it is nobody's either."""
    root = frozenset({"a.net"})
    pairs = (probe(root), refusal("a.net", "t")), (probe(root, Expected.ALLOWED, JEAN), admission("t"))
    assert named(*pairs) == [False, False]


def test_where_nothing_is_foreseen_a_tag_says_nothing_of_others() -> None:
    """The same tag there and at a place of ours: not two applications, for nobody knows which governs there."""
    unforeseen = probe(Y, Expected.UNFORESEEN)
    assert strange((probe(), refusal(tag="t")), (unforeseen, refusal(tag="t"))) == [False, False]


def test_an_answer_without_a_tag_is_nobodys_fault() -> None:
    """Two others that differ are told; the one that says nothing is not."""
    silent = (ALLOWED, admission())
    assert strange((probe(), refusal(tag="t")), (ALLOWED, admission("u")), silent) == [True, True, False]


def test_only_a_login_pages_address_names_an_application() -> None:
    """A refusal's own page has an address too, which anybody may have written."""
    deny = "https://t.cloudflareaccess.com/cdn-cgi/access/forbidden?kid=tag"
    headers = (RAY, ("location", deny), ("cf-access-domain", "a.net/x"))
    assert tag_of(Seen(probe(), Evidence(403, "HTTP/2", headers))) == ""
