"""The API half, fact by fact, in raw JSON."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from emulator_kit import DAY, HOST, NOW, PATH, Api, Pki, emulating, issue, service_auth

CERTS = "/access/certificates"
SETTINGS = "/access/certificates/settings"
APPS = "/access/apps"


def test_a_certificate_answer_has_the_recorded_members(api: Api, pki: Pki) -> None:
    """Exactly the recorded members, an MD5 fingerprint of the first block, no PEM (facts 1.3)."""
    made = api.certificate(pki)
    assert set(made) == {
        "associated_hostnames", "created_at", "expires_on", "fingerprint", "id", "name", "updated_at",
    }  # fmt: skip
    digest = hashlib.md5(pki.intermediate.der, usedforsecurity=False).hexdigest().upper()
    assert made["fingerprint"].replace(":", "") == f"MD5 Fingerprint={digest}"
    assert made["expires_on"] == pki.intermediate.certificate.not_valid_after_utc.strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    listing = api.call("GET", CERTS).json()
    assert listing["result_info"] == {
        "count": 1,
        "page": 1,
        "per_page": 50,
        "total_count": 1,
        "total_pages": 1,
    }


def test_the_pem_cannot_be_changed(api: Api, pki: Pki) -> None:
    """A PUT with another certificate succeeds and changes nothing about it (facts 1.5)."""
    made = api.certificate(pki)
    body = {"name": "new", "certificate": pki.rogue.pem, "associated_hostnames": [HOST]}
    changed = api.result("PUT", f"{CERTS}/{made['id']}", body)
    assert (changed["name"], changed["fingerprint"]) == ("new", made["fingerprint"])


def test_a_put_without_hostnames_clears_them(api: Api, pki: Pki) -> None:
    """The trap that a rename must not fall into, and the switch that takes it away (facts 1.2)."""
    made = api.certificate(pki)
    assert api.result("PUT", f"{CERTS}/{made['id']}", {"name": "x"})["associated_hostnames"] == []
    api.result("PUT", f"{CERTS}/{made['id']}", {"associated_hostnames": [HOST]})
    api.manage("POST", "switches", {"put-without-hostnames-clears": "off"})
    assert api.result("PUT", f"{CERTS}/{made['id']}", {"name": "y"})["associated_hostnames"] == [HOST]


@pytest.mark.parametrize("status", [409, 400])
def test_a_certificate_with_hostnames_cannot_go(pki: Pki, status: int) -> None:
    """12132 while hostnames are associated and while they linger; only the clock lets them go (facts 1.8)."""
    with emulating(switches={"detach-delay": 60.0, "active-associations-status": status}) as api:
        made = api.certificate(pki)
        where = f"{CERTS}/{made['id']}"
        assert api.error("DELETE", where) == (status, 12132)
        assert api.result("PUT", where, {"associated_hostnames": []})["associated_hostnames"] == [HOST]
        for _ in range(3):  # looking does not help
            assert api.result("GET", where)["associated_hostnames"] == [HOST]
        assert api.error("DELETE", where) == (status, 12132)
        api.manage("POST", "clock", {"advance": 61})
        assert api.result("GET", where)["associated_hostnames"] == []
        assert api.call("DELETE", where).json()["result"] == {"id": made["id"]}
        assert api.error("GET", where)[0] == 404
        assert api.error("DELETE", where)[0] == 404


def test_a_hostname_put_back_does_not_leave(pki: Pki) -> None:
    """A hostname that is associated again before it left is not taken by the old leaving."""
    with emulating(switches={"detach-delay": 60.0}) as api:
        where = f"{CERTS}/{api.certificate(pki)['id']}"
        api.result("PUT", where, {"associated_hostnames": []})
        api.manage("POST", "clock", {"advance": 30})
        back = api.result("PUT", where, {"associated_hostnames": [HOST]})
        assert back["associated_hostnames"] == [HOST]
        api.result("PUT", where, {"associated_hostnames": []})
        api.manage("POST", "clock", {"advance": 40})
        assert api.error("DELETE", where)[1] == 12132
        api.manage("POST", "clock", {"advance": 40})
        api.result("DELETE", where)


@pytest.mark.parametrize("quota", [0, 1])
def test_the_quota_says_one_thing_for_two(pki: Pki, quota: int) -> None:
    """12130, the same words without entitlement and at the limit; reading works (facts 1.6)."""
    with emulating(switches={"certificate-quota": quota}) as api:
        if quota:
            api.certificate(pki)
        body = {"name": "ca", "certificate": pki.rogue.pem}
        response = api.call("POST", CERTS, body)
        assert response.status_code == 400
        error = response.json()["errors"][0]
        assert error["code"] == 12130
        assert error["message"].endswith("maximum number of certificates has been reached")
        assert len(api.result("GET", CERTS)) == quota


def test_a_foreign_hostname_is_refused(api: Api, pki: Pki) -> None:
    """12036 on certificates and settings for a hostname in no zone (facts 1.7)."""
    for foreign in ("other.example", f"not{HOST}"):
        body = {"name": "ca", "certificate": pki.chain, "associated_hostnames": [foreign]}
        assert api.error("POST", CERTS, body) == (400, 12036)
    entry = {"hostname": "other.example", "client_certificate_forwarding": True, "china_network": False}
    assert api.error("PUT", SETTINGS, {"settings": [entry]}) == (400, 12036)
    assert api.result("GET", CERTS) == []


def test_a_zone_only_takes_its_own_hostnames(pki: Pki) -> None:
    """Another zone of the account is foreign at zone scope, and scopes do not see each other."""
    with emulating(zones=("jeann.net", "example.org")) as api:
        ids = {z["name"]: z["id"] for z in api.result("GET", "//zones")}
        zone = api.other(scope=f"/zones/{ids['example.org']}")
        body = {"name": "ca", "certificate": pki.chain, "associated_hostnames": [HOST]}
        assert zone.error("POST", CERTS, body) == (400, 12036)
        zone.result("POST", CERTS, body | {"associated_hostnames": ["a.example.org"]})
        assert api.result("GET", CERTS) == []
        api.manage("POST", "switches", {"account-list-shows-zones": "on"})
        assert len(api.result("GET", CERTS)) == 1
        entry = {"hostname": HOST, "client_certificate_forwarding": True, "china_network": False}
        api.result("PUT", SETTINGS, {"settings": [entry]})
        assert [s["hostname"] for s in zone.result("GET", SETTINGS)] == [HOST]
        assert zone.error("PUT", SETTINGS, {"settings": [entry]}) == (400, 12036)


def test_the_same_ca_twice_is_a_conflict(api: Api, pki: Pki) -> None:
    """The conflict goes by content, not by name, and ends with the first one (facts 1.7)."""
    first = api.certificate(pki, hosts=())
    body = {"name": "another name", "certificate": "\n" + pki.chain}
    assert api.error("POST", CERTS, body) == (409, 12031)
    api.result("DELETE", f"{CERTS}/{first['id']}")
    api.result("POST", CERTS, body)


def _ed25519() -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from emulator_kit import name

    key = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder(name("e"), name("e"), key.public_key(), 1, NOW, NOW + DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    assert hashes.SHA256.name
    return builder.sign(key, None).public_bytes(Encoding.PEM).decode()


def test_what_is_no_bundle_of_cas_is_refused(api: Api, pki: Pki) -> None:
    """No PEM, a leaf, a private key, an algorithm off the list, no name: 12130 each, and nothing is kept."""
    wrong: list[Any] = [
        {"name": "x"}, {"name": "x", "certificate": ""},
        {"name": "x", "certificate": "text"},
        {"name": "x", "certificate": 5}, {"certificate": pki.chain},
        {"name": "x" * 351, "certificate": pki.chain},
        {"name": "x", "certificate": pki.good.pem},
        {"name": "x", "certificate": pki.root.key_pem + pki.chain},
        {"name": "x", "certificate": _ed25519()},
        {"name": "x", "certificate": pki.chain, "associated_hostnames": HOST},
        {"name": "x", "certificate": pki.chain, "associated_hostnames": ["https://jeann.net"]},
        {"name": "x", "certificate": pki.chain, "associated_hostnames": ["jeann.net/path"]},
        {"name": "x", "certificate": pki.chain, "associated_hostnames": ["*.jeann.net"]},
        [], "text", 5, None,
    ]  # fmt: skip
    for body in wrong:
        assert api.error("POST", CERTS, body) == (400, 12130), body
    assert api.result("GET", CERTS) == []
    assert "PRIVATE KEY" not in httpx.get(f"{api.emulator.ready.management}/requests").text


def test_an_expired_ca_by_switch(pki: Pki) -> None:
    """Unknown in life: taken by default, refused by switch (facts 1.4)."""
    old = issue("Old", ca=True, since=NOW - 9 * DAY, until=NOW - DAY).pem
    with emulating() as api:
        api.result("POST", CERTS, {"name": "old", "certificate": old})
    with emulating(switches={"refuse-expired-ca": True}) as api:
        assert api.error("POST", CERTS, {"name": "old", "certificate": old}) == (400, 12130)


def _entry(host: str, forwarding: bool = True) -> dict[str, Any]:
    return {"hostname": host, "client_certificate_forwarding": forwarding, "china_network": False}


def test_settings_settle_by_the_clock(pki: Pki) -> None:
    """202, then 409 until the clock has moved on; GET shows them only then (facts 2)."""
    with emulating(switches={"settings-delay": 60.0}) as api:
        response = api.call("PUT", SETTINGS, {"settings": [_entry(HOST)]})
        assert response.status_code == 202
        assert response.json()["result"] == [_entry(HOST)]
        refused = api.call("PUT", SETTINGS, {"settings": [_entry(HOST)]})
        assert refused.status_code == 409
        assert "previous certificate settings still being updated" in refused.text
        assert api.result("GET", SETTINGS) == []
        api.manage("POST", "clock", {"advance": 61})
        listing = api.call("GET", SETTINGS).json()
        assert listing["result"] == [_entry(HOST)]
        assert "result_info" not in listing
        api.result("PUT", SETTINGS, {"settings": [_entry(HOST, False)]})


def test_settings_merge_and_false_ones_vanish(api: Api) -> None:
    """PUT adds by hostname, both-false entries vanish; with the switch it replaces (facts 2)."""
    a, b = f"a.{HOST}", f"b.{HOST}"
    api.result("PUT", SETTINGS, {"settings": [_entry(a)]})
    api.result("PUT", SETTINGS, {"settings": [{"hostname": b}, _entry(HOST)]})
    assert {s["hostname"] for s in api.result("GET", SETTINGS)} == {a, HOST}
    api.result("PUT", SETTINGS, {"settings": []})
    assert {s["hostname"] for s in api.result("GET", SETTINGS)} == {a, HOST}
    api.manage("POST", "switches", {"settings-merge": "off"})
    api.result("PUT", SETTINGS, {"settings": [_entry(b)]})
    assert {s["hostname"] for s in api.result("GET", SETTINGS)} == {b}


def test_wrong_settings_are_refused(api: Api) -> None:
    """Types, hostnames, and china_network where it is not enabled."""
    for settings in ({}, ["x"], [{}], [{"hostname": 5}], [{"hostname": HOST, "china_network": "yes"}],
                     [{"hostname": HOST, "china_network": True}]):  # fmt: skip
        assert api.error("PUT", SETTINGS, {"settings": settings}) == (400, 12130)


def test_an_application_comes_back_normalised(api: Api) -> None:
    """Defaults, destinations, sorted tags, /32, split selectors, empty lists (facts 3.2-3.6, 4.4, 9)."""
    for tag in ("zulu", "alpha"):
        api.result("POST", "/access/tags", {"name": tag})
    rules = [{"ip": {"ip": "192.0.2.1"}, "everyone": {}}]
    made = api.app("JeAnn.net" + PATH + "/", service_auth(*rules), tags=["zulu", "alpha"], logo_url=None)
    assert made["domain"] == HOST + PATH
    assert made["destinations"] == [{"type": "public", "uri": HOST + PATH}]
    assert made["tags"] == ["alpha", "zulu"]
    assert (made["session_duration"], made["app_launcher_visible"], made["allowed_idps"]) == ("24h", True, [])
    assert made["uid"] == made["id"]
    assert "logo_url" not in made
    (policy,) = made["policies"]
    assert policy["include"] == [{"ip": {"ip": "192.0.2.1/32"}}, {"everyone": {}}]
    assert (policy["exclude"], policy["require"], policy["precedence"]) == ([], [], 1)
    listing = api.call("GET", APPS).json()
    assert listing["result_info"]["per_page"] == 1000


def test_a_domain_is_one_applications(api: Api) -> None:
    """11010 with 409 for a domain that another application has, in whatever place (facts 3.5)."""
    api.app(HOST, destinations=[{"uri": HOST}, {"uri": f"b.{HOST}"}])
    body = {"type": "self_hosted", "domain": f"b.{HOST}"}
    assert api.error("POST", APPS, body) == (409, 11010)
    other = api.app(f"c.{HOST}")
    assert api.error("PUT", f"{APPS}/{other['id']}", body) == (409, 11010)
    api.result("PUT", f"{APPS}/{other['id']}", {"type": "self_hosted", "domain": f"c.{HOST}"})


def test_put_replaces_and_null_policies_stay(api: Api) -> None:
    """Absent members fall back, null policies stay attached, an empty list detaches for good (facts 3.4)."""
    app = api.app(session_duration="1h", custom_deny_message="no")
    where, body = f"{APPS}/{app['id']}", {"type": "self_hosted", "domain": app["domain"]}
    changed = api.result("PUT", where, body | {"policies": None})
    assert (changed["session_duration"], "custom_deny_message" in changed) == ("24h", False)
    assert [p["id"] for p in changed["policies"]] == [app["policies"][0]["id"]]
    assert (changed["id"], changed["aud"], changed["created_at"]) == (
        app["id"],
        app["aud"],
        app["created_at"],
    )
    assert api.result("PUT", where, body | {"policies": []})["policies"] == []
    lost = {"id": app["policies"][0]["id"], "precedence": 1}
    assert api.error("PUT", where, body | {"policies": [lost]}) == (400, 12130)


def test_policies_may_be_ids_links_or_objects(api: Api) -> None:
    """Ids and links of reusable policies, expanded in order of precedence; inline ones by id are changed."""
    one, two = (api.result("POST", "/access/policies", service_auth({"everyone": {}}))["id"] for _ in "12")
    app = api.app(HOST, one, {"id": two})
    assert [(p["id"], p["precedence"], p["reusable"]) for p in app["policies"]] == [
        (one, 1, True),
        (two, 2, True),
    ]
    body = {"type": "self_hosted", "domain": HOST}
    where = f"{APPS}/{app['id']}"
    turned = api.result(
        "PUT", where, body | {"policies": [{"id": one, "precedence": 9}, {"id": two, "precedence": 3}]}
    )
    assert [p["id"] for p in turned["policies"]] == [two, one]
    assert api.result("GET", f"/access/policies/{one}")["app_count"] == 1
    inline = api.app(f"b.{HOST}")
    own = inline["policies"][0]
    mine = service_auth({"everyone": {}}, id=own["id"])
    body |= {"domain": f"b.{HOST}", "policies": [mine]}
    changed = api.result("PUT", f"{APPS}/{inline['id']}", body)
    assert [(p["id"], p["include"]) for p in changed["policies"]] == [(own["id"], [{"everyone": {}}])]


def test_policies_that_cannot_be_attached(api: Api) -> None:
    """Mixed kinds, equal or zero precedences, unknown ids, a group's id (500), and nothing half done."""
    reusable = api.result("POST", "/access/policies", service_auth({"everyone": {}}))["id"]
    group = api.result("POST", "/access/groups", {"name": "g", "include": [{"everyone": {}}]})["id"]
    app = api.app(HOST)
    body = {"type": "self_hosted", "domain": HOST}
    inline = service_auth({"certificate": {}})
    wrong: list[tuple[Any, tuple[int, int]]] = [
        ([reusable, inline], (400, 12130)),
        ([inline | {"precedence": 1}, inline | {"precedence": 1}], (400, 12130)),
        ([inline | {"precedence": 0}], (400, 12130)),
        (["00000000-0000-4000-8000-000000000000"], (400, 12130)),
        ([group], (500, 10001)),
        ([inline, {"name": "no decision"}], (400, 12130)),
        ([service_auth({"group": {"id": "missing"}})], (400, 11020)),
        ([service_auth({"unheard_of": {}})], (400, 12130)),
        ("text", (400, 12130)),
    ]
    for policies, error in wrong:
        assert api.error("PUT", f"{APPS}/{app['id']}", body | {"policies": policies}) == error, policies
    assert api.result("GET", f"{APPS}/{app['id']}") == app


