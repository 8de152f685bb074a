"""Proofs side by side, beside the same proofs one after another.

URLs on 10 hostnames, three proofs each (no certificate, a client, another CA of the same name), against an emulator in
a process of its own that answers after 50 ms. A verdict that is not a pass ends the run.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cf_mtls import proving, workflow
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.evidence import Outcome
from cf_mtls.model.resources import AccessApplication
from cf_mtls.pki.authority import root
from cf_mtls.verify.connect import parse
from cf_mtls.verify.httpx_probe import HttpxWitness
from cf_mtls.verify.wallet import open_all
from tests.bench.table import Ask, Figure, Measured

HOSTS = 10
EACH = 5
"""Domains of an application: as many as there may be, so that the API's own pace is not in the way."""
LATENCY_S = 0.05
PROOFS = frozenset({1, 2, 3})
SIDE_BY_SIDE = "300 proofs, side by side"
ROWS = (Ask(SIDE_BY_SIDE, "one after another", most=0.25),)


def emulate(hosts: list[str], pipe: Any) -> None:
    """An emulator whose edge answers late; ends when the pipe says so."""
    with running(Options(hostnames=tuple(hosts), switches={"association-delay": 0.0})) as emulator:
        right = emulator.emulator.host._answer

        async def late(request: Any, peer: Any) -> Any:
            await asyncio.sleep(LATENCY_S)
            return await right(request, peer)

        emulator.emulator.host._answer = late
        pipe.send(emulator.ready)
        pipe.recv()


def post(ready: Ready, path: str, body: dict[str, Any]) -> None:
    """Make a thing through the API."""
    request = urllib.request.Request(
        f"{ready.api_base_url}/accounts/{ready.account_id}/access/{path}",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {ready.token}", "content-type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def plan(folder: Path, hosts: list[str], urls: int) -> Path:
    """A plan file with so many applications, and its certificates."""
    now = datetime.now(UTC)
    ca = root("Bench CA", now=now)
    jean = ca.issue("jean", now=now)
    (folder / "ca.pem").write_text(ca.chain.pem)
    (folder / "jean.pem").write_text(jean.certificate_pem + jean.key_pem)
    domains = [f"{hosts[n % HOSTS]}/a{n}" for n in range(urls)]
    apps = {f"a{n}": {"domains": domains[n : n + EACH]} for n in range(0, urls, EACH)}
    content = {
        "version": 1,
        "stack": "bench",
        "certificates": {"ca": {"chain": "ca.pem", "associated_hostnames": hosts}},
        "applications": apps,
        "clients": {"jean": {"certificate": "jean.pem"}},
    }
    (folder / "plan.yaml").write_text(json.dumps(content))
    return folder / "plan.yaml"


def measured(asked: proving.Subject, witness: HttpxWitness, at_once: int) -> float:
    """Seconds that the proofs take, so many requests side by side."""
    witness_ = Some(witness, at_once)
    began = time.perf_counter()
    verdicts = proving.verify(asked, witness_)
    seconds = time.perf_counter() - began
    wrong = [v for v in verdicts if v.outcome is not Outcome.PASS]
    if wrong:
        sys.exit(f"{len(wrong)} of {len(verdicts)} are not a pass: {wrong[0].probe.url}: {wrong[0].why}")
    return seconds


class Some:
    """A witness with another number of requests side by side."""

    def __init__(self, inner: HttpxWitness, at_once: int) -> None:
        self.name, self.can, self.at_once, self.ask = inner.name, inner.can, at_once, inner.ask


def measure(urls: int = 100) -> Measured:
    """Milliseconds of both ways."""
    hosts = [f"h{n}.bench.example" for n in range(HOSTS)]
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=emulate, args=(hosts, theirs), daemon=True)
    child.start()
    with tempfile.TemporaryDirectory() as folder:
        ready = ours.recv()
        stack = workflow.validate(plan(Path(folder), hosts, urls), datetime.now(UTC))
        pem = (Path(folder) / "ca.pem").read_text()
        post(ready, "certificates", {"name": "ca", "certificate": pem, "associated_hostnames": hosts})
        policy = {"name": "valid", "decision": "non_identity", "include": [{"certificate": {}}]}
        for _, app in stack.state.of(AccessApplication):
            where = [{"type": "public", "uri": domain} for domain in app.domains]
            body = {"type": "self_hosted", "name": app.name, "destinations": where, "policies": [policy]}
            post(ready, "apps", body)
        wallet = open_all(stack.clients, lambda _: None)
        asked = proving.subject(stack.targets, wallet, stack.state, datetime.now(UTC), PROOFS)
        witness = HttpxWitness((parse(f"::{ready.edge}"),), ready.edge_ca)
        proving.verify(replace(asked, probes=asked.probes[:6]), witness)  # the first contexts are dear
        after_another = measured(asked, witness, 1)
        beside = measured(asked, witness, witness.at_once)
        ours.send("over")
        child.join(10)
    return {SIDE_BY_SIDE: Figure(1000 * beside, 1000 * after_another)}
