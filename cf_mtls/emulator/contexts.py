"""The edge's TLS contexts: one for each hostname and what it demands.

Rules of this file:
- Every certificate is accepted in the handshake; judging it is the request's business.
- The demand is set on the connection AND its context: swapping the context alone asks nobody.
- No tickets, no session cache: a resumed session would carry one hostname's answer to another.
- Anything that goes wrong while choosing by hostname refuses the connection; it never goes on without asking.
- A context is never changed after its first connection; a new demand is a new context.

Source: facts: edge-and-probes 1b, 5, 6.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from OpenSSL import SSL

from cf_mtls.emulator.peer import Demand
from cf_mtls.emulator.pem import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from OpenSSL.crypto import X509

    from cf_mtls.emulator.minting import Mint

_CACHED_CONTEXTS = 512
_ALPN = (b"h2", b"http/1.1")


class Chooser(Protocol):
    """The client for which a context is chosen; a connection's app data."""

    def chosen(self, name: str, demand: Demand) -> None:
        """The client named this hostname, which demands this."""

    def refuse(self, error: Exception) -> None:
        """Nothing more may be said to this client."""


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
        session: Chooser = connection.get_app_data()
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
