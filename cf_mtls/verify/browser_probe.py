"""The third witness: a real Chromium, with a picture of what a person would see.

Rules of this file:
- A fresh browser for every page: Chromium remembers for which host a certificate was chosen.
- Proofs 1 and 2 only: the blocked page, and the page after a certificate was chosen.
- The installed Chromium is used; nothing is ever downloaded.
- Playwright runs in a child (`browser_page`), because it hands on the whole environment of its process.
- With --cacert the server is not judged by the browser, which knows no such option; httpx and curl judge it.

Playwright presents the certificate itself, through a proxy of its own: facts, edge-and-probes 4.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_mtls import child_process
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

PAGE = Path(__file__).with_name("browser_page.py")

GRACE_S = 30.0
"""How much longer than the page's limit the browser may take to start and end."""

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
    return next((path for name in PROGRAMS if (path := child_process.which(name))), None)


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
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="cf-mtls-browser-") as home, tunnel(self.connect_to) as proxy:
            # A home of its own: an empty certificate store, and nothing of this user's.
            env = child_process.environment(child_process.DRIVER, {"HOME": home})
            seen = self._run(self._wish(probe, identity, proxy, env), env)
        return replace(seen, witness=self.name, ms=ms_since(began))

    def _wish(
        self, probe: Probe, identity: Identity | None, proxy: str, env: dict[str, str]
    ) -> dict[str, Any]:
        """What `browser_page` is to load, and how."""
        sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium refuses to run as root with it
        return {
            "url": probe.url,
            "timeout_ms": self.timeout_s * 1000,
            "launch": {"executable_path": self.program, "args": sandbox, "env": env},
            "context": {
                "proxy": {"server": proxy} if self.connect_to else None,
                "ignore_https_errors": self.cacert is not None,
                "client_certificates": _certificates(probe, identity),
                "viewport": {"width": 960, "height": 600},
            },
        }

    def _run(self, wish: dict[str, Any], env: dict[str, str]) -> Evidence:
        try:
            ran = subprocess.run(  # noqa: S603 - this interpreter and a file of ours
                [sys.executable, "-P", str(PAGE)],
                input=json.dumps(wish).encode(), capture_output=True, check=False, env=env,
                timeout=self.timeout_s + GRACE_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Evidence(failure=Got.TIMEOUT, detail="the browser did not end in time")
        try:
            seen = json.loads(ran.stdout)
        except ValueError:
            last = (ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
            return Evidence(failure=Got.CONFUSED, detail=f"the browser could not be driven: {last}")
        return _evidence(seen)


def _evidence(seen: dict[str, Any]) -> Evidence:
    if "failure" in seen:
        shape = next((got for word, got in FAILURES if word in seen["failure"]), Got.CONFUSED)
        return Evidence(failure=shape, detail=seen["failure"])
    found = evidence(seen["status"], "", [(name, value) for name, value in seen["headers"]], 0)
    return replace(found, screenshot=base64.b64decode(seen["picture"]))


def _certificates(probe: Probe, identity: Identity | None) -> list[dict[str, str]] | None:
    if identity is None:
        return None
    pair = {"cert": identity.certificate_pem, "key": identity.key_pem}
    return [{"origin": f"https://{probe.host}", **pair}]
