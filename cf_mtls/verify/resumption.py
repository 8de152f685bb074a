"""A TLS session opened on one hostname, offered to another: must open nothing there.

Rules of this file:
- Both connections go where the second hostname's do: a session is worth something only to the server that made it.
- The first is opened with the client's certificate; the second offers its session and has no certificate.
- An edge that does not resume answers as it would without a certificate, which is right.

Source: CVE-2025-23419; facts, edge-and-probes 5.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cf_mtls.model.evidence import Evidence, Got
from cf_mtls.quick import dataclass
from cf_mtls.verify.answer import parse
from cf_mtls.verify.connect import route
from cf_mtls.verify.line import Line, Way, context
from cf_mtls.verify.stopwatch import ms_since

if TYPE_CHECKING:
    from OpenSSL import SSL

    from cf_mtls.model.evidence import Probe
    from cf_mtls.pki.identity import Identity
    from cf_mtls.verify.connect import ConnectTo


@dataclass(frozen=True, slots=True)
class Resumption:
    """Offers sessions. cacert and connect_to: as for the witness that it helps."""

    connect_to: tuple[ConnectTo, ...]
    cacert: str | None
    timeout_s: float

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        """What the probe's URL answered to the session of another hostname. identity: who opened that session."""
        host, other = probe.host, probe.other_host or ""
        address = route(self.connect_to, host, 443)
        try:
            tls = context(self.cacert, sent=identity.sent if identity else ())
            session = self._session(Way(address, other, self.timeout_s), tls, identity)
        except (OSError, UnicodeError) as error:
            return Evidence(failure=Got.UNTRIED, detail=f"no session could be opened on {other}: {error}")
        if session is None:
            return Evidence(failure=Got.UNTRIED, detail=f"{other} gave no session that could be resumed")
        return self._offer(probe, Way(address, host, self.timeout_s), tls, session)

    @staticmethod
    def _session(way: Way, tls: SSL.Context, identity: Identity | None) -> SSL.Session | None:
        with Line(way, tls) as line:
            if identity:
                line.show(identity)
            line.shake()
            line.exchange("HEAD", "/", way.host)  # in TLS 1.3 sessions come with the first answer
            return line.session

    @staticmethod
    def _offer(probe: Probe, way: Way, tls: SSL.Context, session: SSL.Session) -> Evidence:
        began = time.monotonic()
        parts = urlsplit(probe.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            with Line(way, tls, session) as line:
                line.shake()
                head = line.exchange(probe.target.method, target, way.host)
        except TimeoutError as error:
            return Evidence(failure=Got.TIMEOUT, detail=str(error), ms=ms_since(began))
        except OSError as error:
            said = str(error) or type(error).__name__
            untrusted = "certificate verify failed" in said
            return Evidence(
                failure=Got.UNTRUSTED if untrusted else Got.CLOSED, detail=said, ms=ms_since(began)
            )
        return parse(head, ms_since(began))