def test_a_fresh_policy_is_not_found_for_a_while(pki: Pki) -> None:
    """400 until the clock has moved on (facts 3.4)."""
    with emulating(switches={"policy-visible-delay": 45.0}) as api:
        made = api.result("POST", "/access/policies", service_auth({"everyone": {}}))["id"]
        body = {"type": "self_hosted", "domain": HOST, "policies": [made]}
        assert api.error("POST", APPS, body) == (400, 12130)
        api.manage("POST", "clock", {"advance": 46})
        api.result("POST", APPS, body)


def test_a_policy_in_use_stays(api: Api) -> None:
    """409 while attached; own policies are refused at the account's address (facts 4.1)."""
    made = api.result("POST", "/access/policies", service_auth({"everyone": {}}))["id"]
    app = api.app(HOST, made)
    assert api.error("DELETE", f"/access/policies/{made}")[0] == 409
    assert api.call("DELETE", f"{APPS}/{app['id']}").status_code == 202
    assert api.call("DELETE", f"/access/policies/{made}").status_code == 202
    own = api.app(HOST)["policies"][0]["id"]
    assert api.error("DELETE", f"/access/policies/{own}") == (400, 12130)
    assert api.error("GET", "/access/policies/none")[0] == 404


def test_applications_that_cannot_be(api: Api) -> None:
    """Each refusal with its code (facts 3.3, 3.5)."""
    body = {"type": "self_hosted", "domain": HOST}
    wrong: list[tuple[Any, tuple[int, int]]] = [
        ({"type": "self_hosted"}, (400, 12130)), ({"domain": HOST}, (400, 12130)),
        (body | {"domain": "other.example"}, (400, 12130)),
        (body | {"domain": f"https://{HOST}"}, (400, 12130)),
        (body | {"domain": f"{HOST}:8443"}, (400, 12130)), (body | {"domain": f"{HOST}/a?b"}, (400, 12130)),
        (body | {"domain": f"a*b*c.{HOST}"}, (400, 12130)), (body | {"tags": ["missing"]}, (400, 12130)),
        (body | {"custom_pages": ["x"]}, (403, 12133)), (body | {"session_duration": 5}, (400, 12130)),
        (body | {"options_preflight_bypass": True, "cors_headers": {"x": 1}}, (400, 12130)),
        (body | {"allow_authenticate_via_warp": True}, (400, 12130)),
        (body | {"destinations": [{"uri": f"{i}.{HOST}"} for i in range(6)]}, (400, 12130)),
        (body | {"app_launcher_visible": "yes"}, (400, 12130)),
    ]  # fmt: skip
    for given, error in wrong:
        assert api.error("POST", APPS, given) == error, given
    assert api.result("GET", APPS) == []
    assert api.error("GET", f"{APPS}/not-a-uuid") == (400, 12045)
    assert api.error("GET", f"{APPS}/00000000-0000-4000-8000-000000000000")[0] == 404


