"""The second witness: the real `curl`, whose exact command can be pasted.

Rules of this file:
- Keys go by path and never as text; the command is run as a list, never through a shell.
- What curl cannot open by itself (an encrypted key, PKCS#12, a certificate made on the spot) is handed to it as a
  file in memory; the command that is shown names the declared files, and curl asks whoever pastes it.
- A cookie goes through standard input, because arguments stand in the process list.
- A command that nobody else can run, because its certificate or cookie is gone, is shown as a comment.
- The user's own .curlrc is ignored (`--disable`, which curl wants first), and so are proxies of the environment.
- curl's exit code says which layer failed: facts, edge-and-probes 3 and 5.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from cf_mtls import child_process
from cf_mtls.model.evidence import Evidence, Got
from cf_mtls.quick import dataclass
from cf_mtls.verify import proofs
from cf_mtls.verify.answer import no_cookie, parse, replayable
from cf_mtls.verify.httpx_probe import TIMEOUT_S
from cf_mtls.verify.private import private
from cf_mtls.verify.stopwatch import ms_since

if TYPE_CHECKING:
    from cf_mtls.model.evidence import Probe
    from cf_mtls.model.people import Client
    from cf_mtls.pki.identity import Identity

EXITS: dict[int, Got] = {
    6: Got.UNREACHABLE,
    7: Got.UNREACHABLE,
    28: Got.TIMEOUT,
    35: Got.TLS_REFUSED,
    52: Got.CLOSED,
    55: Got.CLOSED,
    56: Got.CLOSED,
    58: Got.UNTRIED,
    60: Got.UNTRUSTED,
    92: Got.CLOSED,
}
"""curl's exit code to the shape of the failure; any other is CONFUSED."""

GRACE_S = 5.0
"""How much longer than its own limit curl may take before it is ended."""

ON_THE_SPOT = "made-on-the-spot.pem"
"""What a command shows in place of a certificate that exists in memory only."""

COOKIE = ("--header", "@-")
"""The cookie comes in as a header from standard input."""


def found() -> str | None:
    """The path of the curl binary, None when there is none."""
    return child_process.which("curl")


@dataclass(frozen=True, slots=True)
class CurlWitness:
    """Asks with curl. connect_to and cacert: as on curl's command line."""

    binary: str
    connect_to: tuple[str, ...] = ()
    cacert: str | None = None
    http2: bool = True
    timeout_s: float = TIMEOUT_S

    name = "curl"
    can = proofs.ALL - {proofs.RESUMPTION}
    at_once = 8

    def command(self, probe: Probe, certificate: tuple[str, ...]) -> list[str]:
        """The command as a list, the binary by its plain name. certificate: what is shown, as curl's words."""
        return [
            "curl", "--disable", "--silent", "--show-error", "--dump-header", "-", "--output", "/dev/null",
            *(["--http2"] if self.http2 else ["--http1.1"]),
            "--max-time", f"{self.timeout_s:g}",
            *(["--request", probe.target.method] if probe.target.method not in {"GET", "HEAD"} else []),
            *(["--head"] if probe.target.method == "HEAD" else []),
            *(word for mapping in self.connect_to for word in ("--connect-to", mapping)),
            *(["--cacert", self.cacert] if self.cacert else []),
            *certificate,
            "--globoff", probe.url,
        ]  # fmt: skip

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        """What curl saw; never raises for what the other side does. identity: what the probe shows."""
        shown = _shown(probe.client, identity)
        holder = private(identity) if identity else nullcontext(("", ()))
        with holder as (path, descriptors):
            words = ("--cert", path, "--key", path) if identity else ()
            seen = self._run(self.command(probe, words), descriptors)
        in_memory = identity is not None and probe.client is None
        note = "# with a certificate that exists in memory only:\n# " if in_memory else ""
        seen = replace(seen, command=note + shlex.join(self.command(probe, shown)))
        return replace(self._replay(probe, seen) if probe.is_replay else seen, witness=self.name)

    def _replay(self, probe: Probe, first: Evidence) -> Evidence:
        cookie = replayable(first)
        command = self.command(probe, COOKIE)
        note = "# the second gets the cookie that the first was given, on standard input:"
        shown = f"{note}\n# {first.command}\n# {shlex.join(command)}"
        if cookie is None:
            return replace(no_cookie(first), command=shown)
        return replace(self._run(command, said=f"cookie: {cookie}\n".encode("latin-1")), command=shown)

    def _run(self, command: list[str], descriptors: tuple[int, ...] = (), said: bytes = b"") -> Evidence:
        began = time.monotonic()
        try:
            ran = subprocess.run(  # noqa: S603 - a list, our own words and the plan's paths
                [self.binary, *command[1:]],
                input=said, capture_output=True, check=False, pass_fds=descriptors, timeout=self.timeout_s + GRACE_S,
                env=child_process.environment(child_process.SERVERS_TRUST),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Evidence(failure=Got.TIMEOUT, detail="curl did not end in time", ms=ms_since(began))
        if ran.returncode:
            detail = ran.stderr.decode("utf-8", "replace").strip() or f"curl's exit code {ran.returncode}"
            failure = Got.CONFUSED if "Too large" in detail else EXITS.get(ran.returncode, Got.CONFUSED)
            return Evidence(failure=failure, detail=detail, ms=ms_since(began))
        return parse(ran.stdout.decode("latin-1"), ms_since(began))


def _shown(client: Client | None, identity: Identity | None) -> tuple[str, ...]:
    """The words that show a certificate, for a person to paste."""
    if identity is None:
        return ()
    if client is None:
        return ("--cert", ON_THE_SPOT)
    if client.key is None and client.certificate.lower().endswith((".p12", ".pfx")):
        return ("--cert-type", "P12", "--cert", client.certificate)
    return ("--cert", client.certificate, "--key", client.key or client.certificate)
