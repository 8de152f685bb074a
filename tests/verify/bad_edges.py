"""Servers that do what a real edge may do on a bad day, on loopback, one behaviour each."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cf_mtls.pki.authority import Authority, root

HOST = "bad.example"
EDGE = "Server: cloudflare\r\nCF-Ray: 1-BAD\r\n"
Act = Callable[[ssl.SSLSocket], None]


def says(status: str, headers: str = EDGE) -> Act:
    def act(line: ssl.SSLSocket) -> None:
        read_head(line)
        line.sendall(f"HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())

    return act


def read_head(line: ssl.SSLSocket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = line.recv(65536)
        if not chunk:
            raise OSError("gone")
        data += chunk


answer_all = says("200 OK")


def reset(line: ssl.SSLSocket) -> None:
    read_head(line)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang(line: ssl.SSLSocket) -> None:
    with suppress(OSError):
        while line.recv(65536):
            pass


def drip(line: ssl.SSLSocket) -> None:
    read_head(line)
    line.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    with suppress(OSError):
        while True:
            line.sendall(b"x")
            threading.Event().wait(0.1)


def ten_megabytes(line: ssl.SSLSocket) -> None:
    read_head(line)
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    with suppress(OSError):
        for number in range(10 * 16):
            line.sendall(f"X-{number}: {'x' * 65000}\r\n".encode())
        line.sendall(b"\r\n")


def nonsense(line: ssl.SSLSocket) -> None:
    read_head(line)
    line.sendall(b"\x00\xffHELLO\r\n\r\n")


def quiet_goodbye(line: ssl.SSLSocket) -> None:
    read_head(line)


@dataclass(frozen=True)
class Edge:
    """One behaviour: what happens after the handshake, and in it."""

    act: Act = answer_all
    demands: bool = False
    asks: bool = False
    expired: bool = False
    most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    cuts_handshake: bool = False


EDGES: dict[str, Edge] = {
    "demands the certificate in TLS 1.3": Edge(demands=True),
    "demands the certificate in TLS 1.2": Edge(demands=True, most=ssl.TLSVersion.TLSv1_2),
    "never asks, and lets everybody in": Edge(),
    "never asks, and refuses": Edge(says("403 Forbidden")),
    "resets": Edge(reset),
    "hangs after the handshake": Edge(hang),
    "drips": Edge(drip),
    "sends 10 MB of headers": Edge(ten_megabytes),
    "redirects in a ring": Edge(says("302 Found", f"{EDGE}Location: https://{HOST}/x\r\n")),
    "has an expired certificate": Edge(expired=True),
    "answers 421": Edge(says("421 Misdirected Request")),
    "answers 429": Edge(says("429 Too Many Requests", f"{EDGE}Retry-After: 60\r\n")),
    "speaks nonsense": Edge(nonsense),
    "says goodbye without an answer": Edge(quiet_goodbye),
    "cuts the handshake": Edge(cuts_handshake=True),
    "is not Cloudflare": Edge(says("403 Forbidden", "")),
}


@dataclass(frozen=True)
class Served:
    address: str
    cacert: str


@contextmanager
def serving(edge: Edge, clients: Authority, folder: Path) -> Iterator[Served]:
    """The edge, until the block ends."""
    context, cacert = _context(edge, clients, folder)
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def one(plain: socket.socket) -> None:
        with suppress(OSError), plain:
            plain.settimeout(5)
            if edge.cuts_handshake:
                plain.recv(10)
                return
            with context.wrap_socket(plain, server_side=True) as line:
                edge.act(line)

    def accept() -> None:
        with suppress(OSError):
            while not over.is_set():
                plain, _ = listener.accept()
                threading.Thread(target=one, args=(plain,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield Served(f"127.0.0.1:{listener.getsockname()[1]}", cacert)
    finally:
        over.set()
        listener.close()


def _context(edge: Edge, clients: Authority, folder: Path) -> tuple[ssl.SSLContext, str]:
    now = datetime.now(UTC)
    ca = root("Bad Edge CA", now=now)
    dates: dict[str, Any] = (
        {"not_before": now - timedelta(9), "not_after": now - timedelta(2)} if edge.expired else {}
    )
    server = ca.issue(HOST, now=now, dns_names=(HOST,), extended_key_usages=("serverAuth",), **dates)
    (folder / "edge.pem").write_text(server.certificate_pem + server.key_pem)
    (folder / "edge-ca.pem").write_text(ca.chain.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "edge.pem")
    context.maximum_version = edge.most
    if edge.demands or edge.asks:
        context.verify_mode = ssl.CERT_REQUIRED if edge.demands else ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=clients.chain.pem)
    return context, str(folder / "edge-ca.pem")
