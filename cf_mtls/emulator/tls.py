"""The edge's connections: TLS through memory, then HTTP/1.1 or HTTP/2.

Rules of this file:
- Whatever a client sends ends at most its own connection.
- A connection that was refused while its context was chosen says nothing, not even an alert.
- When what a hostname demands has changed, its connections are drained, so that clients are asked again.

Source: facts: edge-and-probes 1b, 5.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from cf_mtls.emulator.http1 import Http1
from cf_mtls.emulator.http2 import Http2
from cf_mtls.emulator.peer import Demand, Peer
from cf_mtls.emulator.plain import reset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cf_mtls.emulator.contexts import Contexts
    from cf_mtls.emulator.http import Answer, Limits, Request, Wire

_CHUNK = 65536


class Session(asyncio.Protocol):
    """One client of the edge: TLS through memory, then HTTP/1.1 or HTTP/2."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ssl = SSL.Connection(host.contexts.base, None)
        self._ssl.set_app_data(self)
        self._ssl.set_accept_state()
        self._wire: Wire | None = None
        self._refused = self._draining = False
        self.sni: str | None = None
        self.demand = Demand()

    def chosen(self, name: str, demand: Demand) -> None:
        """The client named this hostname, which demands this."""
        self.sni, self.demand = name, demand

    def refuse(self, error: Exception) -> None:
        """Nothing more may be said to this client."""
        self._refused = True
        self._host.refusals.append(f"{type(error).__name__}: {error}")

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)  # what loop.create_server makes
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._host.limits.patience_s, self.abort)
        if len(self._host.sessions) >= self._host.limits.connections:
            self.abort()
        self._host.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client is gone."""
        self._timer.cancel()
        self._host.sessions.discard(self)
        if self._wire is not None:
            self._wire.lost()

    def data_received(self, data: bytes) -> None:
        """Ciphertext; whatever is wrong with it ends this connection and no other."""
        try:
            for start in range(0, len(data), _CHUNK):
                self._ssl.bio_write(data[start : start + _CHUNK])
                self._progress()
        except SSL.ZeroReturnError:
            self._ended()
        except SSL.Error:
            self._flush()  # the alert that says why
            self.close()

    def eof_received(self) -> None:
        """The client will send no more."""
        self._ended()

    # TLS

    def _progress(self) -> None:
        if self._wire is None and not self._shaken():
            return
        while self._wire is not None and not self._transport.is_closing():
            try:
                data = self._ssl.recv(_CHUNK)
            except SSL.WantReadError:
                break
            self._wire.receive(data)
        self._flush()

    def _shaken(self) -> bool:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            if self._refused:
                self._transport.abort()
            else:
                self._flush()
            return False
        if self._refused:
            self._transport.abort()
            return False
        self._timer.cancel()
        self._wire = self._host.wire(self, self._peer(), self._ssl.get_alpn_proto_negotiated())
        if self._draining:
            self._wire.drain()
        return True

    def _peer(self) -> Peer:
        leaf = self._ssl.get_peer_certificate(as_cryptography=True)
        chain = self._ssl.get_peer_cert_chain(as_cryptography=True) or []
        der = leaf.public_bytes(Encoding.DER) if leaf else None
        sent = tuple(d for d in (c.public_bytes(Encoding.DER) for c in chain) if d != der)
        address = (self._transport.get_extra_info("peername") or ("127.0.0.1",))[0]
        return Peer(self.sni, self.demand, der, sent, address)

    def _flush(self) -> None:
        while True:
            try:
                data = self._ssl.bio_read(_CHUNK)
            except SSL.WantReadError:
                return
            if not self._transport.is_closing():
                self._transport.write(data)

    def _ended(self) -> None:
        if self._wire is not None:
            self._wire.receive(b"")
        else:
            self.close()

    # what a wire writes to

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        view = memoryview(data)
        try:
            while view and not self._transport.is_closing():
                view = view[self._ssl.send(view[:_CHUNK]) :]
        except SSL.Error:
            self._transport.abort()
        self._flush()

    def close(self) -> None:
        """Say goodbye in TLS, then in TCP, after what was written."""
        with suppress(SSL.Error):  # before the handshake is over there is no goodbye to say
            self._ssl.shutdown()
        self._flush()
        self._transport.close()

    def reset(self) -> None:
        """End it with a TCP reset."""
        reset(self._transport)

    def abort(self) -> None:
        """End it now."""
        self._transport.abort()

    def drain(self) -> None:
        """Answer what is under way, then close; a handshake under way is finished first."""
        self._draining = True
        if self._wire is not None:
            self._wire.drain()


class Host:
    """What all clients of one edge share."""

    def __init__(
        self, contexts: Contexts, limits: Limits, answer: Callable[[Request, Peer], Awaitable[Answer]]
    ) -> None:
        """answer: a coroutine function of a request and what is known about who sent it."""
        self.contexts, self.limits, self._answer = contexts, limits, answer
        self.sessions: set[Session] = set()
        self.refusals: list[str] = []
        """Why connections were refused while choosing by hostname."""

    def protocol(self) -> Session:
        """A protocol for the next client."""
        return Session(self)

    def wire(self, session: Session, peer: Peer, alpn: bytes) -> Wire:
        """HTTP/2 when the client chose it, else HTTP/1.1."""

        async def handler(request: Request) -> Answer:
            peer.requests += 1
            return await self._answer(request, peer)

        if alpn == b"h2":
            return Http2(session, handler, self.limits)
        return Http1(session, handler, self.limits)

    def close_stale(self, demand_for: Callable[[str], Demand]) -> None:
        """Drain every connection whose hostname now demands something else (facts: edge-and-probes 5)."""
        for session in list(self.sessions):
            if session.sni is not None and demand_for(session.sni).key != session.demand.key:
                session.drain()
