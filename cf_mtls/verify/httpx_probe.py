"""The default witness: HTTPS requests with httpx, each on a connection of its own.

Rules of this file:
- A fresh connection per request: no pooled connection, no resumed session, no cookie from another probe.
- A failure is mapped to the shape it has; "closed after the handshake" is not "network down".
- Redirects are not followed, bodies are not read; proxies and credentials of the environment are not used.
- The whole request has one deadline, so that a server that drips cannot hold anybody.

httpx has no public way to say where a host is connected to, so the transport's pool is replaced by one with
our network backend; `pyproject.toml` pins httpx for it.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from cf_mtls.model.evidence import Evidence, Got
from cf_mtls.quick import dataclass
from cf_mtls.verify import proofs
from cf_mtls.verify.answer import evidence, no_cookie, replayable
from cf_mtls.verify.connect import route
from cf_mtls.verify.private import private
from cf_mtls.verify.resumption import Resumption
from cf_mtls.verify.stopwatch import ms_since

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.model.evidence import Probe
    from cf_mtls.pki.identity import Identity
    from cf_mtls.verify.connect import ConnectTo

TIMEOUT_S = 20.0


class Stream(httpcore.NetworkStream):
    """A stream on which nothing outlasts a common deadline."""

    def __init__(self, inner: httpcore.NetworkStream, until: float) -> None:
        """until: on `time.monotonic`."""
        self._inner, self._until = inner, until

    def _left(self, timeout: float | None) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer was not complete in time")
        return min(left, timeout or left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As the stream does."""
        return self._inner.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As the stream does."""
        self._inner.write(buffer, self._left(timeout))

    def close(self) -> None:
        """As the stream does."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """As the stream does, on the same deadline."""
        return Stream(self._inner.start_tls(ssl_context, server_hostname, self._left(timeout)), self._until)

    def get_extra_info(self, info: str) -> Any:
        """As the stream does."""
        return self._inner.get_extra_info(info)


class Backend(httpcore.SyncBackend):
    """Connects where `--connect-to` says."""

    def __init__(self, mappings: tuple[ConnectTo, ...], until: float) -> None:
        """mappings: the first match wins. until: as in `Stream`."""
        self._mappings, self._until = mappings, until

    def connect_tcp(self, host: str, port: int, **options: Any) -> httpcore.NetworkStream:  # type: ignore[override]
        """A TCP stream to where the mappings send this host and port."""
        to_host, to_port = route(self._mappings, host, port)
        return Stream(super().connect_tcp(to_host, to_port, **options), self._until)


@dataclass(frozen=True, slots=True)
class HttpxWitness:
    """Asks with httpx. cacert: PEM file that the server's certificate is judged by; None for the system's."""

    connect_to: tuple[ConnectTo, ...] = ()
    cacert: str | None = None
    http2: bool = True
    timeout_s: float = TIMEOUT_S
    _contexts: dict[str, ssl.SSLContext] = field(default_factory=dict, repr=False, compare=False)

    name = "httpx"
    can = proofs.ALL
    at_once = 16

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        """What one probe saw; never raises for what the other side does. identity: what the probe shows."""
        try:
            if probe.other_host:
                seen = Resumption(self.connect_to, self.cacert, self.timeout_s).ask(probe, identity)
            elif probe.is_replay:
                seen = self._replay(probe, self._context(identity))
            else:
                seen = self._request(probe, self._context(identity))
        except (ssl.SSLError, OSError) as error:
            seen = Evidence(failure=Got.UNTRIED, detail=f"the client's certificate cannot be used ({error})")
        return replace(seen, witness=self.name)

    def _replay(self, probe: Probe, context: ssl.SSLContext) -> Evidence:
        first = self._request(probe, context)
        cookie = replayable(first)
        if cookie is None:
            return no_cookie(first)
        return self._request(probe, self._context(None), {"cookie": cookie})

    def _request(
        self, probe: Probe, context: ssl.SSLContext, headers: Mapping[str, str] | None = None
    ) -> Evidence:
        began = time.monotonic()
        try:
            with (
                self._client(context) as client,
                client.stream(probe.target.method, probe.url, headers=headers) as response,
            ):
                got = response.headers.multi_items()
                return evidence(response.status_code, response.http_version, got, ms_since(began))
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            failure, detail = failure_of(error)
            return Evidence(failure=failure, detail=detail, ms=ms_since(began))

    def _context(self, identity: Identity | None) -> ssl.SSLContext:
        """A context is dear and may serve many connections; sessions are never taken from one to another."""
        key = identity.certificate.sha256 if identity else ""
        if key not in self._contexts:
            context = ssl.create_default_context(cafile=self.cacert)
            if identity:
                with private(identity) as (path, _):
                    context.load_cert_chain(path)
            self._contexts[key] = context
        return self._contexts[key]

    def _client(self, context: ssl.SSLContext) -> httpx.Client:
        transport = httpx.HTTPTransport(verify=context, http2=self.http2)
        backend = Backend(self.connect_to, time.monotonic() + self.timeout_s)
        transport._pool = httpcore.ConnectionPool(  # noqa: SLF001 - see the head of this file
            ssl_context=context, http2=self.http2, network_backend=backend
        )
        return httpx.Client(
            transport=transport, timeout=self.timeout_s, follow_redirects=False, trust_env=False
        )


def failure_of(error: Exception) -> tuple[Got, str]:
    """The shape of a failure, and what was said."""
    said = str(error) or type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return Got.UNREACHABLE, said
        case httpx.TimeoutException() | TimeoutError():
            return Got.TIMEOUT, said
        case httpx.ConnectError() | ssl.SSLError() if "CERTIFICATE_VERIFY_FAILED" in said:
            return Got.UNTRUSTED, said
        case httpx.ConnectError() if _is_about_tls(error, said):
            return Got.TLS_REFUSED, said
        case httpx.ConnectError():
            return Got.UNREACHABLE, said
        case httpx.RemoteProtocolError() if "disconnected" not in said and "terminated" not in said.lower():
            return Got.CONFUSED, said
        case httpx.ReadError() | httpx.WriteError() | httpx.RemoteProtocolError() | OSError():
            return Got.CLOSED, said
        case _:
            return Got.CONFUSED, said


def _is_about_tls(error: Exception, said: str) -> bool:
    """Whether the connection stood and the handshake failed: an alert, or the line cut in the middle of it."""
    words = ("ssl", "alert", "eof occurred", "reset by peer")
    return any(word in said.lower() for word in words) or isinstance(error.__cause__, ssl.SSLError)
