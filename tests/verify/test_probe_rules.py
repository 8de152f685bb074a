"""What a witness brings along and what it leaves behind: proxies, cookies, redirects, sessions, wrong certificates."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpcore
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from cf_mtls.model.evidence import Evidence, Got, Probe
from cf_mtls.model.people import Client, Expected, Target
from cf_mtls.model.state import State
from cf_mtls.pki.pem import read_certificates
from cf_mtls.verify import answer, proofs
from cf_mtls.verify.connect import parse
from cf_mtls.verify.curl_probe import EXITS, CurlWitness
from cf_mtls.verify.expect import wrong_name
from cf_mtls.verify.httpx_probe import HttpxWitness, Stream
from cf_mtls.verify.witness import Witness
from cf_mtls.verify.wrong import wrong_certificates
from tests.conftest import Pki
from tests.planning.things import app, app_at, ca, ca_at
from tests.verify.bad_edges import EDGE, HOST, Edge, Served, says, serving

TARGET = Target(f"https://{HOST}/x", "x")
BARE = Probe(TARGET, None, Expected.REFUSED, 1)
JEAN = Client("jean", "jean.pem", "jean.key")
SHOWN = Probe(TARGET, JEAN, Expected.ALLOWED, 2, "jean", shows="jean")
REPLAY = replace(SHOWN, proof=7, is_replay=True, expected=Expected.REFUSED)


def witness(name: str, served: Served) -> Witness:
    where = f"::{served.address}"
    if name == "httpx":
        return HttpxWitness((parse(where),), served.cacert, timeout_s=2.0)
    binary = shutil.which("curl")
    if not binary:
        pytest.skip("curl is not installed")
    return CurlWitness(binary, (where,), served.cacert, timeout_s=2.0)


WITNESSES = pytest.mark.parametrize("name", ["httpx", "curl"])


@dataclass
class Proxy:
    """A listener that counts who comes; it says nothing."""

    port: int
    visits: list[str] = field(default_factory=list)


@contextmanager
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Proxy(listener.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    line, (host, _) = listener.accept()
                    found.visits.append(host)
                    line.close()

        threading.Thread(target=accept, daemon=True).start()
        yield found


def test_a_proxy_of_the_environment_is_not_used(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would answer in the edge's place: the request goes where the host is, past whatever is set."""
    with proxy() as there, serving(Edge(), pki.clients, tmp_path) as served:
        for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{there.port}")
        seen = witness("httpx", served).ask(BARE, None)
    assert (seen.status, there.visits) == (200, [])


