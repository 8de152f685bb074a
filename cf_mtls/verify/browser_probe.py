"""The third witness: a real Chromium, with a picture of what a person would see.

Rules of this file:
- A fresh browser for every page: Chromium remembers for which host a certificate was chosen.
- Proofs 1 and 2 only: the blocked page, and the page after a certificate was chosen.
- The installed Chromium is used; nothing is ever downloaded.
- With --cacert the server is not judged by the browser, which knows no such option; httpx and curl judge it.

Playwright presents the certificate itself, through a proxy of its own: facts, edge-and-probes 4.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cf_mtls.model.evidence import Evidence, Got
from cf_mtls.quick import dataclass
from cf_mtls.verify import proofs
from cf_mtls.verify.answer import evidence
from cf_mtls.verify.httpx_probe import TIMEOUT_S
from cf_mtls.verify.stopwatch import ms_since
from cf_mtls.verify.tunnel import tunnel

if TYPE_CHECKING:
    from cf_mtls.model.evidence import Probe
    from cf_mtls.pki.identity import Identity
    from cf_mtls.verify.connect import ConnectTo

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FAILURES = (
    ("ERR_TOO_MANY_REDIRECTS", Got.CONFUSED),
    ("ERR_CERT_", Got.UNTRUSTED),
    ("ERR_SSL_", Got.TLS_REFUSED),
    ("ERR_BAD_SSL", Got.TLS_REFUSED),
    ("ERR_CONNECTION_RESET", Got.CLOSED),
    ("ERR_CONNECTION_CLOSED", Got.CLOSED),
    ("ERR_EMPTY_RESPONSE", Got.CLOSED),
    ("ERR_HTTP2", Got.CLOSED),
    ("ERR_TIMED_OUT", Got.TIMEOUT),
    ("Timeout", Got.TIMEOUT),
    ("ERR_", Got.UNREACHABLE),
)
"""What a failed navigation says, in order, and its shape."""


def found() -> str | None:
    """The path of an installed Chromium, None when there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def has_driver() -> bool:
    """Whether the `browser` extra is installed."""
    return importlib.util.find_spec("playwright") is not None


@dataclass(frozen=True, slots=True)
class BrowserWitness:
    """Asks with a browser. program: Chromium's path. connect_to, cacert: as for httpx."""

    program: str
    connect_to: tuple[ConnectTo, ...] = ()
    cacert: str | None = None
    timeout_s: float = TIMEOUT_S

    name = "browser"
    can = frozenset({proofs.NO_CERTIFICATE, proofs.CLIENT})
    at_once = 1

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        """What the browser saw, with its picture; never raises for what the other side does."""
        from playwright.sync_api import Error, sync_playwright

        began = time.monotonic()
        try:
            with (
                tempfile.TemporaryDirectory(prefix="cf-mtls-browser-") as home,
                tunnel(self.connect_to) as proxy,
                sync_playwright() as driver,
            ):
                seen = self._page(driver, probe, identity, home, proxy)
        except Error as error:
            said = error.message.splitlines()[0]
            shape = next((got for word, got in FAILURES if word in said), Got.CONFUSED)
            seen = Evidence(failure=shape, detail=said)
        return replace(seen, witness=self.name, ms=ms_since(began))

    def _page(self, driver: Any, probe: Probe, identity: Identity | None, home: str, proxy: str) -> Evidence:
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses to run as root with it
        environment = {**os.environ, "HOME": home}  # an empty certificate store
        browser = driver.chromium.launch(executable_path=self.program, args=sandbox, env=environment)
        try:
            context = browser.new_context(
                proxy={"server": proxy} if self.connect_to else None,
                ignore_https_errors=self.cacert is not None,
                client_certificates=_certificates(probe, identity),
                viewport={"width": 960, "height": 600},
            )
            page = context.new_page()
            answer = page.goto(probe.url, timeout=self.timeout_s * 1000, wait_until="load")
            if answer is None:
                return Evidence(failure=Got.CONFUSED, detail="the browser got no answer")
            first = _first(answer.request).response() or answer
            headers = [(h["name"], h["value"]) for h in first.headers_array()]
            return replace(evidence(first.status, "", headers, 0), screenshot=page.screenshot())
        finally:
            browser.close()


def _first(request: Any) -> Any:
    """The request that a chain of redirects began with: where it led to is not ours to judge."""
    while request.redirected_from is not None:
        request = request.redirected_from
    return request


def _certificates(probe: Probe, identity: Identity | None) -> list[dict[str, Any]] | None:
    if identity is None:
        return None
    pair = {"cert": identity.certificate_pem.encode(), "key": identity.key_pem.encode()}
    return [{"origin": f"https://{probe.host}", **pair}]
