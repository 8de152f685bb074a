"""A benchmark of proofs side by side; not a test. `python tests/bench/verify.py [URLS]`

500 URLs (or as many as named) on 10 hostnames, three proofs each (no certificate, a client, another CA of the same
name), against an emulator in a process of its own that answers after 50 ms. One after another, then side by side.
Exits 1 when a verdict is not a pass, or when side by side takes a quarter of the time or more.
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

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from cf_mtls import proving, workflow
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.evidence import Outcome
from cf_mtls.model.resources import AccessApplication
from cf_mtls.pki.authority import root
from cf_mtls.verify.connect import parse
from cf_mtls.verify.httpx_probe import HttpxWitness
from cf_mtls.verify.wallet import open_all

HOSTS = 10
EACH = 5
"""Domains of an application: as many as there may be, so that the API's own pace is not in the way."""
LATENCY_S = 0.05
PROOFS = frozenset({1, 2, 3})
LIMIT = 0.25


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


def main(urls: int) -> int:
    """Both ways, and what they took."""
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
        began = time.perf_counter()
        wallet = open_all(stack.clients, lambda _: None)
        asked = proving.subject(stack.targets, wallet, stack.state, datetime.now(UTC), PROOFS)
        print(f"planning {len(asked.probes)} probes: {time.perf_counter() - began:.2f} s")
        witness = HttpxWitness((parse(f"::{ready.edge}"),), ready.edge_ca)
        proving.verify(replace(asked, probes=asked.probes[:6]), witness)  # the first contexts are dear
        after_another = measured(asked, witness, 1)
        beside = measured(asked, witness, witness.at_once)
        ours.send("over")
        child.join(10)
    ratio = beside / after_another
    print(f"{urls} URLs × {len(PROOFS)} proofs, {LATENCY_S * 1000:.0f} ms at the edge")
    print(f"one after another {after_another:.1f} s, {witness.at_once} side by side {beside:.1f} s")
    print(f"ratio {ratio:.3f}, wanted under {LIMIT}")
    return 0 if ratio < LIMIT else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
