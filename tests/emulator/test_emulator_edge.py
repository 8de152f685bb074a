"""The edge half over real TLS: curl, httpx and Chromium against the matrix of client certificates."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from emulator_kit import CURL, HOST, PATH, Api, Pki, browsing, curl, emulating, save, service_auth

from cf_mtls.emulator.http import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

URL = f"https://{HOST}{PATH}"
OPEN = f"https://www.{HOST}/"
needs_curl = pytest.mark.skipif(not CURL, reason="curl is not installed")


@pytest.fixture(scope="module")
def closed(pki: Pki) -> Iterator[Api]:
    """One emulator whose georgetown path wants any valid certificate."""
    with emulating() as api:
        api.certificate(pki)
        api.app()
        yield api


@needs_curl
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_curl_over_the_matrix(closed: Api, pki: Pki, tmp_path: Path, version: str, tls: str) -> None:
    """Every kind of client certificate gets an HTTP status, never a broken handshake (facts: edge 0, 6)."""
    options = (version, f"--tlsv{tls}", "--tls-max", tls)
    got = {}
    for kind, (pair, _) in pki.matrix().items():
        client = save(pair, tmp_path) if pair else None
        done = curl(closed.emulator.ready, URL, *options, client=client)
        assert (done.code, done.version) == (0, "2" if version == "--http2" else "1.1")
        got[kind] = done.status
    assert got == {kind: status for kind, (_, status) in pki.matrix().items()}


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_httpx_over_the_matrix(closed: Api, pki: Pki, tmp_path: Path, http2: bool, tls: str) -> None:
    """The same answers to the other witness."""
    got = {}
    for kind, (pair, _) in pki.matrix().items():
        client = save(pair, tmp_path) if pair else None
        with browsing(closed.emulator.ready, client, http2=http2, most=tls) as (browser, _backend):
            response = browser.get(URL)
        assert response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        got[kind] = response.status_code
    assert got == {kind: status for kind, (_, status) in pki.matrix().items()}


def test_what_a_denial_and_a_pass_carry(closed: Api, pki: Pki, tmp_path: Path) -> None:
    """Denials name the application in headers; a pass reaches the origin with a JWT (facts: api 6.2, 6.3)."""
    app = closed.result("GET", "/access/apps")[0]
    with browsing(closed.emulator.ready) as (browser, _):
        denied = browser.get(URL)
    assert (denied.status_code, denied.headers["server"]) == (403, "cloudflare")
    assert (denied.headers["cf-access-aud"], denied.headers["cf-access-domain"]) == (app["aud"], HOST + PATH)
    assert denied.headers["cf-ray"]
    with browsing(closed.emulator.ready, save(pki.good, tmp_path)) as (browser, _):
        passed = browser.get(URL + "?x=1")
    assert "cf-access-aud" not in passed.headers
    assert passed.headers["set-cookie"].startswith("CF_Authorization=")
    seen = dict(passed.json()["headers"])
    assert passed.json()["target"] == PATH + "?x=1"
    assert seen["cf-access-jwt-assertion"] in passed.headers["set-cookie"]


def test_a_host_that_trusts_nobody_is_not_asked(closed: Api, pki: Pki, tmp_path: Path) -> None:
    """Another host of the zone is open and sees no certificate; an unknown one is a 530 (facts: edge 6.3)."""
    with browsing(closed.emulator.ready, save(pki.good, tmp_path)) as (browser, _):
        assert browser.get(OPEN).status_code == 200
        assert browser.get("https://unknown.example/").status_code == 530


def test_the_certificate_request_is_per_hostname(closed: Api, pki: Pki) -> None:
    """Asked with the CA names at the protected host, not asked elsewhere; an empty list by switch."""
    from emulator_tls import handshake

    ready = closed.emulator.ready
    asked = handshake(ready.edge, HOST)
    assert asked.asked
    assert sorted(asked.names) == ["Intermediate", "Root"]
    assert not handshake(ready.edge, f"www.{HOST}").asked
    assert not handshake(ready.edge, None).asked
    closed.manage("POST", "switches", {"list-ca-names": "off"})
    silent = handshake(ready.edge, HOST)
    closed.manage("POST", "switches", {"list-ca-names": "on"})
    assert (silent.asked, silent.names) == (True, [])


def test_a_mistake_while_choosing_refuses_the_client(pki: Pki) -> None:
    """Fail closed: when the demand cannot be told, there is no connection at all (facts: edge 1b)."""
    from emulator_tls import handshake

    def broken(name: str) -> object:
        raise RuntimeError(name)

    with emulating() as api:
        api.certificate(pki)
        ready = api.emulator.ready
        assert handshake(ready.edge, HOST).done
        api.emulator.do(lambda e: setattr(e.host.contexts, "_demand_for", broken))
        refused = handshake(ready.edge, HOST)
        assert (refused.done, refused.asked) == (False, False)
        assert api.manage("GET", "edge")["refusals"] == [f"RuntimeError: {HOST}"]


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_no_session_is_resumed(closed: Api, pki: Pki, tmp_path: Path, tls: str) -> None:
    """A session of one hostname cannot be taken to another, or even to the same (facts: edge 5)."""
    from emulator_tls import resumed

    assert not resumed(closed.emulator.ready, f"www.{HOST}", HOST, tls)
    assert not resumed(closed.emulator.ready, HOST, HOST, tls)


def test_intermediates(pki: Pki, tmp_path: Path) -> None:
    """Only the root uploaded: the client must send the intermediate, unless the switch makes that useless."""
    with emulating() as api:
        api.certificate(pki, pem=pki.root.pem)
        api.app()
        alone, with_chain = save(pki.good, tmp_path), save(pki.someone, tmp_path, pki.intermediate)
        with browsing(api.emulator.ready, alone) as (browser, _):
            assert browser.get(URL).status_code == 403
        with browsing(api.emulator.ready, with_chain) as (browser, _):
            assert browser.get(URL).status_code == 200
        api.manage("POST", "switches", {"use-sent-intermediates": "off"})
        with browsing(api.emulator.ready, with_chain) as (browser, _):
            assert browser.get(URL).status_code == 403


def test_any_associated_ca_will_do(pki: Pki, tmp_path: Path) -> None:
    """Two CAs on one host, as in a rotation: clients of either pass until one is cut off (facts: api 4.5)."""
    with emulating() as api:
        old = api.certificate(pki)
        api.certificate(pki, pem=pki.rogue.pem + pki.rogue_root.pem)
        api.app()
        clients = [save(pki.good, tmp_path), save(pki.other_ca, tmp_path)]

        def statuses() -> list[int]:
            found = []
            for client in clients:
                with browsing(api.emulator.ready, client) as (browser, _):
                    found.append(browser.get(URL).status_code)
            return found

        assert statuses() == [200, 200]
        api.result("PUT", f"/access/certificates/{old['id']}", {"associated_hostnames": []})
        assert statuses() == [403, 200]


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_misdirected_requests(closed: Api, pki: Pki, tmp_path: Path, http2: bool) -> None:
    """421 when the authority is not the SNI and either demands a certificate, in both directions."""
    edge = {"sni_hostname": f"www.{HOST}"}
    with browsing(closed.emulator.ready, http2=http2) as (browser, _):
        wrong = browser.get(URL, extensions=edge)
        assert wrong.status_code == 421
        fine = browser.get(f"https://other.{HOST}/", extensions=edge)
        assert fine.status_code == 200
    with browsing(closed.emulator.ready, save(pki.good, tmp_path), http2=http2) as (browser, _):
        assert browser.get(f"https://www.{HOST}/", extensions={"sni_hostname": HOST}).status_code == 421
    with browsing(closed.emulator.ready, http2=http2) as (browser, _):
        no_demand = browser.get(f"https://{HOST}:443/", headers={"host": f"{HOST}:8443"})
        assert no_demand.status_code == 200  # a port in the authority is no other host


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_an_open_connection_learns_of_a_change(pki: Pki, tmp_path: Path, http2: bool) -> None:
    """It is closed (h1) or told to go away (h2), asked on the next one, and served (facts: edge 5)."""
    with emulating() as api:
        ready = api.emulator.ready
        with browsing(ready, save(pki.good, tmp_path), http2=http2) as (browser, backend):
            assert browser.get(URL).status_code == 200
            assert browser.get(OPEN).status_code == 200
            before = backend.connections
            api.certificate(pki)
            api.app()
            _until(lambda: api.manage("GET", "edge")["connections"] == 1)
            assert browser.get(URL).status_code == 200
            assert browser.get(OPEN).status_code == 200  # the other host's connection was left alone
            assert backend.connections == before + 1


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_without_closing_it_stays_shut(pki: Pki, tmp_path: Path, http2: bool) -> None:
    """The same with close-on-change off: never asked, so refused: what the closing is for."""
    client = save(pki.good, tmp_path)
    with (
        emulating(switches={"close-on-change": False}) as api,
        browsing(api.emulator.ready, client, http2=http2) as (browser, _),
    ):
        assert browser.get(URL).status_code == 200
        api.certificate(pki)
        api.app()
        time.sleep(0.1)
        assert browser.get(URL).status_code == 403


def _until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_edge_hears_of_an_association_late(pki: Pki, tmp_path: Path) -> None:
    """Until the delay is over the hostname does not ask; then it does, by the clock (facts: api 11.5)."""
    from emulator_tls import handshake

    with emulating(switches={"association-delay": 60.0}) as api:
        api.certificate(pki)
        assert not handshake(api.emulator.ready.edge, HOST).asked
        api.manage("POST", "clock", {"advance": 59})
        assert not handshake(api.emulator.ready.edge, HOST).asked
        api.manage("POST", "clock", {"advance": 2})
        assert handshake(api.emulator.ready.edge, HOST).asked


def test_the_edge_does_not_see_ahead(pki: Pki) -> None:
    """A write on its way stays unseen, even when another one arrives meanwhile."""
    with emulating() as api:
        made = api.certificate(pki)
        api.manage("POST", "switches", {"association-delay": 60.0})
        api.result("PUT", f"/access/certificates/{made['id']}", {"associated_hostnames": []})
        api.result("POST", "/access/tags", {"name": "arrives at once"})
        assert list(api.manage("GET", "edge")["trust"]) == [HOST]
        api.manage("POST", "clock", {"advance": 61})
        assert api.manage("GET", "edge")["trust"] == {}


def test_an_invalid_certificate_says_nothing(pki: Pki, tmp_path: Path) -> None:
    """Its common name does not count and it is not forwarded, but by switch (facts: api 4.5, 6.4)."""
    entry = {"hostname": HOST, "client_certificate_forwarding": True, "china_network": False}
    with emulating() as api:
        api.certificate(pki)
        api.app(f"{HOST}/name", service_auth({"common_name": {"common_name": "fleet"}}))
        api.result("PUT", "/access/certificates/settings", {"settings": [entry]})
        forged = save(pki.other_ca, tmp_path)

        def seen() -> tuple[int, bool]:
            with browsing(api.emulator.ready, forged) as (browser, _):
                told = dict(browser.get(f"https://{HOST}/open").json()["headers"])
                return browser.get(f"https://{HOST}/name").status_code, "cf-client-cert-sha256" in told

        assert seen() == (403, False)
        api.manage("POST", "switches", {"common-name-needs-valid": "off", "forward-unverified": "on"})
        assert seen() == (200, True)


def test_going_away_is_said(pki: Pki) -> None:
    """An idle HTTP/2 connection gets a GOAWAY frame when what its hostname demands changes."""
    from emulator_tls import told_to_go

    with emulating() as api:
        assert told_to_go(api.emulator.ready, HOST, lambda: api.certificate(pki))
        assert not told_to_go(api.emulator.ready, f"www.{HOST}", api.app)


def test_a_later_write_is_not_overtaken(pki: Pki) -> None:
    """When delays shrink between two writes, the edge still ends with the last one."""
    with emulating(switches={"association-delay": 60.0}) as api:
        made = api.certificate(pki)
        api.manage("POST", "switches", {"association-delay": 0.0})
        api.result("PUT", f"/access/certificates/{made['id']}", {"associated_hostnames": []})
        api.manage("POST", "clock", {"advance": 61})
        assert api.manage("GET", "edge")["trust"] == {}


def test_a_certificate_expires_by_the_emulators_clock(closed: Api, pki: Pki, tmp_path: Path) -> None:
    """A verdict is not kept beyond its time."""
    with emulating() as api:
        api.certificate(pki)
        api.app()
        with browsing(api.emulator.ready, save(pki.good, tmp_path)) as (browser, _):
            assert browser.get(URL).status_code == 200
            api.manage("POST", "clock", {"advance": 31 * 86400})
            assert browser.get(URL).status_code == 403


@pytest.mark.parametrize("http2", [False, True], ids=["h1", "h2"])
def test_large_bodies_both_ways(closed: Api, pki: Pki, tmp_path: Path, http2: bool) -> None:
    """Five megabytes up and down, through HTTP/2's flow control."""
    body = os.urandom(5 * 1024 * 1024)
    with browsing(closed.emulator.ready, save(pki.good, tmp_path), http2=http2) as (browser, _):
        assert browser.post(URL + "?emulator-echo", content=body).content == body
        told = browser.post(URL, content=body).json()
        assert told["body_bytes"] == len(body)


