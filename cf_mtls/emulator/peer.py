"""What a hostname demands in the handshake, and what a client showed in it."""

from __future__ import annotations

from dataclasses import dataclass


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
    verified: str | None = None
    """The verdict of a server in front, SUCCESS, NONE or FAILED:reason; None when the edge judges."""
