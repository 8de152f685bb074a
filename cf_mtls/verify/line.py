"""A TLS connection that can be looked into: who was asked for what, and which session it may be resumed by.

Rules of this file:
- One request over HTTP/1.1; of the answer only the head is read, at most `LONGEST_HEAD` bytes.
- Everything on a line shares one deadline.
- What the other side does wrong is an OSError, with OpenSSL's words.

Not checked: that the server's certificate carries the hostname; that somebody trusted signed it is.
Source: facts, edge-and-probes 3.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeVar

from OpenSSL import SSL

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from cf_mtls.pki.identity import Identity
    from cf_mtls.pki.pem import Certificate

    T = TypeVar("T")

CHUNK = 65536
LONGEST_HEAD = 262144


def context(
    cacert: str | None, *, judge_server: bool = True, sent: Iterable[Certificate] = ()
) -> SSL.Context:
    """A client's TLS context, complete: nothing is set on one that has made a connection. Sessions belong to it.

    cacert: PEM file, None for the system's CAs. sent: the issuers that go along with the certificate that a line
    shows; a line that shows none sends none of them.
    """
    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_default_verify_paths() if cacert is None else made.load_verify_locations(cacert)
    if judge_server:
        made.set_verify(SSL.VERIFY_PEER)
    for issuer in sent:
        made.add_extra_chain_cert(issuer.x509)
    return made


@dataclass(frozen=True, slots=True)
class Way:
    """Where a line goes. address: host and port to connect to. host: the name asked for."""

    address: tuple[str, int]
    host: str
    timeout_s: float


class Line:
    """An open TLS connection; a context manager. OSError when there is none."""

    def __init__(self, way: Way, tls: SSL.Context, session: SSL.Session | None = None) -> None:
        """session: one to offer for resumption, made on the same context."""
        self._until = time.monotonic() + way.timeout_s
        self._socket = socket.create_connection(way.address, timeout=way.timeout_s)
        self._tls = SSL.Connection(tls, None)
        self._tls.set_tlsext_host_name(way.host.encode("idna"))
        if session is not None:
            self._tls.set_session(session)
        self._tls.set_connect_state()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(SSL.Error, OSError):
            self._tls.shutdown()  # OpenSSL never resumes a session whose connection ended without a goodbye
            self._flush()
        self._socket.close()

    def show(self, identity: Identity) -> None:
        """Show this certificate when one is asked for; on this connection alone. Its issuers: see `context`."""
        self._tls.use_certificate(identity.certificate.x509)
        self._tls.use_privatekey(identity.key)

    def shake(self) -> None:
        """Do the handshake."""
        self._pump(self._tls.do_handshake)

    @property
    def version(self) -> str:
        """Such as TLSv1.3."""
        return self._tls.get_protocol_version_name()

    @property
    def wanted(self) -> tuple[str, ...]:
        """The CAs that the server named when it asked for a certificate. Untrusted text."""
        return tuple(_name(n.get_components()) for n in self._tls.get_client_ca_list())

    @property
    def session(self) -> SSL.Session | None:
        """What the connection may be resumed by, once an answer was read."""
        return self._tls.get_session()

    def exchange(self, method: str, target: str, host: str) -> str:
        """The head of the answer to one request, as text."""
        asked = (
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: cf-mtls\r\nConnection: close\r\n\r\n"
        )
        self._pump(lambda: self._tls.sendall(asked.encode("ascii")))
        head = b""
        while b"\r\n\r\n" not in head and len(head) < LONGEST_HEAD:
            head += self._pump(lambda: self._tls.recv(CHUNK))
        return head.partition(b"\r\n\r\n")[0].decode("latin-1") + "\r\n\r\n"

    def _pump(self, act: Callable[[], T]) -> T:
        """The result of an act of TLS, after as many exchanges of bytes as it takes."""
        while True:
            try:
                result = act()
            except SSL.WantReadError:
                self._flush()
                self._fill()
            except (SSL.ZeroReturnError, SSL.SysCallError) as error:
                raise ConnectionResetError("closed by the server") from error
            except SSL.Error as error:
                self._flush()  # the alert that says why
                raise ConnectionError(_reason(error)) from error
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        while True:
            try:
                data = self._tls.bio_read(CHUNK)
            except SSL.WantReadError:
                return
            self._socket.sendall(data)

    def _fill(self) -> None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._socket.settimeout(left)
        data = self._socket.recv(CHUNK)
        if not data:
            raise ConnectionResetError("closed by the server")
        self._tls.bio_write(data)


def _name(components: list[tuple[bytes, bytes]]) -> str:
    return ",".join(
        f"{k.decode('ascii', 'replace')}={v.decode('utf-8', 'replace')}" for k, v in reversed(components)
    )


def _reason(error: SSL.Error) -> str:
    """OpenSSL's own words for the last of its errors."""
    listed = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(listed[-1][-1]) if listed else "TLS failed"
