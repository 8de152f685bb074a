"""How long an answer may take and how large it may be: an HTTP client that keeps to it, whatever comes.

Rules of this file:
- One exchange has one deadline, from the first byte of the connection to the last of the body; a server that sends a
  byte now and then gains nothing by it.
- Bytes are counted as they are unpacked, piece by piece: what is small on the way may be large here.
- What all exchanges of a run take together is limited too, so that no list goes on for ever.
- Of an answer only what is read is kept: its status, a few headers, and the unpacked body.
- Every limit is named in the message that it leads to.

httpx has no public way to say how long a whole answer may take, so the network backend of its pools is replaced;
`pyproject.toml` pins httpx for it.
"""

from __future__ import annotations

import math
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

MB = 1_000_000
KEPT = (b"cf-ray", b"retry-after", b"ratelimit", b"ratelimit-policy", b"location")
"""The headers that are read."""

PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may take, and all answers of a run together. Seconds, and bytes after unpacking.

    An account at its limits (500 applications) is read with about five megabytes.
    """

    answer_s: float = 60
    answer_bytes: int = 16 * MB
    run_s: float = 3600
    run_bytes: int = 256 * MB
    now: Callable[[], float] = time.monotonic


LIMITS = Limits()


class BeyondLimit(httpx.HTTPError):
    """An answer, or all of them, went beyond a limit; `sent`: whether the request may have arrived."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class BoundedClient(httpx.Client):
    """An `httpx.Client` whose answers keep to limits and are read when they are handed out."""

    def __init__(self, bounds: Limits, **options: Any) -> None:
        """options: as of `httpx.Client`."""
        super().__init__(**options, headers={"accept-encoding": "gzip"})
        self._bounds = bounds
        self._deadline = _Deadline(bounds)
        self._spent = _Spent(bounds)
        for transport in (self._transport, *self._mounts.values()):
            if isinstance(transport, httpx.HTTPTransport):
                pool = transport._pool  # noqa: SLF001 - see the head of this file
                pool._network_backend = _Backend(pool._network_backend, self._deadline)  # noqa: SLF001

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The answer, read whole. Raises BeyondLimit, or what httpx raises."""
        self._spent.check()
        self._deadline.start()
        began = self._bounds.now()
        pieces: list[bytes] = []
        try:
            response = super().send(request, **{**options, "stream": True})
            try:
                self._read(response, pieces)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            if self._deadline.left() > 0:
                raise
            raise BeyondLimit(_too_slow(self._bounds.answer_s), sent=True) from error
        finally:
            self._spent.add(self._bounds.now() - began, sum(map(len, pieces)))
        headers = [(name, value) for name, value in response.headers.raw if name.lower() in KEPT]
        return httpx.Response(
            response.status_code, headers=headers, content=b"".join(pieces), request=request
        )

    def _read(self, response: httpx.Response, pieces: list[bytes]) -> None:
        """Add the body to the pieces, as long as it keeps to the limits."""
        size = 0
        for piece in _unpacked(response):
            pieces.append(piece)
            size += len(piece)
            if size > self._bounds.answer_bytes:
                raise BeyondLimit(_too_large(self._bounds.answer_bytes), sent=True)
            self._deadline.check()


def _too_large(most: int) -> str:
    return f"the answer is larger than {most // MB} MB, the most that one may be"


def _too_slow(most: float) -> str:
    return f"the answer was not complete after {most:g} s, the most that one may take"


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """The body in pieces of at most `PIECE` bytes each. Raises httpx.DecodingError for a packing not asked for."""
    if response.is_stream_consumed:  # a test's answer, which is there whole
        yield response.content
        return
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in {"gzip", "identity", ""}:
        message = f"the answer is packed as {packing[:40]!r}, which was not asked for"
        raise httpx.DecodingError(message, request=response.request)
    raw = response.iter_raw()
    yield from _gunzipped(raw, response) if packing == "gzip" else raw


def _gunzipped(raw: Iterable[bytes], response: httpx.Response) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    try:
        for piece in raw:
            left = piece
            while left and not unpack.eof:
                yield unpack.decompress(left, PIECE)
                left = unpack.unconsumed_tail
        while not unpack.eof and (more := unpack.decompress(b"", PIECE)):
            yield more
    except zlib.error as error:
        message = "the answer is not gzip, though it says so"
        raise httpx.DecodingError(message, request=response.request) from error
    if not unpack.eof:
        message = "the answer ends before its gzip does"
        raise httpx.RemoteProtocolError(message, request=response.request)


class _Spent:
    """What the exchanges of a run took, all threads together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._seconds, self._bytes = 0.0, 0

    def add(self, seconds: float, size: int) -> None:
        with self._lock:
            self._seconds += seconds
            self._bytes += size

    def check(self) -> None:
        with self._lock:
            seconds, size = self._seconds, self._bytes
        if size > self._limits.run_bytes:
            why = f"the answers of this run are larger than {self._limits.run_bytes // MB} MB together"
            raise BeyondLimit(f"{why}, the most that they may be", sent=False)
        if seconds > self._limits.run_s:
            why = f"this run has waited for answers for more than {self._limits.run_s:g} s"
            raise BeyondLimit(f"{why}, the most that it may", sent=False)


class _Deadline(threading.local):
    """Until when the exchange of this thread must be over."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._until = math.inf

    def start(self) -> None:
        self._until = self._limits.now() + self._limits.answer_s

    def left(self) -> float:
        return self._until - self._limits.now()

    def check(self) -> float:
        """Seconds that are left. Raises httpx.ReadTimeout when there are none."""
        left = self.left()
        if left <= 0:
            raise httpx.ReadTimeout(_too_slow(self._limits.answer_s))
        return left

    def within(self, timeout: float | None) -> float:
        """The shorter one of a timeout and what is left. Raises httpcore.ReadTimeout when nothing is."""
        left = self.left()
        if left <= 0:
            raise httpcore.ReadTimeout(_too_slow(self._limits.answer_s))
        return left if timeout is None else min(left, timeout)


class _Backend(httpcore.NetworkBackend):
    """Makes streams that keep to the deadline of the exchange that uses them."""

    def __init__(self, inner: httpcore.NetworkBackend, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._inner.connect_tcp(
                host, port, self._deadline.within(timeout), local_address, socket_options
            ),
            self._deadline,
        )


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.within(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._deadline.within(timeout))
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