@pytest.mark.parametrize("window", [1_000, 20_000, 65_535])
def test_flow_control(closed: Api, window: int) -> None:
    """A client with a small window gets everything, and never more at once than it allows."""
    from emulator_tls import narrow

    got, ahead = narrow(closed.emulator.ready, f"www.{HOST}", "/?emulator-bytes=300000", window)
    assert got == 300_000
    assert 0 < ahead <= window


def test_a_body_too_large_is_refused() -> None:
    """413 in HTTP/1.1, a reset stream in HTTP/2, and the next request is served."""
    with emulating(limits=Limits(body_bytes=1000)) as api:
        with browsing(api.emulator.ready) as (browser, _):
            assert browser.post(OPEN, content=b"x" * 1000).status_code == 200
            assert browser.post(OPEN, content=b"x" * 1001).status_code == 413
        with browsing(api.emulator.ready, http2=True) as (browser, _):
            with pytest.raises(httpx.RemoteProtocolError):
                browser.post(OPEN, content=b"x" * 1001)
            assert browser.post(OPEN, content=b"x" * 1000).status_code == 200


@needs_curl
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_expect_100_continue(closed: Api, tmp_path: Path, version: str) -> None:
    """Real curl does not wait its second for a 100 that does not come (facts: edge 1b)."""
    file = tmp_path / "body"
    file.write_bytes(b"x" * 2_000_000)
    options = (
        version,
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        f"@{file}",
        "--expect100-timeout",
        "15",
    )
    since = time.monotonic()
    done = curl(closed.emulator.ready, OPEN, *options)
    assert (done.code, done.status) == (0, 200)
    assert time.monotonic() - since < 5