def test_a_netrc_of_the_user_is_not_used(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's password goes to the edge."""
    (tmp_path / ".netrc").write_text(f"machine {HOST} login ana password canary\n", "ascii")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    edge = Recording()
    with serving(Edge(edge), pki.clients, tmp_path) as served:
        assert witness("httpx", served).ask(BARE, None).status == 200
    assert "authorization" not in edge.heads[0].lower()


@dataclass
class Recording:
    """An edge that keeps the heads of its requests and whether a certificate was shown; it sets a cookie."""

    headers: str = f"{EDGE}Set-Cookie: CF_Authorization=canary; Path=/\r\nSet-Cookie: other=1\r\n"
    status: str = "200 OK"
    heads: list[str] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)

    def __call__(self, line: ssl.SSLSocket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += line.recv(65536)
        self.heads.append(data.decode("latin-1"))
        self.shown.append(line.getpeercert(binary_form=True) is not None)
        line.sendall(
            f"HTTP/1.1 {self.status}\r\n{self.headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )


@contextmanager
def optional(edge: Recording, pki: Pki, folder: Path) -> Iterator[Served]:
    """The edge, which asks for a certificate and does not insist."""
    with serving(Edge(edge, asks=True), pki.clients, folder) as served:
        yield served


@WITNESSES
def test_a_replay_shows_the_cookie_and_not_the_certificate(name: str, pki: Pki, tmp_path: Path) -> None:
    """First with the certificate and without a cookie, then the other way about; no report can show the cookie."""
    edge = Recording()
    with optional(edge, pki, tmp_path) as served:
        seen = witness(name, served).ask(REPLAY, pki.jean)
    assert edge.shown == [True, False]
    assert ["cookie: CF_Authorization=canary; other=1" in head.replace("Cookie", "cookie") for head in edge.heads] == [
        False, True
    ]  # fmt: skip
    assert "canary" not in f"{seen!r}{seen.command}"


@WITNESSES
@pytest.mark.parametrize("cookies", ["", "Set-Cookie: other=1\r\n"])
def test_without_a_session_there_is_nothing_to_replay(
    name: str, cookies: str, pki: Pki, tmp_path: Path
) -> None:
    """Another cookie is no session: not tried, which is never a refusal; the second request is not made."""
    edge = Recording(EDGE + cookies)
    with optional(edge, pki, tmp_path) as served:
        seen = witness(name, served).ask(REPLAY, pki.jean)
    assert (seen.failure, len(edge.heads)) == (Got.UNTRIED, 1)


@WITNESSES
def test_each_probe_shows_its_own_certificate(name: str, pki: Pki, tmp_path: Path) -> None:
    """After a client, nobody is nobody again."""
    edge = Recording()
    with optional(edge, pki, tmp_path) as served:
        asks = witness(name, served)
        for probe, identity in ((BARE, None), (SHOWN, pki.jean), (BARE, None), (SHOWN, pki.jean)):
            asks.ask(probe, identity)
    assert edge.shown == [False, True, False, True]


@WITNESSES
def test_a_redirect_is_told_and_not_followed(name: str, pki: Pki, tmp_path: Path) -> None:
    """Where it leads is what is judged."""
    edge = Recording(f"{EDGE}Location: /elsewhere\r\n", "302 Found")
    with optional(edge, pki, tmp_path) as served:
        seen = witness(name, served).ask(BARE, None)
    assert (seen.status, seen.header("location"), len(edge.heads)) == (302, "/elsewhere", 1)


def test_curl_ignores_the_users_own_settings(
    pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .curlrc could send a header, or go elsewhere."""
    (tmp_path / ".curlrc").write_text('header = "x-mine: canary"\n', "ascii")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CURL_HOME", str(tmp_path))
    edge = Recording()
    with optional(edge, pki, tmp_path) as served:
        seen = witness("curl", served).ask(BARE, None)
    assert "canary" not in edge.heads[0]
    assert seen.command.startswith("curl --disable ")  # which curl wants first, and heeds only there


def test_curl_asks_for_a_url_as_it_stands(pki: Pki, tmp_path: Path) -> None:
    """Brackets and braces are no patterns."""
    edge = Recording()
    with optional(edge, pki, tmp_path) as served:
        witness("curl", served).ask(replace(BARE, path="/{a,b}"), None)
    assert len(edge.heads) == 1
    assert edge.heads[0].startswith(("GET /{a,b} ", "GET /%7Ba,b%7D "))


@pytest.mark.parametrize(
    ("code", "got"),
    [(6, Got.UNREACHABLE), (7, Got.UNREACHABLE), (28, Got.TIMEOUT), (35, Got.TLS_REFUSED), (52, Got.CLOSED),
     (56, Got.CLOSED), (58, Got.UNTRIED), (60, Got.UNTRUSTED), (92, Got.CLOSED)],
)  # fmt: skip
def test_curls_exit_codes_say_which_layer_failed(code: int, got: Got) -> None:
    """As its manual does; only a refused handshake and a cut line may count against anybody."""
    assert EXITS[code] is got


KEPT = {
    "cf-ray",
    "cf-access-aud",
    "cf-access-domain",
    "location",
    "server",
    "www-authenticate",
    "content-type",
}


def test_evidence_keeps_what_is_judged_and_no_cookie() -> None:
    """In lower case, cut at a length; cookies apart, where no report looks."""
    headers = [(name.title(), "x" * 9999) for name in KEPT] + [
        ("Set-Cookie", "a=canary; Path=/"),
        ("X-Own", "y"),
    ]
    seen = answer.evidence(200, "HTTP/2", headers, 1)
    assert {name for name, _ in seen.headers} == KEPT
    assert {len(value) for _, value in seen.headers} == {answer.LONGEST}
    assert (seen.cookies, "canary" in repr(seen)) == (("a=canary",), False)


def test_the_last_answer_of_a_dump_counts() -> None:
    """After a proxy's, or 100 Continue."""
    dump = "HTTP/1.1 100 Continue\r\n\r\nHTTP/2 403 \r\ncf-ray: 1\r\n\r\n"
    seen = answer.parse(dump, 1)
    assert (seen.status, seen.header("cf-ray"), seen.http_version) == (403, "1", "HTTP/2")
    assert answer.parse("", 1).status is answer.parse("HTTP/2 abc\r\n\r\n", 1).status is None


NOW = datetime.now(UTC)


def test_a_wrong_certificate_is_wrong_in_one_thing_only(pki: Pki) -> None:
    """The client's subject, the real CA's name, and that CA's key nowhere: as the proof's number says."""
    stands = State({ca_at("1"): ca("1", HOST, pem=pki.clients.chain.pem), app_at(HOST): app(HOST)})
    numbers = (proofs.OTHER_CA, proofs.EXPIRED, proofs.SELF_SIGNED, proofs.WRONG_USAGE)
    probes = [replace(BARE, proof=n, shows=wrong_name(n, HOST, "jean"), imitates="jean") for n in numbers]
    made = wrong_certificates(probes, stands, {"jean": pki.jean}, NOW)
    victim, real = pki.jean.certificate, read_certificates(pki.clients.chain.pem.encode("ascii"))[0]
    issuer = next(c for c in real if c.subject == victim.issuer)
    for number in numbers:
        found = made[wrong_name(number, HOST, "jean")].certificate
        over, own, usage = (number == n for n in (proofs.EXPIRED, proofs.SELF_SIGNED, proofs.WRONG_USAGE))
        assert found.subject == victim.subject
        assert found.issuer == (victim.subject if own else issuer.subject)
        assert (found.not_after < NOW) is over
        usages = found.x509.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usages) == [ExtendedKeyUsageOID.SERVER_AUTH if usage else ExtendedKeyUsageOID.CLIENT_AUTH]
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the library says of a wrong signature
            found.x509.verify_directly_issued_by(issuer.x509)


def test_where_no_ca_can_be_seen_nothing_is_imitated(pki: Pki) -> None:
    """A CA without its PEM has no name to copy."""
    stands = State({ca_at("1"): ca("1", HOST), app_at(HOST): app(HOST)})
    probe = replace(BARE, proof=proofs.OTHER_CA, shows=wrong_name(proofs.OTHER_CA, HOST, None))
    assert wrong_certificates([probe], stands, {}, NOW) == {}


class Silence(httpcore.NetworkStream):
    """A stream that must not be asked."""


@pytest.mark.parametrize("left", [0.0, -1.0])
def test_nothing_is_read_or_written_past_the_deadline(left: float) -> None:
    """However quickly each part comes."""
    stream = Stream(Silence(), time.monotonic() + left)
    for act in (lambda: stream.read(1), lambda: stream.write(b"x")):
        with pytest.raises(httpcore.ReadTimeout):
            act()


def test_an_unreadable_client_is_not_tried(pki: Pki, tmp_path: Path) -> None:
    """A certificate beside another's key: the fault is ours and proves nothing about the edge."""
    mixed = replace(pki.jean, key=pki.stranger.key)
    with serving(Edge(says("200 OK")), pki.clients, tmp_path) as served:
        seen = witness("httpx", served).ask(SHOWN, mixed)
    assert seen.failure is Got.UNTRIED
    assert isinstance(seen, Evidence)
