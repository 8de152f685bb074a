"""What stands behind the edge: a small origin that echoes, or a real upstream on this machine.

Rules of this file:
- The echo answers JSON that says what it got; `?emulator-status=418` and `?emulator-bytes=70000` shape it,
  and `?emulator-echo` sends the request's body back.
- An upstream is plain HTTP on a loopback address: nothing else is ever contacted.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11

from cf_mtls.emulator.http import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Origin = Callable[[Request], Awaitable[Answer]]

_PLAIN = (("content-type", "application/json"), ("x-emulator-origin", "echo"))
_MOST_BYTES = 16 * 1024 * 1024
_UPSTREAM_S = 30.0
_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "content-length", "expect",
}  # fmt: skip


async def echo(request: Request) -> Answer:
    """What was got, as JSON."""
    query = request.query
    status = _whole(query.get("emulator-status"), 200)
    status = status if 200 <= status <= 599 else 200
    if "emulator-echo" in query:
        return Answer(status, (("content-type", "application/octet-stream"), _PLAIN[1]), request.body)
    if "emulator-bytes" in query:
        size = min(_whole(query["emulator-bytes"], 0), _MOST_BYTES)
        return Answer(status, (("content-type", "application/octet-stream"), _PLAIN[1]), b"x" * size)
    body = {
        "method": request.method,
        "host": request.authority,
        "target": request.target,
        "headers": [list(h) for h in request.headers],
        "body_bytes": len(request.body),
        "body_sha256": hashlib.sha256(request.body).hexdigest(),
    }
    return Answer(status, _PLAIN, json.dumps(body, indent=1).encode() + b"\n")


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


def upstream(url: str) -> Origin:
    """An origin that passes requests on. url: `http://127.0.0.1:PORT`. Errors: ValueError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    if parts.scheme != "http" or not is_loopback(host) or parts.path.strip("/") or parts.query:
        raise ValueError(f"the origin must be http://127.0.0.1:PORT, on this machine: {url!r}")

    async def pass_on(request: Request) -> Answer:
        try:
            async with asyncio.timeout(_UPSTREAM_S):
                return await _fetched(host, port, request)
        except (OSError, TimeoutError, h11.ProtocolError, asyncio.IncompleteReadError):
            return Answer(502, (("content-type", "text/plain"),), b"error code: 502\n")

    return pass_on


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by address or as `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _fetched(host: str, port: int, request: Request) -> Answer:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        wire = h11.Connection(h11.CLIENT)
        headers = [(k, v) for k, v in request.headers if k not in _HOP and k != "host"]
        headers += [
            ("host", request.authority),
            ("content-length", str(len(request.body))),
            ("connection", "close"),
        ]
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        for event in (head, h11.Data(data=request.body), h11.EndOfMessage()):
            writer.write(wire.send(event) or b"")
        await writer.drain()
        return await _answer(reader, wire)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, wire: h11.Connection) -> Answer:
    status, headers, body = 502, [], bytearray()
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in event.headers]
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _MOST_BYTES:
                raise OSError("the upstream's answer is too large")
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return Answer(status, tuple(h for h in headers if h[0] not in _HOP), bytes(body))
