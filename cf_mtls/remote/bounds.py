"""How long an answer may take and how large it may be: an HTTP client that keeps to it, whatever comes.

Rules of this file:
- One exchange has one deadline, from the first byte of the connection to the last of the body; a server that sends a
  byte now and then gains nothing by it.
- Bytes are counted as they are unpacked, piece by piece: what is small on the way may be large here.
- A run is limited too, by the clock from its beginning and in bytes, all threads and clients together, so that no list
  goes on for ever. Only writes are not cut off by its end: whoever writes looks at it between two steps.
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

from cf_mtls.model.asked import EMULATOR_HEADER
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

MB = 1_000_000
KEPT = (b"cf-ray", b"retry-after", b"ratelimit", b"ratelimit-policy", b"location", EMULATOR_HEADER.encode())
"""The headers that are read."""

PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may take, and a run: seconds of the clock, and bytes of all its answers after unpacking.

    An account at its limits (500 applications) is read with about five megabytes.
    """

    answer_s: float = 60
    answer_bytes: int = 16 * MB
    run_s: float = 3600
    run_bytes: int = 256 * MB
    now: Callable[[], float] = time.monotonic


LIMITS = Limits()


class Run:
    """One run of the program: since when, how much came until now, and whether an emulator was among who answered."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        """It begins now, by the limits' clock."""
        self.limits = limits
        self.is_emulated = False
        """Whether an answer said that it is an emulator's."""
        self._end = limits.now() + limits.run_s
        self._lock = threading.Lock()
        self._bytes = 0

    def again(self) -> Run:
        """A run with the same limits that begins now."""
        return Run(self.limits)

    def left(self) -> float:
        """Seconds until it must be over; none or fewer when it is."""
        return self._end - self.limits.now()

    def heard(self, size: int, *, emulated: bool) -> None:
        """Count an answer of so many bytes. emulated: whether it said that it is an emulator's."""
        with self._lock:
            self._bytes += size
            self.is_emulated = self.is_emulated or emulated

    def check(self, *, by_clock: bool) -> None:
        """Raise BeyondLimit when the next request is one too many. by_clock: also when the time is over."""
        with self._lock:
            size = self._bytes
        if size > self.limits.run_bytes:
            why = f"the answers of this run are larger than {self.limits.run_bytes // MB} MB together"
            raise BeyondLimit(f"{why}, the most that they may be", sent=False)
        if by_clock and self.left() <= 0:
            raise BeyondLimit(too_long(self.limits), sent=False)


def too_long(limits: Limits) -> str:
    """What is said of a run whose time is over."""
    return f"this run has taken more than {limits.run_s:g} s, the most that it may"


class BeyondLimit(httpx.HTTPError):
    """An answer, or all of them, went beyond a limit; `sent`: whether the request may have arrived."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class BoundedClient(httpx.Client):
    """An `httpx.Client` whose answers keep to limits and are read when they are handed out."""

    def __init__(self, run: Run, *, is_cut: bool = True, **options: Any) -> None:
        """is_cut: whether the end of the run ends an answer too. options: as of `httpx.Client`."""
        super().__init__(**options, headers={"accept-encoding": "gzip"})
        self._run, self._bounds, self._is_cut = run, run.limits, is_cut
        self._deadline = _Deadline(run, is_cut=is_cut)
        for transport in (self._transport, *self._mounts.values()):
            if isinstance(transport, httpx.HTTPTransport):
                pool = transport._pool  # noqa: SLF001 - see the head of this file
                pool._network_backend = _Backend(pool._network_backend, self._deadline)  # noqa: SLF001

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The answer, read whole. Raises BeyondLimit, or what httpx raises."""
        self._run.check(by_clock=self._is_cut)
        self._deadline.start()
        pieces: list[bytes] = []
        emulated = False
        try:
            response = super().send(request, **{**options, "stream": True})
            try:
                emulated = EMULATOR_HEADER in response.headers
                self._read(response, pieces)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            if self._deadline.left() > 0:
                raise
            raise BeyondLimit(self._deadline.why(), sent=True) from error
        finally:
            self._run.heard(sum(map(len, pieces)), emulated=emulated)
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


class _Deadline(threading.local):
    """Until when the exchange of this thread must be over."""

    def __init__(self, run: Run, *, is_cut: bool = True) -> None:
        self._run, self._limits, self._is_cut = run, run.limits, is_cut
        self._until = math.inf

    def start(self) -> None:
        answer_s = self._limits.answer_s
        self._until = self._limits.now() + (min(answer_s, self._run.left()) if self._is_cut else answer_s)

    def why(self) -> str:
        """Which of the two times is over."""
        is_over = self._is_cut and self._run.left() <= 0
        return too_long(self._limits) if is_over else _too_slow(self._limits.answer_s)

    def left(self) -> float:
        return self._until - self._limits.now()

    def check(self) -> float:
        """Seconds that are left. Raises httpx.ReadTimeout when there are none."""
        left = self.left()
        if left <= 0:
            raise httpx.ReadTimeout(self.why())
        return left

    def within(self, timeout: float | None) -> float:
        """The shorter one of a timeout and what is left. Raises httpcore.ReadTimeout when nothing is."""
        left = self.left()
        if left <= 0:
            raise httpcore.ReadTimeout(self.why())
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
