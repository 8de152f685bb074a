"""What a request and an answer are, whichever wire they came by.

Rules of this file:
- Header names are lower-case; values are text as sent.
- An answer may be cut short on purpose: half of it, or none of it, and then the connection is reset.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Headers = tuple[tuple[str, str], ...]

MARK = ("x-cf-mtls-emulator", "1")
"""In every answer of API and edge, so that nobody takes the emulator for Cloudflare."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request with its whole body; `target` is path and query as sent."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    authority: str = ""
    version: str = "1.1"

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """Query members; of a repeated one the last."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True, max_num_fields=200))

    def header(self, name: str) -> str | None:
        """The first header of that lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


class Cut(Enum):
    """How much of an answer is sent before the connection is reset."""

    WHOLE = "whole"
    HALF = "half"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body; content-length is added by the wire."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    cut: Cut = field(default=Cut.WHOLE)

    def with_headers(self, *more: tuple[str, str]) -> Answer:
        """The same answer with more headers at the end."""
        return replace(self, headers=(*self.headers, *more))


class Channel(Protocol):
    """Where a wire writes to: a plain socket or a TLS connection."""

    def write(self, data: bytes) -> None:
        """Send these bytes, now or soon."""

    def close(self) -> None:
        """End it politely, after what was written."""

    def reset(self) -> None:
        """End it rudely: what was not sent is lost."""


class Wire(Protocol):
    """A speaker of HTTP/1.1 or HTTP/2 over a channel."""

    def receive(self, data: bytes) -> None:
        """Bytes from the client; empty bytes say that there will be no more."""

    def drain(self) -> None:
        """Finish what is being answered, then close."""

    def lost(self) -> None:
        """The connection is gone; write nothing more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take; in life a body may have 100 MB, this is a rehearsal."""

    body_bytes: int = 16 * 1024 * 1024
    patience_s: float = 30.0
    connections: int = 1000


if TYPE_CHECKING:
    Handler = Callable[[Request], Awaitable[Answer]]
    Head = Callable[[Request], bool]


def encoded(value: Any) -> bytes:
    """JSON, pure ASCII, so that no string of a client can break it."""
    return json.dumps(value, separators=(",", ":")).encode()
