"""The emulator's edge beside a real nginx with the same configuration: 200 hostnames, 20 CAs, two clients at once.

Also: while all 20 CAs change their hostnames again and again, no connection may fail.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from cf_mtls.pki.authority import Authority, root
from tests.bench import client
from tests.bench.accounts import SERVICE_AUTH, ZONE
from tests.bench.client import Told, Where
from tests.bench.rehearsal import Rehearsal, rehearsing
from tests.bench.table import Ask, Figure, Measured

HOSTS = [f"h{n}.{ZONE}" for n in range(200)]
CAS = 20
WORKERS = 2
NGINX = "nginx, same configuration"
HANDSHAKES, REQUESTS, FAILED = (
    "handshakes a second",
    "requests a second",
    "connections that fail under changes",
)
ROWS = (Ask(HANDSHAKES, NGINX, "/s"), Ask(REQUESTS, NGINX, "/s"), Ask(FAILED, unit="", most=0))

Client = Callable[[Where, float], Told]


def measure(seconds: float = 1.5, rounds: int = 3) -> Measured:
    """Rates of both edges in the same rounds; the median of each."""
    now = datetime.now(UTC)
    cas = [root(f"CA {n}", now=now) for n in range(CAS)]
    pool_of = multiprocessing.get_context("spawn")
    with ExitStack() as stack, ProcessPoolExecutor(WORKERS, pool_of) as pool:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(rehearsing(_state(cas)))
        edges = {"embedded": _where(ours, cas[0], folder)}
        if shutil.which("nginx") or Path("/usr/sbin/nginx").exists():
            theirs = stack.enter_context(rehearsing(_state(cas), (), "--edge", "nginx"))
            edges["nginx"] = _where(theirs, cas[0], folder)
        rates: dict[tuple[str, Client], list[float]] = {}
        for _ in range(rounds + 1):
            for edge, where in edges.items():
                for kind in (client.handshakes, client.requests):
                    rate, failed = _storm(pool, kind, where, seconds)
                    assert not failed, failed[:3]
                    rates.setdefault((edge, kind), []).append(rate)
        _, failed = _storm(
            pool, client.handshakes, edges["embedded"], 2 * seconds, lambda n: _replace(ours, n)
        )
    return {
        HANDSHAKES: _beside(rates, client.handshakes),
        REQUESTS: _beside(rates, client.requests),
        FAILED: Figure(len(failed)),
    }


def _beside(rates: dict[tuple[str, Client], list[float]], kind: Client) -> Figure | str:
    if ("nginx", kind) not in rates:
        return "nginx is not installed"
    return Figure(median(rates["embedded", kind][1:]), median(rates["nginx", kind][1:]))


def _state(cas: list[Authority]) -> dict[str, Any]:
    return {
        "zones": [ZONE],
        "certificates": [
            {"name": f"ca {n}", "certificate": ca.chain.pem, "associated_hostnames": HOSTS[n::CAS]}
            for n, ca in enumerate(cas)
        ],
        "apps": [
            {"name": "all", "type": "self_hosted", "domain": f"*.{ZONE}", "policies": [SERVICE_AUTH]},
        ],
    }  # fmt: skip


def _where(emulator: Rehearsal, ca: Authority, folder: Path) -> Where:
    jean = ca.issue("jean", now=datetime.now(UTC))
    certificate, key = folder / "jean.pem", folder / "jean.key"
    certificate.write_text(jean.certificate_pem, "ascii")
    key.write_text(jean.key_pem, "ascii")
    return Where(emulator.edge, emulator.edge_ca, str(certificate), str(key), HOSTS)


def _storm(
    pool: ProcessPoolExecutor, kind: Client, where: Where, seconds: float, meanwhile: Any = None
) -> Told:
    """All clients at once: their rates together, and what failed."""
    jobs = [pool.submit(kind, replace(where, hosts=where.hosts[n::WORKERS]), seconds) for n in range(WORKERS)]
    number = 0
    while meanwhile and not all(job.done() for job in jobs):
        meanwhile(number)
        number += 1
        time.sleep(0.4)
    told = [job.result(timeout=seconds + 30) for job in jobs]
    return sum(rate for rate, _ in told), [failure for _, failures in told for failure in failures]


def _replace(emulator: Rehearsal, number: int) -> None:
    base = f"{emulator.env['CLOUDFLARE_BASE_URL']}/accounts/{emulator.env['CLOUDFLARE_ACCOUNT_ID']}/access/certificates"
    headers = {"authorization": f"Bearer {emulator.env['CLOUDFLARE_API_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(base, headers=headers), timeout=10) as answer:
        listed = json.load(answer)["result"]
    for n, ca in enumerate(sorted(listed, key=lambda raw: str(raw["name"]))):
        body = {"name": ca["name"], "associated_hostnames": HOSTS[(n + number + 1) % CAS :: CAS]}
        request = urllib.request.Request(
            f"{base}/{ca['id']}", json.dumps(body).encode(), headers | {"content-type": "application/json"},
            method="PUT",
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=10):
            pass