def test_access_may_not_be_enabled(pki: Pki) -> None:
    """9999 for everything of Access, nothing else (facts 3.5)."""
    with emulating(switches={"access-enabled": False}) as api:
        assert api.error("GET", APPS) == (403, 9999)
        api.result("GET", "//zones")


def test_a_tag_is_renamed_everywhere(api: Api) -> None:
    """Applications follow a renamed tag and lose a deleted one; counts are kept (facts 5)."""
    api.result("POST", "/access/tags", {"name": "old name"})
    api.app(HOST, tags=["old name"])
    assert api.result("GET", "/access/tags/old%20name")["app_count"] == 1
    api.result("PUT", "/access/tags/old%20name", {"name": "new"})
    assert api.result("GET", APPS)[0]["tags"] == ["new"]
    assert api.call("DELETE", "/access/tags/new").status_code == 202
    assert api.result("GET", APPS)[0]["tags"] == []
    assert api.error("POST", "/access/tags", {"name": "x" * 36}) == (400, 12130)


def test_pages(api: Api) -> None:
    """Page and per_page cut the list; beyond the end is empty; nonsense is refused (facts 1.9, 7.7)."""
    for n in range(5):
        api.result("POST", "/access/tags", {"name": f"t{n}"})
    page = api.call("GET", "/access/tags?page=2&per_page=2").json()
    assert [t["name"] for t in page["result"]] == ["t2", "t3"]
    assert page["result_info"] == {"page": 2, "per_page": 2, "count": 2, "total_count": 5, "total_pages": 3}
    assert api.call("GET", "/access/tags?page=4&per_page=2").json()["result"] == []
    for query in ("page=0", "page=-1", "page=x", "per_page=0", "page=" + "9" * 50):
        assert api.error("GET", f"/access/tags?{query}") == (400, 12130)


