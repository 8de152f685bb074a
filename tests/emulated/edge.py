"""The emulated edge as others see it: who gets in, all along; and what it trusts by now."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cf_mtls.emulator.server import Ready
from cf_mtls.model.resources import CaCertificate
from cf_mtls.remote.stages import Boundary


def lever(ready: Ready, name: str, body: Any = None, method: str | None = None) -> Any:
    """What a management lever answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{ready.management}/{name}", data, method=method or ("PUT" if data else "GET")
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def edge_trusts(ready: Ready, boundary: Boundary, patience_s: float = 10) -> None:
    """Wait until the edge trusts every CA that stays, on every hostname it has by now, as a careful operator would."""
    staying = [
        (ca.name, host)
        for address, ca in boundary.state.of(CaCertificate)
        if isinstance(end := boundary.final.get(address), CaCertificate)
        for host in set(ca.associated_hostnames) & set(end.associated_hostnames)
    ]
    until = time.monotonic() + patience_s
    while True:
        names = {raw["id"]: raw["name"] for raw in lever(ready, "state")["certificates"]}
        trusted = {
            (names[i], host) for host, ids in lever(ready, "edge")["trust"].items() for i in ids if i in names
        }
        missing = set(staying) - trusted
        if not missing:
            return
        assert time.monotonic() < until, missing
        time.sleep(0.01)


@dataclass(frozen=True)
class Asking:
    """One request to make again and again: where, and with which certificate (PEM with key) if any."""

    host: str
    path: str
    who: str
    pem: Path | None = None


@dataclass
class Prober:
    """Hits the edge all along and remembers every change of an outcome."""

    ready: Ready
    asking: list[Asking]
    outcomes: dict[Asking, list[int]] = field(default_factory=dict)
    sweeps: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._contexts = {a: self._context(a.pem) for a in self.asking}
        self._thread = threading.Thread(target=self._go)

    def _context(self, pem: Path | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ready.edge_ca)
        if pem:
            context.load_cert_chain(pem)
        return context

    def ask_once(self, asking: Asking) -> int:
        """The status of one request that is not among those asked again and again."""
        self._contexts[asking] = self._context(asking.pem)
        return self.ask(asking)

    def ask(self, asking: Asking) -> int:
        """The status of one request on a connection of its own."""
        host, _, port = self.ready.edge.rpartition(":")
        with socket.create_connection((host, int(port)), 10) as raw:
            tls = self._contexts[asking].wrap_socket(raw, server_hostname=asking.host)
            connection = http.client.HTTPConnection(asking.host)
            connection.sock = tls
            connection.request("GET", asking.path)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status

    def sweep(self) -> dict[Asking, int]:
        """Every request once, remembered."""
        seen = {asking: self.ask(asking) for asking in self.asking}
        for asking, status in seen.items():
            known = self.outcomes.setdefault(asking, [])
            if not known or known[-1] != status:
                known.append(status)
        self.sweeps += 1
        self.requests += len(seen)
        return seen

    def _go(self) -> None:
        while not self._over.is_set():
            self.sweep()

    def __enter__(self) -> Self:
        self.sweep()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.sweep()

    def glitches(self) -> dict[Asking, list[int]]:
        """What changed more than once."""
        return {asking: seen for asking, seen in self.outcomes.items() if len(seen) > 2}


def files(folder: Path, identities: Iterable[tuple[str, Any]]) -> dict[str, Path]:
    """Each identity as one PEM file with its key."""
    found = {}
    for name, identity in identities:
        found[name] = folder / f"{name}-both.pem"
        found[name].write_text(identity.certificate_pem + identity.key_pem, "ascii")
        found[name].chmod(0o600)
    return found
