"""An emulated account inside of the test's own process, without a socket: its API for a reader, its edge for an oracle.

Rules of this file:
- What a request gets is decided by the emulator's own edge, which shares nothing with `access/`.
- The account is the raw JSON of a real apply; every state is loaded whole.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from cf_mtls.emulator import state as loading
from cf_mtls.emulator.http import Request
from cf_mtls.emulator.machine import Emulator
from cf_mtls.emulator.options import Options
from cf_mtls.emulator.peer import Peer
from cf_mtls.emulator.routes import BASE
from cf_mtls.pki.identity import Identity
from cf_mtls.remote.gateway import Answer, Reader, answer
from cf_mtls.workflow import Account

State = dict[str, Any]


@dataclass(frozen=True)
class Visitor:
    """Who asks: with a certificate or without, from an address, by a method."""

    name: str
    identity: Identity | None = None
    address: str = "192.0.2.1"
    method: str = "GET"


class World:
    """One emulated account and its edge."""

    def __init__(self, account_id: str) -> None:
        quick = {"rate-limit": 10**9, "rate-per-second": 10**9}
        self.machine = Emulator(Options(account_id=account_id, switches=quick))
        self._loop = asyncio.new_event_loop()

    def load(self, state: State, **switches: Any) -> None:
        """Make this the account."""
        self.machine.world.tokens = {k: v for k, v in self.machine.world.tokens.items() if v.name == "full"}
        for name, value in {
            "zones-without-permission": "listed",
            "wildcard-hostnames": True,
            **switches,
        }.items():
            self.machine.world.switches.set(name, value)
        loading.load(self.machine.world, state)

    def token(self, **held: Any) -> str:
        """A token of chosen permissions and scopes."""
        made: str = self._managed("POST", "token", held)["token"]
        return made

    def _managed(self, method: str, lever: str, body: Any) -> Any:
        request = Request(method, f"/_emulator/{lever}", (), json.dumps(body).encode(), "127.0.0.1")
        return json.loads(self.machine.management.answer(request).body)

    @contextmanager
    def reading(self, account: Account) -> Iterator[Reader]:
        """A reader of the API, as `checking` takes it."""
        yield _InProcess(self.machine, account.token or "")

    def lets_in(self, visitor: Visitor, host: str, path: str) -> bool:
        """Whether the origin answers."""
        headers = [("host", host), ("x-emulator-address", visitor.address)]
        if visitor.method == "OPTIONS":
            headers += [("origin", "https://x.example"), ("access-control-request-method", "GET")]
        leaf = visitor.identity.certificate.der if visitor.identity else None
        sent = tuple(c.der for c in visitor.identity.sent) if visitor.identity else ()
        peer = Peer(host, self.machine.edge.demand(host), leaf, sent, "127.0.0.1")
        request = Request(visitor.method, path, tuple(headers), b"", host)
        return self._loop.run_until_complete(self.machine.edge.answer(request, peer)).status == 200

    def close(self) -> None:
        """Nothing is left behind."""
        self._loop.close()


class _InProcess(Reader):
    """The API without a wire: what it answers is read as any answer is."""

    def __init__(self, machine: Emulator, token: str) -> None:
        self._machine, self._token = machine, token

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        target = f"{BASE}{path}" + (f"?{urlencode(query)}" if query else "")
        request = Request("GET", target, (("authorization", f"Bearer {self._token}"),), b"", "127.0.0.1")
        found, _ = self._machine.api.handle(request, frozenset())
        return answer(httpx.Response(found.status, headers=list(found.headers), content=found.body))


Edit = Callable[[State], None]
