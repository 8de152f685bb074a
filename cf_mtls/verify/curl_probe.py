"""The second witness: the real `curl`, whose exact command can be pasted.

Rules of this file:
- Keys go by path and never as text; the command is run as a list, never through a shell.
- The user's own .curlrc is ignored (`--disable`, which curl wants first).
- curl's exit code says which layer failed: facts, edge-and-probes 3 and 5.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cf_mtls.model.evidence import Evidence, Got
from cf_mtls.verify.httpx_probe import KEPT_HEADERS, TIMEOUT_S

if TYPE_CHECKING:
    from cf_mtls.model.evidence import Probe

EXITS: dict[int, Got] = {
    6: Got.UNREACHABLE,
    7: Got.UNREACHABLE,
    28: Got.TIMEOUT,
    35: Got.TLS_REFUSED,
    52: Got.CLOSED,
    55: Got.CLOSED,
    56: Got.CLOSED,
    58: Got.UNTRIED,
    60: Got.CONFUSED,
    92: Got.CLOSED,
}
"""curl's exit code to the shape of the failure; any other is CONFUSED."""


def found() -> str | None:
    """The path of the curl binary, None when there is none."""
    return shutil.which("curl")


@dataclass(frozen=True, slots=True)
class CurlWitness:
    """Asks with curl. connect_to and cacert: as on curl's command line."""

    binary: str
    connect_to: tuple[str, ...] = ()
    cacert: str | None = None
    http2: bool = True
    timeout_s: float = TIMEOUT_S

    name = "curl"

    def command(self, probe: Probe) -> list[str]:
        """The command as a list, the binary by its plain name."""
        target, client = probe.target, probe.client
        return [
            "curl", "--disable", "--silent", "--show-error", "--dump-header", "-", "--output", "/dev/null",
            *(["--http2"] if self.http2 else ["--http1.1"]),
            "--max-time", f"{self.timeout_s:g}",
            *(["--request", target.method] if target.method not in {"GET", "HEAD"} else []),
            *(["--head"] if target.method == "HEAD" else []),
            *(word for mapping in self.connect_to for word in ("--connect-to", mapping)),
            *(["--cacert", self.cacert] if self.cacert else []),
            *(["--cert", client.certificate, "--key", client.key] if client else []),
            target.url,
        ]  # fmt: skip

    def ask(self, probe: Probe) -> Evidence:
        """What one run of curl saw; never raises for what the other side does."""
        command = self.command(probe)
        began = time.monotonic()
        ran = subprocess.run(  # noqa: S603 - a list, our own words and the plan's paths
            [self.binary, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        ms = round((time.monotonic() - began) * 1000)
        shown = shlex.join(command)
        if ran.returncode:
            detail = ran.stderr.decode("utf-8", "replace").strip() or f"curl's exit code {ran.returncode}"
            return Evidence(
                failure=EXITS.get(ran.returncode, Got.CONFUSED), detail=detail, ms=ms, command=shown
            )
        status, version, headers = _parse(ran.stdout.decode("latin-1"))
        return Evidence(status, version, headers, ms=ms, command=shown)


def _parse(dump: str) -> tuple[int | None, str, tuple[tuple[str, str], ...]]:
    """Status, HTTP version and kept headers of the last answer of a dump; 100 Continue comes first."""
    last = [block for block in dump.replace("\r\n", "\n").split("\n\n") if block.startswith("HTTP/")][-1:]
    if not last:
        return None, "", ()
    first, *rest = last[0].split("\n")
    version, _, after = first.partition(" ")
    number = after.split(" ", 1)[0]
    pairs = (line.partition(":")[::2] for line in rest if ":" in line)
    kept = tuple((k.lower(), v.strip()) for k, v in pairs if k.lower() in KEPT_HEADERS)
    return (int(number) if number.isdigit() else None), version, kept
