"""The parts of one emulator, put together inside a running loop.

Rules of this file:
- Binds to 127.0.0.1 and nothing else. New tokens and keys at every start.
- What is on disk, the edge's CA first of all, is in a private folder that goes when it stops.
- No module-level state: several may run in one process.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import origin, state
from cf_mtls.emulator.api import Api, Conversation
from cf_mtls.emulator.clock import Clock
from cf_mtls.emulator.contexts import Contexts
from cf_mtls.emulator.edge import Edge
from cf_mtls.emulator.faults import Faults, read
from cf_mtls.emulator.http1 import Http1
from cf_mtls.emulator.management import PREFIX, Management
from cf_mtls.emulator.minting import Mint, Signer
from cf_mtls.emulator.nginx import Nginx
from cf_mtls.emulator.options import Options, Ready
from cf_mtls.emulator.plain import Plain
from cf_mtls.emulator.rates import Rates
from cf_mtls.emulator.routes import BASE
from cf_mtls.emulator.store import Record, Store
from cf_mtls.emulator.switches import Switches
from cf_mtls.emulator.tls import Host
from cf_mtls.emulator.tokens import ALL, READ, Token, new_secret
from cf_mtls.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.emulator.http import Answer, Request

LOOPBACK = "127.0.0.1"
_TICK_MOST_S = 0.5


class Emulator:
    """One emulator inside a running loop."""

    def __init__(self, options: Options) -> None:
        """Errors: ValueError for switches, faults, a state or an origin that will not do."""
        self.options = options
        seed = secrets.randbelow(2**31) if options.seed is None else options.seed
        self.world = World(
            _store(options, seed), Clock(time.time, options.start), Switches(options.switches), seed
        )
        self.faults = Faults(self.world.random("faults"))
        self.rates = Rates(self.world.clock, self.world.switches)
        self.token, self.read_token = new_secret(), new_secret()
        self.world.tokens |= {
            self.token: Token("full", hashlib.md5(b"full", usedforsecurity=False).hexdigest(), ALL),
            self.read_token: Token("read", hashlib.md5(b"read", usedforsecurity=False).hexdigest(), READ),
        }
        self.signer = Signer()
        self.mint = Mint()
        behind = origin.upstream(options.origin) if options.origin else origin.echo
        self.edge = Edge(self.world, self.signer, behind)
        self.host = Host(Contexts(self.mint, self.edge.demand, self._certificate_name), options.limits,
                         self.edge.answer)  # fmt: skip
        self.management = Management(
            self.world, self.faults, self.rates, self.signer, self.restart, self._look
        )
        self.api = Api(self.world, self.faults, self.rates)
        self.bugs: list[str] = []
        self.servers: list[asyncio.Server] = []
        self.nginx: Nginx | None = None
        self.world.edge.changed = self._edge_changed
        self._connections: set[asyncio.Transport] = set()
        self.restart()

    def restart(self) -> None:
        """The account, switches, faults and streams as they were at the start; tokens and keys stay."""
        world = self.world
        world.replay()
        world.log.clear()
        world.slower_s = 0.0
        for name, value in Switches(self.options.switches).all().items():
            world.switches.set(name, value)
        self.rates.budgets.clear()
        self.rates.second.clear()
        self.faults.random = world.random("faults")
        self.faults.rules[:] = [read(dict(rule)) for rule in self.options.faults]
        state.load(world, dict(self.options.state or {}) or {"zones": _zones(self.options)})

    def _certificate_name(self, hostname: str) -> str:
        if not self.world.switches.on("one-server-certificate"):
            return hostname
        zone = self.world.store.zone_of(hostname)
        return f"*.{zone}" if zone and zone != hostname else hostname

    def _edge_changed(self) -> None:
        if self.nginx is not None:
            self.nginx.changed()
        elif self.world.switches.on("close-on-change"):
            self.host.close_stale(self.edge.demand)

    def _look(self) -> Record:
        registry = self.world.edge
        hosts = {h for c in registry.tables["certificates"].values() for h in c["associated_hostnames"]}
        return {
            "generation": registry.generation,
            "connections": len(self.host.sessions),
            "refusals": list(self.host.refusals),
            "bugs": list(self.bugs),
            "trust": {h: [t.id for t in registry.trust(h)] for h in sorted(hosts)},
        }

    # Serving

    async def start(self) -> Ready:
        """Serve. Errors: OSError when a port is taken."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.bugs.append(_told(context)))
        self._folder = Path(tempfile.mkdtemp(prefix="cf-mtls-emulator-"))
        try:
            (self._folder / "edge-ca.pem").write_bytes(self.mint.authority_pem)
            api = await loop.create_server(self._api_protocol, LOOPBACK, self.options.api_port)
            self.servers.append(api)
            edge_port = await self._start_edge()
        except BaseException:
            await self._down()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._wake = asyncio.Event()
        self.world.clock.wake = self._wake.set
        self._ticker = loop.create_task(self._tick())
        return self._ready(api.sockets[0].getsockname()[1], edge_port)

    async def _start_edge(self) -> int:
        loop = asyncio.get_running_loop()
        if self.options.edge == "embedded":
            port = self.options.edge_port
            server = await loop.create_server(self.host.protocol, LOOPBACK, port, backlog=512)
            self.servers.append(server)
            return int(server.sockets[0].getsockname()[1])
        self.nginx = nginx = Nginx(self._folder, self.mint, self.edge, self.options.edge_port)

        def protocol() -> Plain:
            return Plain(lambda channel: Http1(channel, nginx.answer, self.options.limits), self._connections,
                         self.options.limits.connections)  # fmt: skip

        self.servers.append(await loop.create_unix_server(protocol, str(self._folder / "decisions")))
        return await nginx.start()

    def _ready(self, api_port: int, edge_port: int) -> Ready:
        api = f"http://{LOOPBACK}:{api_port}"
        edge = f"{LOOPBACK}:{edge_port}"
        return Ready(
            api + BASE, edge, str(self._folder / "edge-ca.pem"), self.world.store.account["id"], self.token,
            self.read_token, self.world.seed, tuple(self.world.store.zone_names()), api + PREFIX,
        )  # fmt: skip

    async def stop(self) -> None:
        """Stop serving, end every connection, and leave nothing behind."""
        self._ticker.cancel()
        await self._down()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _down(self) -> None:
        if self.nginx is not None:
            await self.nginx.stop()
        for server in self.servers:
            server.close()
        for session in list(self.host.sessions):
            session.abort()
        for transport in list(self._connections):
            transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                for server in self.servers:
                    await server.wait_closed()

    async def _tick(self) -> None:
        clock = self.world.clock
        while True:
            self._wake.clear()
            clock.tick()
            due = clock.next_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_MOST_S if due is None else min(due, _TICK_MOST_S)):
                    await self._wake.wait()

    def _api_protocol(self) -> Plain:
        talk = Conversation(self.api)

        async def handler(request: Request) -> Answer:
            if request.path == PREFIX or request.path.startswith(PREFIX + "/"):
                return self.management.answer(request)
            return await talk.answer(request)

        def head(request: Request) -> bool:
            return not request.path.startswith(PREFIX) and talk.head(request)

        return Plain(lambda channel: Http1(channel, handler, self.options.limits, head), self._connections,
                     self.options.limits.connections)  # fmt: skip


def _store(options: Options, seed: int) -> Store:
    account_id = options.account_id or hashlib.sha256(f"account/{seed}".encode()).hexdigest()[:32]
    account = {"id": account_id, "name": "Rehearsal"}
    organization = {
        "name": "Rehearsal", "auth_domain": "rehearsal.cloudflareaccess.com", "is_ui_read_only": False,
        "auto_redirect_to_identity": False, "session_duration": "24h", "login_design": {},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return Store(account, organization)


def _zones(options: Options) -> list[str]:
    more = [z for z in state.zones_for(options.hostnames) if z not in options.zones]
    return [*options.zones, *more]


def _told(context: Mapping[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message', '')}: {type(error).__name__}: {error}"
