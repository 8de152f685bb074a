"""What Access does with a request, read from raw JSON: matching, order, rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_mtls.emulator.policy import Asker, covers, decide, find_app, normal_path, overridden

NOBODY = Asker()
HOLDER = Asker(valid_certificate=True, common_names=("fleet",))
CERTIFICATE = {"certificate": {}}
EVERYONE: dict[str, Any] = {"everyone": {}}
FLEET = {"common_name": {"common_name": "fleet"}}


def policy(decision: str, *include: Any, **more: Any) -> dict[str, Any]:
    """A policy of one list."""
    return {"decision": decision, "include": list(include), **more}


def outcome(*policies: Any, asker: Asker = NOBODY, **more: Any) -> str:
    """What the policies do with the asker."""
    return decide(policies, more.pop("groups", {}), asker, **more).kind


@pytest.mark.parametrize(
    ("uri", "request_", "yes"),
    [
        ("jeann.net", "jeann.net/", True), ("jeann.net", "jeann.net/any/where", True),
        ("jeann.net", "www.jeann.net/", False), ("jeann.net/alpha", "jeann.net/alpha", True),
        ("jeann.net/alpha", "jeann.net/alpha/", True), ("jeann.net/alpha", "jeann.net/alpha/below", True),
        ("jeann.net/alpha", "jeann.net/alphabet", False), ("jeann.net/alpha", "jeann.net/", False),
        ("jeann.net/alpha/*", "jeann.net/alpha", False), ("jeann.net/alpha/*", "jeann.net/alpha/below", True),
        ("*.jeann.net", "a.jeann.net/", True), ("*.jeann.net", "jeann.net/", False),
        ("*.jeann.net", "a.b.jeann.net/", False), ("*test.jeann.net", "test.jeann.net/", True),
        ("*test.jeann.net", "alphatest.jeann.net/", True), ("*test.jeann.net", "tester.jeann.net/", False),
        ("jeann.net/a/*/z", "jeann.net/a/b/c/z", True), ("jeann.net/a/*/z", "jeann.net/a/z", False),
        ("jeann.net/a.c", "jeann.net/abc", False), ("jeannxnet", "jeann.net/", False),
    ],
)  # fmt: skip
def test_what_a_domain_covers(uri: str, request_: str, yes: bool) -> None:
    """The documented examples, and their neighbours (facts: api 3.8)."""
    host, _, path = request_.partition("/")
    assert covers(uri, host, "/" + path) is yes


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/a//b", "/a/b"), ("/a/./b", "/a/b"), ("/a/x/../b", "/a/b"), ("/../../a", "/a"), ("/%61", "/a"),
        ("/%2e%2e/a", "/a"), ("/a%2fb", "/a%2Fb"), ("/a\\b", "/a/b"), ("/a/", "/a/"), ("", "/"),
        ("/a/..", "/"),
    ],
)  # fmt: skip
def test_a_path_has_one_form(path: str, normal: str) -> None:
    """No spelling of a protected path slips past its application."""
    assert normal_path(path) == normal


@given(st.text(alphabet="/.%abc\\*é2eE5", max_size=40))
def test_the_normal_form_is_stable(path: str) -> None:
    """It is absolute, and a path in it has no dot segments left."""
    once = normal_path(path)
    assert once.startswith("/")
    assert not {".", ".."} & set(once.split("/"))


def _found(host: str, path: str, *uris: str, order: str = "path-first") -> str | None:
    apps = [{"id": u, "destinations": [{"type": "public", "uri": u}]} for u in uris]
    found = find_app(apps, host, path, order)
    return found[1] if found else None


def test_the_most_specific_application_wins() -> None:
    """The longer path before the shorter, the exact host before the wildcard (facts: api 3.8)."""
    uris = ("jeann.net", "jeann.net/a", "jeann.net/a/b", "*.jeann.net", "x.jeann.net")
    assert _found("jeann.net", "/", *uris) == "jeann.net"
    assert _found("jeann.net", "/a/c", *uris) == "jeann.net/a"
    assert _found("jeann.net", "/a/b/c", *uris) == "jeann.net/a/b"
    assert _found("x.jeann.net", "/", *uris) == "x.jeann.net"
    assert _found("y.jeann.net", "/", *uris) == "*.jeann.net"
    assert _found("other.example", "/", *uris) is None


def test_path_or_host_first_is_a_switch() -> None:
    """A wildcard host with a path against an exact host without one."""
    uris = ("*.jeann.net/a", "x.jeann.net")
    assert _found("x.jeann.net", "/a", *uris) == "*.jeann.net/a"
    assert _found("x.jeann.net", "/a", *uris, order="host-first") == "x.jeann.net"


def test_the_table_of_what_enforces() -> None:
    """Row by row, who gets in without and with a certificate (facts: api 4.6)."""
    allow = {"email_domain": {"domain": "example.org"}}
    rows: list[tuple[list[Any], str, str]] = [
        ([policy("non_identity", CERTIFICATE)], "deny", "origin"),
        ([policy("non_identity", FLEET)], "deny", "origin"),
        ([policy("non_identity", CERTIFICATE, FLEET)], "deny", "origin"),
        (
            [policy("non_identity", CERTIFICATE, require=[{"common_name": {"common_name": "x"}}])],
            "deny",
            "deny",
        ),
        ([policy("non_identity", CERTIFICATE, require=[FLEET])], "deny", "origin"),
        ([policy("non_identity", EVERYONE, require=[CERTIFICATE])], "deny", "origin"),
        ([policy("non_identity", CERTIFICATE, EVERYONE)], "origin", "origin"),
        ([policy("non_identity", EVERYONE, exclude=[CERTIFICATE])], "origin", "deny"),
        ([policy("allow", allow, require=[CERTIFICATE])], "login", "login"),
        ([policy("bypass", EVERYONE), policy("non_identity", CERTIFICATE)], "bypass", "bypass"),
        ([policy("non_identity", CERTIFICATE), policy("non_identity", EVERYONE)], "origin", "origin"),
        ([policy("deny", EVERYONE), policy("non_identity", CERTIFICATE)], "deny", "origin"),
        ([policy("allow", allow), policy("non_identity", CERTIFICATE)], "login", "origin"),
        ([], "deny", "deny"),
    ]
    for policies, without, holding in rows:
        assert (outcome(*policies), outcome(*policies, asker=HOLDER)) == (without, holding), policies


def test_allow_and_block_run_in_order() -> None:
    """The first of them that matches decides."""
    ana = Asker(email="ana@example.org")
    allow = policy("allow", {"email": {"email": "Ana@Example.org"}})
    assert outcome(policy("deny", EVERYONE), allow, asker=ana) == "deny"
    assert outcome(allow, policy("deny", EVERYONE), asker=ana) == "origin"
    assert outcome(policy("allow", {"email_domain": {"domain": "other.example"}}), asker=ana) == "deny"


def test_certificate_before_login_is_a_switch() -> None:
    """An Allow policy that wants a certificate shows the login page, or refuses at once."""
    wants = policy("allow", EVERYONE, require=[CERTIFICATE])
    assert outcome(wants) == "login"
    assert outcome(wants, certificate_first=True) == "deny"
    assert outcome(wants, asker=HOLDER, certificate_first=True) == "login"


def test_groups_nest_and_end() -> None:
    """A group's own rules count, a missing group never matches, a circle ends."""
    groups = {
        "g": {"include": [CERTIFICATE], "exclude": [FLEET]},
        "outer": {"include": [{"group": {"id": "g"}}]},
        "circle": {"include": [{"group": {"id": "circle"}}]},
    }

    def through(group: str, asker: Asker) -> str:
        return outcome(policy("non_identity", {"group": {"id": group}}), asker=asker, groups=groups)

    assert through("outer", Asker(valid_certificate=True)) == "origin"
    assert through("outer", HOLDER) == "deny"
    assert through("missing", HOLDER) == "deny"
    assert through("circle", HOLDER) == "deny"


