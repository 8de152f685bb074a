"""Does the edge ask for a client certificate on a hostname: one TLS handshake, nothing sent after it.

Rules of this file:
- It looks and never judges; whatever the other side does, it comes back with words and never raises.
- The server's own certificate is not judged: only its question matters here.

Source: facts, edge-and-probes 3: OpenSSL names the state in which it reads a certificate request.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from OpenSSL import SSL

ASKED = b"certificate request"
"""What OpenSSL calls the state in which it reads the server's question."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whether a certificate was asked for; None when it could not be seen, and why."""

    asked: bool | None
    why: str = ""


def look(host: str, where: tuple[str, int], timeout_s: float = 10.0) -> Asked:
    """What a handshake for a hostname says. where: the address to connect to."""
    states: list[bytes] = []
    tls = SSL.Context(SSL.TLS_CLIENT_METHOD)
    tls.set_info_callback(lambda connection, _where, _code: states.append(connection.get_state_string()))
    connection = SSL.Connection(tls, None)
    connection.set_tlsext_host_name(host.encode("ascii"))
    connection.set_connect_state()
    try:
        with socket.create_connection(where, timeout_s) as line:
            _shake(connection, line)
    except (OSError, SSL.Error) as error:
        return Asked(None, f"{type(error).__name__}: {error}".rstrip(": "))
    return Asked(any(ASKED in state for state in states))


def _shake(connection: SSL.Connection, line: socket.socket) -> None:
    while True:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            _flush(connection, line)
            received = line.recv(16384)
            if not received:
                raise ConnectionError("it closed during the handshake") from None
            connection.bio_write(received)
        else:
            _flush(connection, line)
            return


def _flush(connection: SSL.Connection, line: socket.socket) -> None:
    try:
        line.sendall(connection.bio_read(1 << 20))
    except SSL.WantReadError:
        return  # nothing to send