def test_zones_and_their_records(api: Api) -> None:
    """Zones by name, fifty a page at most; DNS records by exact name (facts 8)."""
    (zone,) = api.result("GET", f"//zones?name={HOST}")
    assert api.result("GET", "//zones?name=other.example") == []
    assert api.call("GET", "//zones?per_page=1000").json()["result_info"]["per_page"] == 50
    records = api.result("GET", f"//zones/{zone['id']}/dns_records?name.exact={HOST}")
    assert [(r["name"], r["proxied"]) for r in records] == [(HOST, True)]


def test_answers_carry_the_gateways_headers(api: Api) -> None:
    """Ray, audit id and what is left of the budget (facts 7.3, 7.5)."""
    headers = api.call("GET", APPS).headers
    assert headers["content-type"] == "application/json; charset=UTF-8"
    assert headers["ratelimit"].startswith('"default";r=')
    assert headers["ratelimit-policy"] == '"default";q=1000000;w=300'
    assert headers["cf-ray"]
    assert headers["cf-auditlog-id"]


def test_who_may_not(api: Api) -> None:
    """No header, no token, a wrong one, a wrong scope: the gateway's codes (facts 7.4)."""
    base = api.emulator.ready.api_base_url
    verify = f"{base}/user/tokens/verify"
    cases: list[tuple[str, dict[str, str], tuple[int, int]]] = [
        (verify, {}, (400, 9106)),
        (verify, {"authorization": "nonsense"}, (400, 6003)),
        (verify, {"authorization": "Bearer short"}, (400, 6003)),
        (verify, {"authorization": "Bearer " + "x" * 40}, (401, 1000)),
        (f"{base}{api.scope}{APPS}", {"authorization": "Bearer " + "x" * 40}, (403, 9109)),
    ]
    for url, headers, (status, code) in cases:
        response = httpx.get(url, headers=headers)
        assert (response.status_code, response.json()["errors"][0]["code"]) == (status, code)
    assert api.error("GET", "//accounts/" + "0" * 32 + APPS) == (403, 9109)
    assert api.error("GET", "//nowhere") == (404, 7003)
    assert api.error("GET", "//accounts/not-hex" + APPS) == (404, 7003)
    assert api.error("PATCH", APPS)[0] == 405


