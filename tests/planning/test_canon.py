"""When two values mean the same: every normalisation of the server, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cf_mtls.model.frozen import freeze, freeze_object
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    CaCertificate,
    HostnameSettings,
    Resource,
    Rule,
    public,
)
from cf_mtls.planning.canon import differing

POLICY = AccessPolicy("p", "non_identity", (Rule("certificate"),))
APP = AccessApplication("a", (public("a.net"),), (POLICY,))


def app(**fields: Any) -> AccessApplication:
    return replace(APP, fields=freeze_object(fields))


def rules(*given: dict[str, Any], part: str = "include") -> AccessApplication:
    made = tuple(Rule(kind, freeze(value)) for rule in given for kind, value in rule.items())
    return replace(APP, policies=(replace(POLICY, **{part: made}),))


SAME = [
    (app(), app(session_duration="24h", allowed_idps=[], tags=None, http_only_cookie_attribute=True)),
    (app(), app(service_auth_401_redirect=False, custom_deny_url="", app_launcher_visible=True)),
    (app(tags=["a", "b"]), app(tags=["b", "a"])),
    (rules({"certificate": {}}), rules({"certificate": {"certifcate": "CA root certificate"}})),
    (rules({"certificate": {}}), rules({"certificate": {"id": None}})),
    *(
        (rules({"certificate": {}}, part=part), rules({"certificate": {}}, emptied, part=part))
        for part in ("include", "require", "exclude")
        for emptied in (
            {"common_name": {"common_name": None}},
            {"common_name": None},
            {"email": {"email": ""}},
            {"geo": {}},
        )
    ),
    (rules({"ip": {"ip": "192.0.2.1"}}), rules({"ip": {"ip": "192.0.2.1/32"}})),
    (rules({"ip": {"ip": "2001:db8::1"}}), rules({"ip": {"ip": "2001:DB8:0::1/128"}})),
    (rules({"email": {"email": "A@x.net"}}), rules({"email": {"email": "a@x.net"}})),
    (rules({"everyone": {}}, {"certificate": {}}), rules({"certificate": {}}, {"everyone": {}})),
    (rules({"geo": {"country_code": "PT"}}), rules({"geo": {"country_code": "PT", "x": None}})),
    (
        APP,
        replace(APP, policies=(replace(POLICY, id="1", fields=freeze_object({"session_duration": "24h"})),)),
    ),
]

OTHER = [
    (app(), app(session_duration="6h"), "session_duration"),
    (app(), app(service_auth_401_redirect=True), "service_auth_401_redirect"),
    (app(tags=["a"]), app(tags=["a", "b"]), "tags"),
    (app(), app(http_only_cookie_attribute=False), "http_only_cookie_attribute"),
    (rules({"certificate": {}}), rules({"common_name": {"common_name": "x"}}), "policies"),
    (rules({"common_name": {"common_name": "x"}}), rules({"common_name": {"common_name": "X"}}), "policies"),
    (rules({"ip": {"ip": "192.0.2.1"}}), rules({"ip": {"ip": "192.0.2.0/24"}}), "policies"),
    (rules({"common_name": {"common_name": "x"}}), rules({"common_name": {"common_name": None}}), "policies"),
    (rules({"certificate": {}}), rules({"certificate": None}), "policies"),
    (rules({"everyone": None}), rules(), "policies"),
    (rules({"okta": {}}), rules(), "policies"),
    (rules({"certificate": {}}), rules({"certificate": {}}, part="require"), "policies"),
    (APP, replace(APP, policies=(replace(POLICY, decision="bypass"),)), "policies"),
    (APP, replace(APP, policies=()), "policies"),
    (APP, replace(APP, policies=(POLICY, replace(POLICY, name="q"))), "policies"),
    (APP, replace(APP, name="b"), "name"),
    (APP, replace(APP, destinations=(public("a.net/x"),)), "destinations"),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_what_the_server_normalises_is_no_difference(
    left: AccessApplication, right: AccessApplication
) -> None:
    """Defaults, nulls, order, letter case and network suffixes mean the same, in both directions."""
    assert differing(left, right) == differing(right, left) == ()


@pytest.mark.parametrize(("left", "right", "attribute"), OTHER)
def test_a_difference_of_meaning_names_its_attribute(
    left: AccessApplication, right: AccessApplication, attribute: str
) -> None:
    """An edit that changes who gets in, or anything declared, is found under Cloudflare's name."""
    assert differing(left, right) == differing(right, left) == (attribute,)


def test_the_order_of_policies_means_something() -> None:
    """The first match decides, so two policies in another order are another thing."""
    deny = AccessPolicy("d", "deny", (Rule("everyone"),))
    one, two = replace(APP, policies=(POLICY, deny)), replace(APP, policies=(deny, POLICY))
    assert differing(one, two) == ("policies",)


CAS = CaCertificate("c", ("a.net", "b.net"), ("11",), ())
SETTINGS = HostnameSettings("a.net")
GROUP = AccessGroup("g", (Rule("certificate"),), (), (), "1")
REUSABLE = replace(POLICY, id="p-1", reusable=True)


@pytest.mark.parametrize(
    ("left", "right", "names"),
    [
        (CAS, replace(CAS, associated_hostnames=("B.net", "A.net", "a.net")), ()),
        (CAS, replace(CAS, id="other"), ()),
        (CAS, replace(CAS, name="d"), ("name",)),
        (CAS, replace(CAS, associated_hostnames=("a.net",)), ("associated_hostnames",)),
        (SETTINGS, replace(SETTINGS, china_network=True), ("china_network",)),
        (SETTINGS, replace(SETTINGS, client_certificate_forwarding=True), ("client_certificate_forwarding",)),
        (GROUP, replace(GROUP, include=(Rule("everyone"),)), ("include",)),
        (GROUP, replace(GROUP, exclude=(Rule("everyone"),)), ("exclude",)),
        (REUSABLE, replace(REUSABLE, decision="bypass"), ("decision",)),
        (REUSABLE, replace(REUSABLE, require=(Rule("everyone"),)), ("require",)),
        (app(allowed_idps=["b", "a"]), app(allowed_idps=["a", "b"]), ()),
        (app(custom_pages=["b", "a"]), app(custom_pages=["a", "b"]), ()),
        (app(cors_headers=["b", "a"]), app(cors_headers=["a", "b"]), ("cors_headers",)),
        (replace(APP, policies=(REUSABLE,)), replace(APP, policies=(replace(REUSABLE, id="p-2"),)), ("policies",)),
        (replace(APP, policies=(REUSABLE,)), replace(APP, policies=(replace(REUSABLE, decision="bypass"),)), ()),
    ],
)  # fmt: skip
def test_every_kind_of_resource_differs_in_what_it_means(
    left: Resource, right: Resource, names: tuple[str, ...]
) -> None:
    """Hostnames whatever their case and order; each setting; rules of groups; a reusable policy by its id alone."""
    assert differing(left, right) == differing(right, left) == names