def _told(api: Api, client: tuple[Path, Path] | None, times: int = 1, **headers: str) -> list[dict[str, str]]:
    with browsing(api.emulator.ready, client) as (browser, _):
        answers = [browser.get(URL, headers=headers).json() for _ in range(times)]
    return [dict(a["headers"]) for a in answers]


def test_the_certificate_is_forwarded_when_asked(pki: Pki, tmp_path: Path) -> None:
    """The headers of facts api 6.4, only with the setting, and never a client's own."""
    import base64
    import hashlib

    entry = {"hostname": HOST, "client_certificate_forwarding": True, "china_network": False}
    with emulating() as api:
        api.certificate(pki)
        api.app()
        client = save(pki.good, tmp_path)
        spoof = {"cf-client-cert-sha256": "spoof", "cf-access-jwt-assertion": "spoof"}
        (seen,) = _told(api, client, **spoof)
        assert "cf-client-cert-sha256" not in seen
        assert seen["cf-access-jwt-assertion"] != "spoof"
        api.result("PUT", "/access/certificates/settings", {"settings": [entry]})
        first, second = _told(api, client, 2)
        assert base64.b64decode(first["cf-client-cert-der-base64"]) == pki.good.der
        assert first["cf-client-cert-sha256"] == hashlib.sha256(pki.good.der).hexdigest()
        assert "cf-client-cert-sha256" in second
        api.manage("POST", "switches", {"forward-certificate": "first"})
        first, second = _told(api, client, 2)
        assert ("cf-client-cert-sha256" in first, "cf-client-cert-sha256" in second) == (True, False)


