"""What the emulator's tests share: certificates to order, an API client, and clients of the edge."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cf_mtls.emulator.server import Options, Running, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BUDGET = int(os.environ.get("CF_MTLS_BUDGET", "1"))
CURL = shutil.which("curl")
HOST = "jeann.net"
PATH = "/georgetown-penang-malaysia"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def name(common_name: str) -> x509.Name:
    """A subject of a common name alone."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def issue(
    subject: str,
    issuer: Pair | None = None,
    *,
    ca: bool = False,
    since: datetime = NOW - DAY,
    until: datetime = NOW + 30 * DAY,
    usages: Sequence[x509.ObjectIdentifier] = (),
    key_usage: x509.KeyUsage | None = None,
) -> Pair:
    """A certificate; self-signed without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    by = issuer.certificate.subject if issuer else name(subject)
    builder = x509.CertificateBuilder(
        by, name(subject), key.public_key(), x509.random_serial_number(), since, until
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
    if key_usage:
        builder = builder.add_extension(key_usage, critical=True)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


class Pki:
    """root -> intermediate -> clients of every kind the edge must tell apart."""

    def __init__(self) -> None:
        self.root = issue("Root", ca=True)
        self.intermediate = issue("Intermediate", self.root, ca=True)
        self.rogue_root = issue("Root", ca=True)
        self.rogue = issue("Intermediate", self.rogue_root, ca=True)
        i = self.intermediate
        self.good = issue("fleet", i)
        self.other_ca = issue("fleet", self.rogue)
        self.self_signed = issue("fleet")
        self.expired = issue("fleet", i, since=NOW - 9 * DAY, until=NOW - DAY)
        self.future = issue("fleet", i, since=NOW + DAY)
        self.server_only = issue("fleet", i, usages=[ExtendedKeyUsageOID.SERVER_AUTH])
        self.both_usages = issue(
            "fleet", i, usages=[ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        self.by_leaf = issue("fleet", self.good)
        self.someone = issue("someone", i)

    @property
    def chain(self) -> str:
        """What is uploaded: intermediate first, root last."""
        return self.intermediate.pem + self.root.pem

    def matrix(self) -> dict[str, tuple[Pair | None, int]]:
        """Client certificate to the status that a Service Auth policy on any valid certificate gives."""
        return {
            "none": (None, 403),
            "good": (self.good, 200),
            "client and server usage": (self.both_usages, 200),
            "other CA, same names": (self.other_ca, 403),
            "self-signed": (self.self_signed, 403),
            "expired": (self.expired, 403),
            "not yet valid": (self.future, 403),
            "server usage only": (self.server_only, 403),
            "signed by a leaf": (self.by_leaf, 403),
        }


class Api:
    """The API as raw JSON, at one scope."""

    def __init__(self, emulator: Running, token: str | None = None, scope: str | None = None) -> None:
        self.emulator = emulator
        self.scope = scope or f"/accounts/{emulator.ready.account_id}"
        self.clients: list[httpx.Client] = []
        self.client = httpx.Client(
            base_url=emulator.ready.api_base_url,
            headers={"authorization": f"Bearer {token or emulator.ready.token}"},
            timeout=20,
        )
        self.clients.append(self.client)

    def other(self, token: str | None = None, scope: str | None = None) -> Api:
        """The same API with another token or at another scope."""
        other = Api(self.emulator, token, scope)
        self.clients.append(other.client)
        return other

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A request below the scope; a path that starts with // is below the base."""
        where = path[1:] if path.startswith("//") else self.scope + path
        return self.client.request(method, where, json=body, **more)

    def result(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The result of a request that must succeed."""
        response = self.call(method, path, body, **more)
        assert response.json()["success"], response.text
        return response.json()["result"]

    def error(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, int]:
        """Status and code of a request that must fail."""
        response = self.call(method, path, body, **more)
        envelope = response.json()
        assert envelope["success"] is False
        assert envelope["result"] is None
        return response.status_code, envelope["errors"][0]["code"]

    def manage(self, method: str, lever: str, body: Any = None) -> Any:
        """A management call."""
        response = httpx.request(method, f"{self.emulator.ready.management}/{lever}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def certificate(self, pki: Pki, hosts: Sequence[str] = (HOST,), pem: str | None = None) -> Any:
        """An uploaded CA chain."""
        body = {"name": "ca", "certificate": pem or pki.chain, "associated_hostnames": list(hosts)}
        return self.result("POST", "/access/certificates", body)

    def app(self, domain: str = HOST + PATH, *policies: Any, **more: Any) -> Any:
        """An application; a Service Auth policy on any valid certificate when none is given."""
        given = list(policies) or [service_auth({"certificate": {}})]
        body = {"domain": domain, "type": "self_hosted", "policies": given, **more}
        return self.result("POST", "/access/apps", body)


def service_auth(*include: Any, **more: Any) -> Any:
    """A Service Auth policy."""
    return {"name": "policy", "decision": "non_identity", "include": list(include), **more}


AT_ONCE = {"association-delay": 0.0, "detach-delay": 0.0, "settings-delay": 0.0, "rate-per-second": 100000,
           "rate-limit": 1000000}  # fmt: skip


@contextmanager
def emulating(**options: Any) -> Iterator[Api]:
    """A running emulator whose writes are felt at once, unless `switches` says otherwise; no bug may show."""
    options["switches"] = AT_ONCE | options.get("switches", {})
    with running(Options(**({"seed": 7} | options))) as emulator:
        api = Api(emulator)
        try:
            yield api
        finally:
            for client in api.clients:
                client.close()
        assert emulator.do(lambda e: list(e.bugs)) == []


class _Backend(httpcore.SyncBackend):
    """Every host is the edge."""

    def __init__(self, edge: str) -> None:
        host, _, port = edge.partition(":")
        self.where = (host, int(port))
        self.connections = 0

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        self.connections += 1
        return super().connect_tcp(*self.where, *args, **kwargs)


def save(pair: Pair, folder: Path, *more: Pair) -> tuple[Path, Path]:
    """Certificate file, with further certificates behind it, and key file."""
    cert, key = folder / f"{id(pair)}.pem", folder / f"{id(pair)}.key"
    cert.write_text(pair.pem + "".join(m.pem for m in more))
    key.write_text(pair.key_pem)
    return cert, key


def tls(ready: Any, client: tuple[Path, Path] | None = None, most: str = "") -> ssl.SSLContext:
    """A client's TLS context. most: "1.2" to hold it there."""
    context = ssl.create_default_context(cafile=ready.edge_ca)
    if client:
        context.load_cert_chain(*client, password=lambda: "")
    if most == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def browsing(
    ready: Any, client: tuple[Path, Path] | None = None, *, http2: bool = False, most: str = ""
) -> Iterator[tuple[httpx.Client, _Backend]]:
    """An httpx client whose every host is the edge, and its count of connections."""
    context, backend = tls(ready, client, most), _Backend(ready.edge)
    if http2:
        context.set_alpn_protocols(["h2"])
    transport = httpx.HTTPTransport(verify=context, http2=http2, http1=not http2)
    transport._pool.close()
    transport._pool = httpcore.ConnectionPool(
        ssl_context=context, http2=http2, http1=not http2, network_backend=backend
    )
    with httpx.Client(transport=transport, timeout=20) as browser:
        yield browser, backend


@dataclass(frozen=True)
class Curled:
    """What curl printed."""

    code: int
    status: int
    version: str
    head: str
    body: str


def curl(ready: Any, url: str, *options: str, client: tuple[Path, Path] | None = None) -> Curled:
    """Real curl, its every host the edge."""
    assert CURL
    identity = ["--cert", str(client[0]), "--key", str(client[1])] if client else []
    command = [
        CURL, "-sS", "-D", "-", "-o", "-", "-w", "\n%{http_code} %{http_version}", "--max-time", "20",
        "--cacert", ready.edge_ca, "--connect-to", f"::{ready.edge}", *identity, *options, url,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    text, _, last = done.stdout.rpartition("\n")
    status, _, version = last.partition(" ")
    head, _, body = text.partition("\n\n") if "\n\n" in text else text.partition("\r\n\r\n")
    return Curled(done.returncode, int(status or 0), version, head, body)