@pytest.mark.parametrize(
    ("rule", "asker", "yes"),
    [
        ({"ip": {"ip": "192.0.2.0/24"}}, Asker(address="192.0.2.9"), True),
        ({"ip": {"ip": "192.0.2.0/24"}}, Asker(address="198.51.100.1"), False),
        ({"ip": {"ip": None}}, NOBODY, False),
        ({"geo": {"country_code": "PT"}}, Asker(country="pt"), True),
        ({"geo": {"country_code": "PT"}}, NOBODY, False),
        ({"common_name": {"common_name": None}}, HOLDER, False),
        ({"service_token": {"token_id": "a"}}, Asker(service_token="a"), True),
        ({"service_token": {"token_id": "a"}}, Asker(service_token="b"), False),
        ({"any_valid_service_token": {}}, NOBODY, False), ({"unheard_of": {}}, HOLDER, False),
        ({"common_name": {"common_name": "Fleet"}}, HOLDER, False),
        ({"certificate": {"x": "y"}}, HOLDER, True),
    ],
)  # fmt: skip
def test_selectors(rule: Any, asker: Asker, yes: bool) -> None:
    """One selector at a time; what is empty or unknown never matches (facts: api 4.4)."""
    assert (outcome(policy("non_identity", rule), asker=asker) == "origin") is yes


def test_overrides_open_a_path_and_not_what_is_below() -> None:
    """One star a segment, no implicit sub-paths (facts: api 3.3)."""
    override = {"behavior": "public", "path_pattern": "/health/*"}
    app = {"destinations": [{"uri": "jeann.net", "overrides": [override]}]}
    assert overridden(app, "jeann.net", "/health/live")
    assert not overridden(app, "jeann.net", "/health/live/more")
    assert not overridden(app, "jeann.net", "/health")
    assert not overridden(app, "other.net", "/health/live")