def test_a_cookie_does_not_stand_in_for_a_certificate(closed: Api, pki: Pki, tmp_path: Path) -> None:
    """The session of an allowed client, replayed without its certificate, is refused (facts: api 4.5)."""
    with browsing(closed.emulator.ready, save(pki.good, tmp_path)) as (browser, _):
        cookie = browser.get(URL).headers["set-cookie"].partition(";")[0]
    with browsing(closed.emulator.ready) as (browser, _):
        assert browser.get(URL, headers={"cookie": cookie}).status_code == 403


def test_the_cookie_verifies_at_the_keys_address(closed: Api, pki: Pki, tmp_path: Path) -> None:
    """RS256 with the key of /cdn-cgi/access/certs, for this application, with the common name (api 6.3)."""
    from emulator_tls import verified_claims

    team = "https://rehearsal.cloudflareaccess.com"
    with browsing(closed.emulator.ready, save(pki.good, tmp_path)) as (browser, _):
        token = browser.get(URL).headers["set-cookie"].partition(";")[0].partition("=")[2]
        keys = browser.get(f"{team}/cdn-cgi/access/certs").json()
    claims = verified_claims(token, keys)
    assert claims is not None
    assert claims["aud"] == [closed.result("GET", "/access/apps")[0]["aud"]]
    assert (claims["iss"], claims["common_name"], claims["type"]) == (team, "fleet", "app")
    broken = token[:-5] + ("AAAAA" if not token.endswith("AAAAA") else "BBBBB")
    assert verified_claims(broken, keys) is None