def test_a_read_only_token_is_told_what_it_lacks(api: Api, pki: Pki) -> None:
    """It reads everything; every write is 403 and names the permission group (facts 7.1)."""
    from cf_mtls.emulator.routes import ROUTES

    reader = api.other(api.emulator.ready.read_token)
    assert reader.result("GET", CERTS) == []
    zone = api.result("GET", "//zones")[0]["id"]
    writes = [r for r in ROUTES if r.method != "GET"]
    assert len(writes) > 15
    for route in writes:
        path = route.path.replace("{scope}", api.scope[1:]).replace("{account}", api.scope[1:])
        path = (
            path.replace("{zone}", f"zones/{zone}")
            .replace("{app}", "x")
            .replace("{id}", "x")
            .replace("{name}", "x")
        )
        response = reader.call(route.method, "/" + path, {})
        assert response.status_code == 403
        assert route.permission in response.json()["errors"][0]["message"]


def test_tokens_to_order(api: Api) -> None:
    """A token of chosen permissions, scope, owner and status, minted by management."""
    zone = api.result("GET", "//zones")[0]["id"]
    order = {
        "permissions": ["Access: Apps and Policies Read"],
        "scopes": [f"zones/{zone}"],
        "owner": "account",
    }
    token = api.manage("POST", "token", order)["token"]
    assert api.other(token).error("GET", APPS) == (403, 9109)
    assert api.other(token, f"/zones/{zone}").result("GET", APPS) == []
    assert api.other(token, f"/zones/{zone}").error("GET", CERTS) == (403, 10000)
    assert api.other(token).error("GET", "//user/tokens/verify") == (401, 1000)
    assert api.other(token).result("GET", "/tokens/verify")["status"] == "active"
    off = api.manage("POST", "token", {"status": "disabled"})["token"]
    assert api.other(off).error("GET", "/tokens/verify") == (401, 1000)


def test_the_request_log(api: Api) -> None:
    """Every API request in order with method, path and status; management is not in it."""
    api.manage("GET", "clock")
    api.result("GET", f"{APPS}?page=1")
    api.error("POST", APPS, {"a": 1})
    log = api.manage("GET", "requests")
    assert [(r["method"], r["path"], r["status"]) for r in log] == [
        ("GET", f"/client/v4{api.scope}{APPS}", 200),
        ("POST", f"/client/v4{api.scope}{APPS}", 400),
    ]
    assert log[0]["query"] == {"page": "1"}
    assert log[1]["body"] == {"a": 1}
    assert api.emulator.ready.token not in str(log)


def test_management_is_for_loopback_names(api: Api) -> None:
    """A page of another site that resolves to this machine is refused."""
    where = f"{api.emulator.ready.management}/state"
    assert httpx.get(where, headers={"host": "evil.example"}).status_code == 403
    assert httpx.get(where, headers={"host": "localhost"}).status_code == 200
    assert httpx.get(f"{api.emulator.ready.management}/nothing").status_code == 404
    assert httpx.post(f"{api.emulator.ready.management}/clock", content=b"{").status_code == 400
