"""What a file alone says about who gets in: each warning where it is due, and at its neighbours none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cf_mtls.access.decide import Asker
from cf_mtls.declare.semantics import semantics
from cf_mtls.model.resources import AccessApplication, AccessPolicy, Rule, public
from cf_mtls.model.state import State
from tests.planning.things import (
    ANYONE,
    CERTIFICATE,
    EVERYONE,
    HOLDERS,
    MAIL,
    TOKEN,
    app,
    app_at,
    ca,
    ca_at,
    policy,
    rule,
)

JEAN = Asker(frozenset({ca_at("1")}), frozenset({"jean"}))
UNUSED, VOID, NEVER, NAME, NOBODY = (
    "certificate.not-demanded", "policy.certificate-void", "policy.unreachable", "policy.unknown-common-name",
    "application.no-client-gets-in",
)  # fmt: skip
FLEET = rule("common_name", common_name="fleet")
NAMED = policy("non_identity", CERTIFICATE, require=(FLEET,))
JEANS = policy("non_identity", rule("common_name", common_name="jean"))


def warned(
    *apps: AccessApplication, clients: dict[str, Asker] | None = None, hosts: str = "a.net"
) -> list[str]:
    """The codes, for these applications and one CA on these hostnames."""
    state = State({ca_at("1"): ca("1", *hosts.split()), **{app_at(a.domain): a for a in apps}})
    return [found.code.code for _, found in semantics(state, clients or {})]


@pytest.mark.parametrize(
    ("apps", "hosts", "codes"),
    [
        ([app("a.net")], "a.net", []),
        ([app("a.net")], "a.net b.net", [UNUSED]),
        ([app("a.net", MAIL)], "a.net", [UNUSED]),
        ([app("a.net", policy("allow", EVERYONE, require=(CERTIFICATE,)))], "a.net", []),
        ([app("*.a.net")], "x.a.net", []),
        ([], "a.net", [UNUSED]),
    ],
)
def test_a_ca_that_nothing_asks_for_is_named(
    apps: list[AccessApplication], hosts: str, codes: list[str]
) -> None:
    """On any of its hostnames; where a wildcard asks, nobody can tell, and nothing is said."""
    assert warned(*apps, hosts=hosts) == codes


@pytest.mark.parametrize(
    ("policies", "codes"),
    [
        ([HOLDERS], []),
        ([policy("non_identity", CERTIFICATE, EVERYONE)], [VOID]),
        ([policy("non_identity", CERTIFICATE, rule("service_token", token_id="t"))], [VOID]),
        ([HOLDERS, ANYONE], [VOID]),
        ([HOLDERS, MAIL], [VOID]),
        ([policy("allow", EVERYONE, require=(CERTIFICATE,))], []),
        ([policy("non_identity", EVERYONE, require=(CERTIFICATE,))], []),
        ([TOKEN], [UNUSED]),
        ([ANYONE], [UNUSED]),
    ],
)
def test_a_certificate_that_is_not_needed_after_all_is_named(
    policies: list[AccessPolicy], codes: list[str]
) -> None:
    """Whatever else lets somebody in: everyone, or another credential. One that asks for none is meant so."""
    assert [c for c in warned(app("a.net", *policies)) if c != NEVER] == codes


def test_only_what_an_application_itself_decides_is_held_against_it() -> None:
    """Where a narrower one of the same file opens a path, the wider one's certificate is not void."""
    assert warned(app("a.net"), app("a.net/open", ANYONE)) == []
    both = replace(app("a.net/x"), destinations=(public("a.net/x"), public("a.net/y")))
    assert warned(both, app("a.net/y", ANYONE)) == []


@pytest.mark.parametrize(
    ("policies", "codes"),
    [
        ([HOLDERS, NAMED], [NEVER]),
        ([NAMED, HOLDERS], []),
        ([policy("deny", EVERYONE), HOLDERS], []),
        ([HOLDERS, policy("deny", EVERYONE)], []),
        ([ANYONE, HOLDERS], [NEVER]),
        ([HOLDERS, policy("non_identity", rule("common_name", common_name=""))], []),
    ],
)
def test_a_policy_that_can_never_decide_is_named(policies: list[AccessPolicy], codes: list[str]) -> None:
    """Because an earlier one decides for all of its own: not because it matches nobody anyway."""
    assert [c for c in warned(app("a.net", *policies)) if c == NEVER] == codes


@pytest.mark.parametrize(
    ("policies", "clients", "codes"),
    [
        ([NAMED], {}, []),
        ([NAMED], {"jean": JEAN}, [NAME, NOBODY]),
        ([policy("non_identity", FLEET)], {"jean": JEAN}, [NAME, NOBODY]),
        ([JEANS], {"jean": JEAN}, []),
        ([policy("non_identity", rule("common_name", common_name="Jean"))], {"jean": JEAN}, [NAME, NOBODY]),
        ([policy("non_identity", CERTIFICATE, exclude=(FLEET,))], {"jean": JEAN}, []),
    ],
)
def test_a_common_name_that_no_client_has_is_named(
    policies: list[AccessPolicy], clients: dict[str, Asker], codes: list[str]
) -> None:
    """In include and require, to the letter; whom a rule keeps out need not be declared; without clients nothing is."""
    assert warned(app("a.net", *policies), clients=clients) == codes


@pytest.mark.parametrize(
    ("clients", "codes"),
    [
        ({}, []),
        ({"jean": JEAN}, []),
        ({"ana": Asker()}, [NOBODY]),
        ({"ana": Asker(), "jean": JEAN}, []),
        ({"ana": Asker(frozenset({ca_at("2")}))}, [NOBODY]),
    ],
)
def test_an_application_that_no_declared_client_gets_into_is_named(
    clients: dict[str, Asker], codes: list[str]
) -> None:
    """One that gets in is enough; a certificate of a CA that is not on the hostname is none."""
    assert warned(app("a.net"), clients=clients) == codes
    assert warned(app("a.net", MAIL), clients=clients) == [UNUSED]


def test_each_warning_stands_at_its_own_address() -> None:
    """Two applications, of which one is void."""
    void = app("a.net/x", policy("non_identity", CERTIFICATE, EVERYONE))
    state = State({ca_at("1"): ca("1", "a.net"), app_at("a.net"): app("a.net"), app_at("a.net/x"): void})
    assert [(str(a), d.code.code) for a, d in semantics(state, {})] == [("application/a.net/x", VOID)]


def test_an_emptied_rule_asks_for_nothing() -> None:
    """`certificate: null` is no selector: nobody meets it, and nothing is void or unreachable because of it."""
    assert NEVER not in warned(app("a.net", policy("non_identity", Rule("certificate", None)), HOLDERS))