def test_the_metadata_probe(closed: Api) -> None:
    """HEAD with the request header tells that an application matches (facts: api 6.2)."""
    probe = {"cf-access-metadata-request": "true"}
    with browsing(closed.emulator.ready) as (browser, _):
        assert browser.head(URL, headers=probe).headers["cf-access-metadata"].count(".") == 2
        assert "cf-access-metadata" not in browser.head(f"https://{HOST}/elsewhere", headers=probe).headers


def test_a_login_is_a_redirect_to_the_team(pki: Pki, tmp_path: Path) -> None:
    """302 with kid and www-authenticate; a session passes; require certificate still holds (api 6.2)."""
    allow = {"name": "staff", "decision": "allow", "include": [{"email_domain": {"domain": "example.org"}}],
             "require": [{"certificate": {}}]}  # fmt: skip
    with emulating() as api:
        api.certificate(pki)
        app = api.app(HOST + PATH, allow)
        order = {"email": "ana@example.org", "app": app["id"]}
        session = {"cookie": api.manage("POST", "session", order)["cookie"]}
        other = api.app(f"b.{HOST}", allow)
        elsewhere = {"cookie": api.manage("POST", "session", order | {"app": other["id"]})["cookie"]}
        stranger = {"cookie": api.manage("POST", "session", order | {"email": "x@other.example"})["cookie"]}
        with browsing(api.emulator.ready) as (browser, _):
            login = browser.get(URL)
            assert login.status_code == 302
            assert login.headers["location"].startswith(
                f"https://rehearsal.cloudflareaccess.com/cdn-cgi/access/login/{HOST}?kid={app['aud']}&meta="
            )
            assert login.headers["www-authenticate"].startswith("Cloudflare-Access resource_metadata=")
            assert browser.get(URL, headers=session).status_code == 403
        with browsing(api.emulator.ready, save(pki.good, tmp_path)) as (browser, _):
            assert browser.get(URL, headers=session).status_code == 200
            assert browser.get(URL, headers=stranger).status_code == 403
            assert browser.get(URL, headers=elsewhere).status_code == 302  # a session of another application
            api.manage("POST", "clock", {"advance": 90000})
            assert browser.get(URL, headers=session).status_code == 302  # an old one


