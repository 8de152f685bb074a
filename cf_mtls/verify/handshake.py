"""Was a client certificate asked for, and of which CAs: one handshake for each hostname, without a certificate.

Rules of this file:
- A record, not a verdict: a server may ask and not look, and a list of names may be empty though it asked.

Source: facts, edge-and-probes 3: the list alone cannot tell "not asked" from "asked, without names".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.evidence import Handshake
from cf_mtls.verify.connect import route
from cf_mtls.verify.line import Line, Way, context

if TYPE_CHECKING:
    from OpenSSL import SSL

    from cf_mtls.verify.connect import ConnectTo

TIMEOUT_S = 10.0
ASKED = b"certificate request"
"""What OpenSSL calls the state in which it reads the server's question."""


def look(host: str, connect_to: tuple[ConnectTo, ...] = (), timeout_s: float = TIMEOUT_S) -> Handshake:
    """What a hostname's handshake says; never raises for what the other side does."""
    tls = context(None, judge_server=False)  # only its question matters here
    states: list[bytes] = []

    def watch(connection: SSL.Connection, _where: int, _code: int) -> None:
        states.append(connection.get_state_string())

    tls.set_info_callback(watch)
    reached = False
    try:
        with Line(Way(route(connect_to, host, 443), host, timeout_s), tls) as line:
            reached = True
            line.shake()
            return Handshake(host, _asked(states), line.wanted, line.version)
    except (OSError, UnicodeError) as error:
        return Handshake(host, _asked(states), failure=str(error) or type(error).__name__, reached=reached)


def _asked(states: list[bytes]) -> bool:
    return any(ASKED in state for state in states)
