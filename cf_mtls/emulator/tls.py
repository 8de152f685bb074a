"""The edge's TLS: asks for a client certificate by hostname, accepts whatever comes, and says what came.

Rules of this file:
- Every certificate is accepted in the handshake; judging it is the request's business.
- The demand is set on the connection AND its context: swapping the context alone asks nobody.
- No tickets, no session cache: a resumed session would carry one hostname's answer to another.
- Anything that goes wrong while choosing by hostname refuses the connection; it never goes on without asking.
- A context is never changed after its first connection; a new demand is a new context.

Source: facts: edge-and-probes 1b, 5, 6.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from cf_mtls.emulator.http1 import Http1
from cf_mtls.emulator.http2 import Http2
from cf_mtls.emulator.pem import load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from OpenSSL.crypto import X509

    from cf_mtls.emulator.http import Answer, Limits, Request, Wire
    from cf_mtls.emulator.minting import Mint

_CHUNK = 65536
_CACHED_CONTEXTS = 512
_ALPN = (b"h2", b"http/1.1")


@dataclass(frozen=True, slots=True)
class Demand:
    """What a hostname asks of its clients: nothing, or a certificate, with the CA names to list."""

    ask: bool = False
    authorities: tuple[bytes, ...] = ()
    key: tuple[str, ...] = ()
    """Equal keys mean equal demands; a connection opened under another key is stale."""


@dataclass(slots=True)
class Peer:
    """What the handshake said about a client. Certificates are DER."""

    sni: str | None
    demand: Demand
    leaf: bytes | None
    sent: tuple[bytes, ...]
    address: str
    requests: int = 0


class Contexts:
    """Server contexts by hostname and demand, made once and kept while they are used."""

    def __init__(
        self, mint: Mint, demand_for: Callable[[str], Demand], name_on_certificate: Callable[[str], str]
    ) -> None:
        """demand_for, name_on_certificate: of a lower-case hostname; what they raise refuses the client."""
        self._mint, self._demand_for, self._named = mint, demand_for, name_on_certificate
        self._cache: OrderedDict[tuple[str, Demand], SSL.Context] = OrderedDict()
        self.base = self._context(["localhost", "127.0.0.1"], Demand())
        self.base.set_tlsext_servername_callback(self._choose)

    def _choose(self, connection: SSL.Connection) -> None:
        session: Session = connection.get_app_data()
        try:
            name = (connection.get_servername() or b"").decode("ascii").lower().rstrip(".")
            if not name:
                return
            demand = self._demand_for(name)
            connection.set_context(self._for(name, demand))
            if demand.ask:
                connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, _accept)
            session.chosen(name, demand)
        except Exception as error:  # noqa: BLE001 - OpenSSL would go on without asking: fail closed
            session.refuse(error)

    def _for(self, name: str, demand: Demand) -> SSL.Context:
        key = (name, demand)
        if key not in self._cache:
            self._cache[key] = self._context([self._named(name)], demand)
            if len(self._cache) > _CACHED_CONTEXTS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _context(self, names: Sequence[str], demand: Demand) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_alpn_select_callback(_select)
        context.use_certificate(self._mint.leaf(names))
        context.use_privatekey(self._mint.leaf_key)
        for der in demand.authorities:
            context.add_client_ca(load(der))
        if demand.ask:
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, _accept)
        return context


def _accept(_connection: SSL.Connection, _certificate: X509, _code: int, _depth: int, _ok: int) -> bool:
    return True


def _select(_connection: SSL.Connection, offered: list[bytes]) -> bytes | SSL._NoOverlappingProtocols:
    return next((name for name in _ALPN if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)


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


def reset(transport: asyncio.Transport) -> None:
    """Abort with RST instead of FIN: linger for no time at all."""
    plain = transport.get_extra_info("socket")
    if plain is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


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
