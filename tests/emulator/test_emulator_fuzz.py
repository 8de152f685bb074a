"""Whatever is thrown at it, it answers or closes, says no bug, and serves the next one.

CF_MTLS_BUDGET multiplies the counts, which are printed.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from emulator_kit import BUDGET, HOST, Api, Pki, browsing, emulating, service_auth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cf_mtls.emulator.http import Limits
from cf_mtls.emulator.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

THROWS = 1000 * BUDGET


@pytest.fixture(scope="module")
def target(pki: Pki) -> Iterator[Api]:
    """One emulator for all that is thrown; at its end it must have no bug and still serve."""
    with emulating(limits=Limits(patience_s=5.0)) as api:
        api.certificate(pki)
        api.app()
        yield api
        assert api.result("GET", "/access/certificates")
        with browsing(api.emulator.ready, http2=True) as (browser, _):
            assert browser.get(f"https://www.{HOST}/").status_code == 200


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def _throw(port: int, data: bytes, secure: ssl.SSLContext | None = None) -> None:
    """Send, say that no more comes, and read until the other side closes or a second has passed."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            line: socket.socket = secure.wrap_socket(plain, server_hostname=HOST) if secure else plain
            with line:
                line.sendall(data)
                if not secure:
                    line.shutdown(socket.SHUT_WR)
                while line.recv(65536):
                    pass
        except OSError:
            pass  # a reset is an answer too


def _mangled(chance: random.Random, seed: bytes) -> bytes:
    """Noise, or something real with a few bytes changed, cut or repeated."""
    if chance.random() < 0.4:
        return chance.randbytes(chance.randrange(1, 400))
    data = bytearray(seed)
    for _ in range(chance.randrange(1, 8)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data[: chance.randrange(1, len(data))] * chance.choice((1, 1, 2)))


