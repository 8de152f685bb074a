"""The default witness: one HTTPS request with httpx, on a connection of its own.

Rules of this file:
- A fresh client per probe: no pooled connection, no resumed session, no cookie from another probe.
- A failure is mapped to the shape it has; "closed after the handshake" is not "network down".
- Redirects are not followed; proxies and credentials of the environment are not used.

httpx has no public way to say where a host is connected to, so the transport's pool is replaced by one with
our network backend; `pyproject.toml` pins httpx for it.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from cf_mtls.model.evidence import Evidence, Got
from cf_mtls.verify.connect import route

if TYPE_CHECKING:
    from cf_mtls.model.evidence import Client, Probe
    from cf_mtls.verify.connect import ConnectTo

TIMEOUT_S = 20.0
KEPT_HEADERS = frozenset(
    {"cf-ray", "cf-access-aud", "cf-access-domain", "location", "server", "www-authenticate", "content-type"}
)
"""What evidence keeps; never a cookie, which would let its reader in."""


class Backend(httpcore.SyncBackend):
    """Connects where `--connect-to` says."""

    def __init__(self, mappings: tuple[ConnectTo, ...]) -> None:
        """mappings: the first match wins."""
        self._mappings = mappings

    def connect_tcp(self, host: str, port: int, **options: Any) -> httpcore.NetworkStream:  # type: ignore[override]
        """A TCP stream to where the mappings send this host and port."""
        to_host, to_port = route(self._mappings, host, port)
        return super().connect_tcp(to_host, to_port, **options)


@dataclass(frozen=True, slots=True)
class HttpxWitness:
    """Asks with httpx. cacert: PEM file that the server's certificate is judged by; None for the system's."""

    connect_to: tuple[ConnectTo, ...] = ()
    cacert: str | None = None
    http2: bool = True
    timeout_s: float = TIMEOUT_S

    name = "httpx"

    def ask(self, probe: Probe) -> Evidence:
        """What one request saw; never raises for what the other side does."""
        began = time.monotonic()
        try:
            with self._client(probe.client) as client:
                response = client.request(probe.target.method, probe.target.url)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            failure, detail = _failure(error)
            return Evidence(failure=failure, detail=detail, ms=_since(began))
        return Evidence(
            response.status_code,
            response.http_version,
            tuple((k.lower(), v) for k, v in response.headers.multi_items() if k.lower() in KEPT_HEADERS),
            ms=_since(began),
        )

    def _client(self, who: Client | None) -> httpx.Client:
        context = ssl.create_default_context(cafile=self.cacert)
        if who:
            # A password is always given: without one OpenSSL would ask the terminal and hang.
            context.load_cert_chain(who.certificate, who.key, password="")
        transport = httpx.HTTPTransport(verify=context, http2=self.http2)
        transport._pool = httpcore.ConnectionPool(  # noqa: SLF001 - see the head of this file
            ssl_context=context, http2=self.http2, network_backend=Backend(self.connect_to)
        )
        return httpx.Client(
            transport=transport, timeout=self.timeout_s, follow_redirects=False, trust_env=False
        )


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _failure(error: Exception) -> tuple[Got, str]:
    said = str(error) or type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return Got.UNREACHABLE, said
        case httpx.TimeoutException():
            return Got.TIMEOUT, said
        case httpx.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in said:
            return Got.CONFUSED, f"the server's own certificate is not trusted ({said})"
        case httpx.ConnectError() if "SSL" in said or "alert" in said.lower():
            return Got.TLS_REFUSED, said
        case httpx.ConnectError():
            return Got.UNREACHABLE, said
        case httpx.ReadError() | httpx.WriteError() | httpx.RemoteProtocolError():
            return Got.CLOSED, said
        case ssl.SSLError():
            return Got.UNTRIED, f"the client's certificate and key cannot be used ({said})"
        case OSError():
            return Got.UNTRIED, f"the client's files cannot be read ({said})"
        case _:
            return Got.CONFUSED, said
