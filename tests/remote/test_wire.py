"""Cloudflare's JSON and back: what is carried, what is computed, what an edit must always send."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cf_mtls.model.frozen import freeze_object
from cf_mtls.model.resources import Rule, public
from cf_mtls.remote import wire
from tests.planning.things import ANYONE, EVERYONE, app, ca, policy, rule

RAW_CA: dict[str, Any] = {
    "id": "1",
    "name": "c",
    "fingerprint": "MD5 Fingerprint=" + ":".join(["AB"] * 16),
    "expires_on": "2030-01-01T00:00:00Z",
    "associated_hostnames": ["B.net", "a.net"],
}
RAW_APP: dict[str, Any] = {"id": "2", "name": "app", "domain": "a.net"}


@pytest.mark.parametrize(
    ("listed", "hosts"),
    [(["B.net", "a.net", "A.net"], ("a.net", "b.net")), ([], ()), (None, ()), ("absent", ())],
)
def test_hostnames_are_read_in_one_form(listed: Any, hosts: tuple[str, ...]) -> None:
    """Lower case, sorted, each once; null and absent are none."""
    raw = {k: v for k, v in {**RAW_CA, "associated_hostnames": listed}.items() if v != "absent"}
    found = wire.certificate(raw)[1]
    assert (found.associated_hostnames, wire.hostnames(raw)) == (hosts, hosts)


def test_an_update_of_a_ca_always_names_every_hostname() -> None:
    """Also when there is none: leaving the list out would let go of them, or keep them (facts 1.2)."""
    assert wire.certificate_update(ca("1")) == {"name": "1 (cf-mtls s)", "associated_hostnames": []}
    found = wire.certificate_update(ca("1", "b.net", "a.net"))
    assert found["associated_hostnames"] == ["a.net", "b.net"]


def test_a_ca_without_its_pem_cannot_be_uploaded() -> None:
    """Nobody has the PEM of one that only the account holds."""
    with pytest.raises(ValueError, match="no PEM"):
        wire.certificate_create(ca("1", pem=None))


def test_settings_are_three_members_and_null_is_false() -> None:
    """Read and written."""
    (_, found) = wire.settings(
        {"hostname": "A.net", "china_network": True, "client_certificate_forwarding": None}
    )
    assert wire.settings_entry(found) == {
        "hostname": "a.net", "client_certificate_forwarding": False, "china_network": True,
    }  # fmt: skip


def test_policies_are_in_the_order_of_their_precedence() -> None:
    """Whatever the order of the list: the first that matches decides."""
    raw = {**RAW_APP, "policies": [
        {"id": "p2", "name": "second", "decision": "deny", "precedence": 2, "include": [{"everyone": {}}]},
        {"id": "p1", "name": "first", "decision": "bypass", "precedence": 1, "include": [{"everyone": {}}]},
    ]}  # fmt: skip
    assert [p.name for p in wire.application(raw)[1].policies] == ["first", "second"]


def test_what_is_computed_is_never_sent_and_what_is_unknown_always_is() -> None:
    """A member of tomorrow goes back as it came; ids, times and the audience tag do not."""
    raw = {
        **RAW_APP, "uid": "2", "aud": "x", "created_at": "t", "updated_at": "t", "domain_type": "public",
        "self_hosted_domains": ["a.net"], "brand_new": {"z": [3]}, "session_duration": "6h", "type": "self_hosted",
    }  # fmt: skip
    body = wire.application_body(wire.application(raw)[1])
    assert body == {
        "type": "self_hosted", "brand_new": {"z": [3]}, "session_duration": "6h", "name": "app", "domain": "a.net",
        "destinations": [{"type": "public", "uri": "a.net"}], "policies": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("members", "domains"),
    [
        ({"domain": "A.net/X/"}, ("a.net/X",)),
        ({"self_hosted_domains": ["a.net/", "b.net/y"]}, ("a.net", "b.net/y")),
        ({"destinations": [{"uri": "B.net/"}], "self_hosted_domains": ["a.net"]}, ("b.net",)),
        ({"destinations": [], "self_hosted_domains": ["b.net"]}, ("b.net",)),
        ({"destinations": [{"type": "private", "cidr": "10.0.0.0/8"}]}, ()),
    ],
)
def test_an_application_stands_where_its_destinations_say(
    members: dict[str, Any], domains: tuple[str, ...]
) -> None:
    """Else its self-hosted domains, else its domain; hosts in lower case, paths as they are, no slash at the end."""
    address, found = wire.application({**RAW_APP, **members})
    assert found.domains == domains
    assert address.key == (domains[0] if domains else "id:2")


@pytest.mark.parametrize(
    ("raws", "rules"),
    [
        ([{"everyone": {}}], (EVERYONE,)),
        ([{"certificate": None}], (Rule("certificate", None),)),
        ([{"everyone": {}, "certificate": None}], (EVERYONE,)),
        ([{"ip": {"ip": "192.0.2.1"}, "email": {"email": "a@x.net"}}],
         (rule("ip", ip="192.0.2.1"), rule("email", email="a@x.net"))),
        ([{"email": {"email": ""}}, {"common_name": None}, {"everyone": {}}], (EVERYONE,)),
        (None, ()),
    ],
)  # fmt: skip
def test_a_rule_is_what_it_selects(raws: Any, rules: tuple[Rule, ...]) -> None:
    """Null beside another kind is its absence; alone it is kept; an emptied selector says nothing (facts 4.4)."""
    raw = {**RAW_APP, "policies": [{"id": "p", "name": "p", "decision": "allow", "include": raws}]}
    assert wire.application(raw)[1].policies[0].include == rules


def test_a_reusable_policy_is_sent_as_a_link_and_others_whole() -> None:
    """A link by its id and place; an own policy with the id that it has, or none when it is new."""
    link = {
        "id": "r",
        "name": "shared",
        "decision": "allow",
        "reusable": True,
        "precedence": 1,
        "include": [],
    }
    found = wire.application({**RAW_APP, "policies": [link]})[1]
    assert found.policies[0].reusable
    own = policy("deny", EVERYONE, fields=freeze_object({"session_duration": "1h"}))
    body = wire.application_body(replace(found, policies=(*found.policies, replace(own, id="o"), ANYONE)))
    assert body["policies"] == [
        {"id": "r", "precedence": 1},
        {"id": "o", "session_duration": "1h", "name": "deny", "decision": "deny", "precedence": 2,
         "include": [{"everyone": {}}], "require": [], "exclude": []},
        {"name": "bypass", "decision": "bypass", "precedence": 3, "include": [{"everyone": {}}], "require": [],
         "exclude": []},
    ]  # fmt: skip


def test_policies_are_always_sent() -> None:
    """Null would leave them: an application that has none any more says so with an empty list (facts 3.4)."""
    assert wire.application_body(replace(app("a.net"), policies=()))["policies"] == []
    assert wire.application_body(replace(app("a.net"), destinations=(public("a.net"),)))["policies"]


@pytest.mark.parametrize("emptied", ["", None])
def test_a_secret_that_reads_back_empty_is_never_written_back(emptied: str | None) -> None:
    """Wherever it stands; one that is there, and an empty member that is no secret, go back as they came."""
    scim = {
        "enabled": True,
        "authentication": [
            {"scheme": "oauth2", "client_secret": emptied, "token_url": "https://x"},
            {"password": emptied},
        ],
    }
    raw = {"id": "1", "domain": "a.net", "scim_config": scim, "custom_deny_message": "", "token": "kept"}
    body = wire.application_body(wire.application(raw)[1])
    assert body["scim_config"]["authentication"] == [{"scheme": "oauth2", "token_url": "https://x"}, {}]
    assert (body["custom_deny_message"], body["token"]) == ("", "kept")