def _hello() -> bytes:
    """A real ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=HOST)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


REQUEST = (
    b"PUT /client/v4/accounts/x/access/certificates HTTP/1.1\r\nhost: localhost\r\n"
    b"transfer-encoding: chunked\r\n"
    b"authorization: Bearer " + b"x" * 40 + b"\r\nexpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
)
FRAMES = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    b"\x00\x00\x05\x01\x05\x00\x00\x00\x01\x82\x87\x84\x41\x00\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01"
)


@pytest.mark.parametrize("half", ["api", "edge"])
def test_random_bytes(target: Api, half: str, counted: Callable[[str], None]) -> None:
    """A thousand byte strings at each port, noise and mangled requests and ClientHellos."""
    ready = target.emulator.ready
    port = _port(ready.api_base_url if half == "api" else ready.edge)
    seed = REQUEST if half == "api" else _hello()
    chance = random.Random(f"bytes/{half}")
    for _ in range(THROWS):
        _throw(port, _mangled(chance, seed))
    assert target.emulator.do(lambda e: list(e.bugs)) == []
    counted(f"{THROWS} byte strings at the {half} port")


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_random_bytes_inside_tls(target: Api, alpn: str) -> None:
    """The same after a handshake, as HTTP/2 frames and as HTTP/1.1."""
    ready = target.emulator.ready
    context = ssl.create_default_context(cafile=ready.edge_ca)
    context.set_alpn_protocols([alpn])
    chance = random.Random(f"tls/{alpn}")
    for _ in range(100 * BUDGET):
        data = _mangled(chance, FRAMES if alpn == "h2" else REQUEST)
        if alpn == "h2" and chance.random() < 0.7:
            data = FRAMES + data
        _throw_secure(ready, context, data)
    assert target.emulator.do(lambda e: list(e.bugs)) == []


def _throw_secure(ready: Any, context: ssl.SSLContext, data: bytes) -> None:
    with (
        socket.create_connection(("127.0.0.1", _port(ready.edge)), timeout=0.05) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as line,
    ):
        try:
            line.sendall(data)
            line.recv(65536)
        except OSError:
            pass


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from([
    "name", "certificate", "associated_hostnames", "settings", "domain", "type", "policies", "decision",
    "include", "require", "exclude", "destinations", "tags", "precedence", "id", "session_duration",
    "self_hosted_domains", "allowed_idps", "hostname",
])  # fmt: skip
GOOD = st.sampled_from([
    "self_hosted", HOST, f"*.{HOST}", "non_identity", [{"certificate": {}}], [{"group": {"id": "x"}}],
    [{"hostname": HOST}], [{"uri": HOST, "overrides": [{}]}], [service_auth({"certificate": {}})], [HOST],
    "24h", 1, [{"ip": {"ip": "::1"}}], [{"ip": {"ip": "1.2.3.4/99"}}],
    [{"id": "x", "precedence": 2}], "\ud800", "a\x00b",
])  # fmt: skip
BODIES = st.dictionaries(MEMBERS, GOOD | VALUES, max_size=6) | VALUES
WORDS = st.sampled_from(
    ["x", "00000000-0000-4000-8000-000000000000", "%00", "%2e%2e", "settings", "é", "a" * 300]
)
QUERIES = st.dictionaries(
    st.sampled_from(["page", "per_page", "name", "domain", "exact", "search", "aud", "proxied"]),
    st.text(max_size=9),
)


@settings(
    max_examples=150 * BUDGET, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(route=st.sampled_from(ROUTES), word=WORDS, body=BODIES, query=QUERIES)
def test_any_json_gets_an_envelope(target: Api, route: Any, word: str, body: Any, query: Any) -> None:
    """Every route, any body, any query: a JSON envelope that says success or not, and no bug."""
    scope = target.scope[1:]
    zone = target.emulator.do(lambda e: next(iter(e.world.store["zones"])))
    path = route.path.replace("{scope}", scope).replace("{account}", scope).replace("{zone}", f"zones/{zone}")
    for name in ("{app}", "{id}", "{name}"):
        path = path.replace(name, word)
    response = target.client.request(
        route.method, path, content=json.dumps(body).encode(), params=query,
        headers={"content-type": "application/json"},
    )  # fmt: skip
    envelope = response.json()
    assert envelope["success"] is (response.status_code < 300)
    assert (envelope["errors"] == []) is envelope["success"]
    assert response.status_code < 500 or envelope["errors"][0]["code"] == 10001
    assert target.emulator.do(lambda e: list(e.bugs)) == []


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[" * 200_000, b'{"a":' * 100_000, b"NaN", b'{"name": Infinity}', b"\xff\xfe", b"9" * 10_000,
        b'"\\ud800"', b'{"name": "\\ud800"}', b"\x00" * 100, b"null", b"",
    ],
)  # fmt: skip
def test_bodies_that_are_not_what_they_should_be(target: Api, body: bytes) -> None:
    """Malformed, deep, not finite, not UTF-8: 400 with an envelope."""
    response = target.client.post(f"{target.scope}/access/certificates", content=body)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 12130)


def test_huge_bodies_and_headers(target: Api) -> None:
    """One byte over the limit is 413, huge headers 431, and a lie about the length ends by patience."""
    limit = Limits().body_bytes
    url = f"{target.emulator.ready.api_base_url}{target.scope}/access/apps"
    with suppress(httpx.WriteError):  # when it answered and closed before everything was sent
        assert httpx.post(url, content=b"x" * (limit + 1), timeout=20).status_code == 413
    assert httpx.get(url, headers={"x-much": "y" * 300_000}).status_code == 431
    assert target.result("GET", "/access/certificates")


def test_a_slow_loris_starves_nobody(pki: Pki) -> None:
    """Clients that never finish are dropped when patience ends; others are served meanwhile."""
    with emulating(limits=Limits(patience_s=1.0)) as api:
        ready = api.emulator.ready
        ports = [_port(ready.api_base_url), _port(ready.edge)]
        lines = [socket.create_connection(("127.0.0.1", p), timeout=10) for p in ports * 40]
        try:
            for line in lines:
                line.sendall(b"\x16\x03\x01" if line.getpeername()[1] == ports[1] else b"GET / HT")
            since = time.monotonic()
            assert api.result("GET", "/access/certificates") == []
            with browsing(ready) as (browser, _):
                assert browser.get(f"https://{HOST}/").status_code == 200
            for n in range(3):  # a byte now and then does not buy more time
                time.sleep(0.2)
                for line in lines[: 40 * (n % 2)]:
                    line.sendall(b"x")
            for line in lines:
                while line.recv(1000):
                    pass
            assert time.monotonic() - since < 8
        finally:
            for line in lines:
                line.close()


def test_too_many_connections_end_the_newest(pki: Pki) -> None:
    """Beyond the limit a client is closed at once, and those within it are served."""
    with emulating(limits=Limits(connections=5)) as api:
        port = _port(api.emulator.ready.api_base_url)
        api.result("GET", "/access/apps")
        lines = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(20)]
        try:
            time.sleep(0.2)
            assert api.result("GET", "/access/apps") == []
            assert api.emulator.do(lambda e: len(e._connections)) <= 5
        finally:
            for line in lines:
                line.close()
