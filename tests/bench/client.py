"""Clients of the edge that do nothing else: new connections, or requests on one connection, for some seconds.

Nothing but the standard library is imported, for each runs in a process of its own.
"""

from __future__ import annotations

import http.client
import itertools
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass

EXPECTED = frozenset({200, 403})


@dataclass(frozen=True)
class Where:
    """The edge, the CA that it shows, a client's certificate and key, hostnames to ask for in turn."""

    edge: str
    edge_ca: str
    certificate: str
    key: str
    hosts: Sequence[str]

    def line(self, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """A new connection, its handshake done."""
        address, _, port = self.edge.rpartition(":")
        plain = socket.create_connection((address, int(port)), timeout=10)
        return context.wrap_socket(plain, server_hostname=host)

    def context(self) -> ssl.SSLContext:
        """The client's TLS context."""
        context = ssl.create_default_context(cafile=self.edge_ca)
        context.load_cert_chain(self.certificate, self.key)
        return context


Told = tuple[float, list[str]]
"""How many a second, and what failed."""


def handshakes(where: Where, seconds: float) -> Told:
    """Full mutual handshakes, each with one request."""
    context, failures, made = where.context(), list[str](), 0
    since = time.perf_counter()
    for host in itertools.cycle(where.hosts):
        if time.perf_counter() - since >= seconds:
            break
        try:
            with where.line(context, host) as line:
                line.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                data = b"".join(iter(lambda line=line: line.recv(65536), b""))  # type: ignore[misc]
            if int(data.split(b" ", 2)[1]) not in EXPECTED:
                failures.append(f"{host}: {data[:40]!r}")
        except (OSError, IndexError, ValueError) as error:
            failures.append(f"{host}: {error}")
        made += 1
    return made / (time.perf_counter() - since), failures


def requests(where: Where, seconds: float) -> Told:
    """Requests one after another on one connection."""
    host, made, failures = where.hosts[0], 0, list[str]()
    with where.line(where.context(), host) as line:
        connection = http.client.HTTPConnection(host)
        connection.sock = line
        since = time.perf_counter()
        while time.perf_counter() - since < seconds:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            made += 1
            if answer.status not in EXPECTED:
                failures.append(f"{host}: {answer.status}")
        return made / (time.perf_counter() - since), failures
