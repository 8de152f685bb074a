"""What a killed apply runs: the real plan and apply, on a transport that ends the process after the nth answer."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from cf_mtls import workflow
from cf_mtls.diagnostics import Failure
from cf_mtls.emulator.server import Ready
from cf_mtls.model.plan import NOTHING, Allowed, Phase, Plan
from cf_mtls.planning.admission import NO_PEOPLE
from cf_mtls.remote.apply import Applier
from cf_mtls.remote.gateway import Reader, Writer, client_for
from cf_mtls.remote.pace import Clock, Pace
from cf_mtls.remote.snapshot import read
from cf_mtls.remote.stages import Boundary
from tests.emulated.edge import edge_trusts

QUICKLY = 40
"""How many times faster waits pass here than they say."""

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CALLS = WRITES | {"GET"}


@dataclass(frozen=True)
class Job:
    """A plan file to apply, with what its author typed."""

    file: Path
    allowed: Allowed = NOTHING
    destroy: bool = False


class Killing(httpx.BaseTransport):
    """Passes requests on, and kills the process once the nth answer has come. n of 0 never does.

    among: the methods that count.
    """

    def __init__(self, n: int, among: Collection[str]) -> None:
        self.left, self.lock, self.inner, self.among = n, threading.Lock(), httpx.HTTPTransport(), among
        self.methods: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        response.read()
        with self.lock:
            self.methods.append(request.method)
            if request.method in self.among and sum(m in self.among for m in self.methods) == self.left:
                os.kill(os.getpid(), signal.SIGKILL)
        return response

    def close(self) -> None:
        self.inner.close()


def pace() -> Pace:
    """Patience that passes quickly."""
    import time

    return Pace(Clock(lambda: time.monotonic() * QUICKLY, lambda s: time.sleep(s / QUICKLY)))


def planned(job: Job, ready: Ready, transport: httpx.BaseTransport | None = None) -> Plan:
    """The plan of a job as things stand."""
    stack = workflow.validate(job.file, datetime.now(UTC))
    account = workflow.Account(ready.token, ready.api_base_url, ready.account_id)
    scope = workflow.scope_of(stack, account)
    with client_for(ready.token, ready.api_base_url, transport=transport) as client:
        actual = read(Reader(client), scope, pace()).state
    declared = type(stack.state)() if job.destroy else stack.state
    people = replace(NO_PEOPLE, beside=workflow.people_of(stack, actual).beside)
    return workflow.planned(stack.name, scope, declared, actual, job.allowed, people)


def run(job: Job, ready: Ready, n: int = 0, among: Collection[str] = CALLS) -> list[str]:
    """Plan and apply; the methods of the calls made. With n the process is gone after the nth of those `among`."""
    transport = Killing(n, among)
    made = planned(job, ready, transport)
    errors = [d for d in made.diagnostics if d.is_error]
    assert not errors, errors

    def between(boundary: Boundary) -> None:
        if boundary.next and boundary.next >= Phase.DEMAND:
            edge_trusts(ready, boundary)

    with client_for(ready.token, ready.api_base_url, transport=transport) as client:
        Applier(Writer(client), pace(), between=between).apply(made)
    return transport.methods


def outcome(job: Job, ready: Ready) -> None:
    """Run to the end; exit 1 when it was stopped with a message. For a process of its own."""
    try:
        run(job, ready)
    except Failure:
        sys.exit(1)