def test_the_other_refusals(pki: Pki) -> None:
    """401 by setting, a redirect to the custom page of a non-identity failure (facts: api 3.3, 6.2)."""
    with emulating() as api:
        api.certificate(pki)
        api.app(f"{HOST}/a", service_auth_401_redirect=True)
        api.app(f"{HOST}/b", custom_non_identity_deny_url="https://example.org/no")
        with browsing(api.emulator.ready) as (browser, _):
            assert browser.get(f"https://{HOST}/a").status_code == 401
            assert browser.get(f"https://{HOST}/b").headers["location"] == "https://example.org/no"


def test_an_unproxied_host_bypasses_access(pki: Pki) -> None:
    """Grey cloud: the origin answers, Access is not in the path, no edge header is added (facts: api 6.2)."""
    from emulator_tls import handshake

    records = [{"name": HOST, "proxied": True}, {"name": f"grey.{HOST}", "proxied": False}]
    with emulating() as api:
        api.manage("POST", "state", {"zones": [HOST], "dns_records": records})
        api.certificate(pki, hosts=(HOST, f"grey.{HOST}"))
        api.app(f"grey.{HOST}")
        with browsing(api.emulator.ready) as (browser, _):
            grey = browser.get(f"https://grey.{HOST}/")
            assert (grey.status_code, "cf-ray" in grey.headers) == (200, False)
            assert not handshake(api.emulator.ready.edge, f"grey.{HOST}").asked
            assert browser.get(f"https://none.{HOST}/").status_code == 530


def test_service_tokens(pki: Pki) -> None:
    """The right id and secret pass a Service Auth policy; a wrong secret does not."""
    token = {"name": "robot", "client_id": "robot.access", "client_secret": "s3cret"}
    with emulating() as api:
        api.manage("POST", "state", {"service_tokens": [token]})
        api.app(f"{HOST}/a", service_auth({"any_valid_service_token": {}}))
        right = {"cf-access-client-id": "robot.access", "cf-access-client-secret": "s3cret"}
        with browsing(api.emulator.ready) as (browser, _):
            assert browser.get(f"https://{HOST}/a", headers=right).status_code == 200
            wrong = right | {"cf-access-client-secret": "other"}
            assert browser.get(f"https://{HOST}/a", headers=wrong).status_code == 403
        assert "s3cret" not in json.dumps(api.manage("GET", "state"))


def test_a_real_upstream(pki: Pki) -> None:
    """--origin passes requests on and nothing but loopback is allowed."""
    from cf_mtls.emulator.server import Options, Unusable, running

    with emulating() as behind:
        url = behind.emulator.ready.api_base_url.removesuffix("/client/v4")
        with emulating(origin=url) as api, browsing(api.emulator.ready) as (browser, _):
            response = browser.get(f"https://{HOST}/_emulator/clock")
            assert response.status_code == 403  # the upstream's own answer to a host that is not loopback
            assert response.json() == {"error": "ask for it by a loopback address"}
            assert response.headers["server"] == "cloudflare"
    for bad in ("http://192.0.2.1:80", "https://127.0.0.1", "http://example.org", "file:///etc/passwd"):
        with pytest.raises(Unusable), running(Options(origin=bad)):
            pass


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CERTUTIL, PK12UTIL = shutil.which("certutil"), shutil.which("pk12util")


@pytest.mark.skipif(
    not (CHROMIUM and CERTUTIL and PK12UTIL), reason="Chromium or NSS tools are not installed"
)
def test_chromium_is_refused_without_and_served_with_a_certificate(pki: Pki, tmp_path: Path) -> None:
    """A real browser's own TLS: 403 page with an empty store, 200 once the client certificate is in it."""
    from emulator_tls import Browser

    with emulating() as api:
        api.certificate(pki)
        api.app()
        browser = Browser(CHROMIUM or "", tmp_path, api.emulator.ready)
        browser.trust(CERTUTIL or "")
        assert "<title>Forbidden</title>" in browser.open(URL)
        browser.hold(PK12UTIL or "", pki.good, "Intermediate", HOST)
        page = browser.open(URL)
        assert "body_sha256" in page
