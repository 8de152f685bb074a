"""A plain TCP or local socket that speaks HTTP/1.1."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.emulator.http1 import Http1


class Plain(asyncio.Protocol):
    """One client."""

    def __init__(
        self, wire: Callable[[Plain], Http1], connections: set[asyncio.Transport], most: int
    ) -> None:
        self._make, self._connections, self._most = wire, connections, most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)  # what loop.create_server makes
        self._wire = self._make(self)
        if len(self._connections) >= self._most:
            self._transport.abort()
        self._connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client is gone."""
        self._connections.discard(self._transport)
        self._wire.lost()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._wire.receive(data)

    def eof_received(self) -> bool:
        """The client will send no more; what was asked is still answered."""
        self._wire.receive(b"")
        return True

    def write(self, data: bytes) -> None:
        """Send."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """End it after what was written."""
        self._transport.close()

    def reset(self) -> None:
        """End it with a TCP reset."""
        reset(self._transport)


def reset(transport: asyncio.Transport) -> None:
    """Abort with RST instead of FIN: linger for no time at all."""
    plain = transport.get_extra_info("socket")
    if plain is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
