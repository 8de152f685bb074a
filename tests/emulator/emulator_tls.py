"""Clients of the edge that look closer than a request does: handshakes, resumption, keys, a browser."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes, Settings
from OpenSSL import SSL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emulator_kit import Pair


@dataclass
class Shaken:
    """What a handshake told a client."""

    done: bool = False
    asked: bool = False
    names: list[str] = field(default_factory=list)


def handshake(edge: str, sni: str | None) -> Shaken:
    """A handshake without a certificate, watched through OpenSSL's states."""
    host, _, port = edge.partition(":")
    told = Shaken()
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)

    def watch(connection: SSL.Connection, _where: int, _ret: int) -> None:
        told.asked = told.asked or b"certificate request" in connection.get_state_string()

    context.set_info_callback(watch)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        connection = SSL.Connection(context, plain)
        if sni:
            connection.set_tlsext_host_name(sni.encode())
        connection.set_connect_state()
        plain.setblocking(True)
        try:
            connection.do_handshake()
            told.done = True
        except (SSL.Error, OSError):
            return told
        told.names = [str(n.commonName) for n in connection.get_client_ca_list()]
        return told


def resumed(ready: Any, first: str, second: str, most: str) -> bool:
    """Whether a session made at one hostname is resumed at another."""
    context = ssl.create_default_context(cafile=ready.edge_ca)
    context.check_hostname = False
    if most == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = None
    host, _, port = ready.edge.partition(":")
    for name in (first, second):
        with (
            socket.create_connection((host, int(port)), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=name, session=session) as secure,
        ):
            secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            secure.recv(65536)
            reused, session = bool(secure.session_reused), secure.session
    return reused


def verified_claims(token: str, keys: Any) -> dict[str, Any] | None:
    """The claims of a JWT whose RS256 signature fits a key of the set, else None."""

    def plain(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    head, payload, signature = token.split(".")
    kid = json.loads(plain(head))["kid"]
    (key,) = [k for k in keys["keys"] if k["kid"] == kid]
    numbers = rsa.RSAPublicNumbers(
        int.from_bytes(plain(key["e"]), "big"), int.from_bytes(plain(key["n"]), "big")
    )
    try:
        numbers.public_key().verify(
            plain(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
    except InvalidSignature:
        return None
    claims: dict[str, Any] = json.loads(plain(payload))
    return claims


class Browser:
    """Headless Chromium with a home of its own."""

    def __init__(self, program: str, folder: Path, ready: Any) -> None:
        self.program, self.folder, self.ready = program, folder, ready
        self.store = f"sql:{folder}/.pki/nssdb"
        (folder / ".pki" / "nssdb").mkdir(parents=True)

    def _run(self, *command: str) -> str:
        environment = os.environ | {"HOME": str(self.folder)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=90, check=True
        )
        return done.stdout

    def trust(self, certutil: str) -> None:
        """Trust the edge's CA."""
        self._run(certutil, "-d", self.store, "-N", "--empty-password")
        self._run(certutil, "-d", self.store, "-A", "-t", "C,,", "-n", "edge", "-i", self.ready.edge_ca)

    def hold(self, pk12util: str, pair: Pair, issuer: str, host: str) -> None:
        """Put a client certificate into the store and let it be sent to the host without asking."""
        file = self.folder / "client.p12"
        file.write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"client", pair.key, pair.certificate, None, _encrypted(b"pw")
            )
        )
        self._run(pk12util, "-i", str(file), "-d", self.store, "-K", "", "-W", "pw")
        choice = {"filters": [{"ISSUER": {"CN": issuer}}]}
        settings = {"profile": {"managed_auto_select_certificate_for_urls": [json.dumps(
            {"pattern": f"https://{host}", "filter": choice["filters"][0]}
        )]}}  # fmt: skip
        profile = self.folder / "profile-2" / "Default"
        profile.mkdir(parents=True)
        (profile / "Preferences").write_text(json.dumps(settings))

    def open(self, url: str) -> str:
        """The page as HTML."""
        second = self.folder / "profile-2"
        profile = second if second.exists() else self.folder / "profile-1"
        host = url.split("/")[2]
        return self._run(
            self.program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP {host} {self.ready.edge}", "--timeout=30000", "--dump-dom", url,
        )  # fmt: skip


def _encrypted(password: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    return BestAvailableEncryption(password)


def narrow(ready: Any, host: str, path: str, window: int) -> tuple[int, int]:
    """What a client with a small HTTP/2 window gets: body bytes, and the most that was sent ahead of it."""
    context = ssl.create_default_context(cafile=ready.edge_ca)
    context.set_alpn_protocols(["h2"])
    edge, _, port = ready.edge.partition(":")
    client = H2Connection(H2Configuration(client_side=True))
    client.local_settings = Settings(
        client=True, initial_values={SettingCodes.INITIAL_WINDOW_SIZE: window, SettingCodes.ENABLE_PUSH: 0}
    )
    client.initiate_connection()
    request = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)]
    client.send_headers(1, request, end_stream=True)
    got = ahead = most = 0
    with (
        socket.create_connection((edge, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        while True:
            line.sendall(client.data_to_send())
            for event in client.receive_data(line.recv(65536)):
                match event:
                    case DataReceived():
                        got, ahead = got + len(event.data or b""), ahead + (event.flow_controlled_length or 0)
                        most = max(most, ahead)
                    case StreamEnded():
                        return got, most
                    case StreamReset() | ConnectionTerminated():
                        return -1, most
                    case _:
                        pass
            if ahead >= window // 2 or ahead > 30_000:  # then, and only then, is more allowed
                client.acknowledge_received_data(ahead, 1)
                ahead = 0


def told_to_go(ready: Any, host: str, change: Callable[[], object]) -> bool:
    """Whether an HTTP/2 connection that was used once gets a GOAWAY after the change, within two seconds."""
    context = ssl.create_default_context(cafile=ready.edge_ca)
    context.set_alpn_protocols(["h2"])
    edge, _, port = ready.edge.partition(":")
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    request = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/")]
    client.send_headers(1, request, end_stream=True)
    served = False
    with (
        socket.create_connection((edge, int(port)), timeout=2) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        while True:
            line.sendall(client.data_to_send())
            try:
                data = line.recv(65536)
            except TimeoutError:
                return False
            events = client.receive_data(data) if data else []
            if any(isinstance(e, ConnectionTerminated) for e in events):
                return served
            if any(isinstance(e, StreamEnded) for e in events):
                served = True
                change()
            if not data:
                return False
