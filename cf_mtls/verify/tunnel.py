"""`--connect-to` for a browser: a small CONNECT proxy on this machine, for as long as a page takes.

Rules of this file:
- Loopback only, on a free port; it passes bytes on and looks into nothing.

Source: facts, edge-and-probes 4: with client certificates Playwright resolves names itself, so that Chromium's own
resolver rules cannot be used.
"""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cf_mtls.verify.connect import route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.verify.connect import ConnectTo

CHUNK = 65536
IDLE_S = 30.0
LONGEST_HEAD = 8192


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """One CONNECT."""
        client: socket.socket = self.request
        client.settimeout(IDLE_S)
        with suppress(OSError, ValueError):
            host, port = _wanted(client)
            server: _Server = self.server  # type: ignore[assignment]  # the only one it is used with
            with socket.create_connection(route(server.connect_to, host, port), timeout=IDLE_S) as origin:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _pass_on(client, origin)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    connect_to: tuple[ConnectTo, ...] = ()


def _wanted(client: socket.socket) -> tuple[str, int]:
    """Host and port of a CONNECT. ValueError for anything else."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < LONGEST_HEAD:
        chunk = client.recv(CHUNK)
        if not chunk:
            raise ValueError("closed")
        head += chunk
    method, authority, _ = head.decode("latin-1").split(" ", 2)
    host, _, port = authority.rpartition(":")
    if method != "CONNECT":
        raise ValueError(method)
    return host.strip("[]").lower(), int(port)


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    ways = {one: other, other: one}
    while True:
        ready, _, _ = select.select(list(ways), [], [], IDLE_S)
        for end in ready:
            data = end.recv(CHUNK)
            if not data:
                return
            ways[end].sendall(data)
        if not ready:
            return


@contextmanager
def tunnel(connect_to: tuple[ConnectTo, ...]) -> Iterator[str]:
    """The proxy's URL, while it runs."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.connect_to = connect_to
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
