"""Running the emulator: two ports on loopback, one loop, one world.

Rules of this file:
- Binds to 127.0.0.1 and nothing else. New tokens and keys at every start.
- The only thing on disk is the edge's CA certificate, in a private folder that goes when it stops.
- No module-level state: several may run in one process.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
import signal
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cf_mtls.emulator import origin, state
from cf_mtls.emulator.api import Api, Conversation
from cf_mtls.emulator.clock import Clock
from cf_mtls.emulator.edge import Edge
from cf_mtls.emulator.faults import Faults, read
from cf_mtls.emulator.http import Answer, Limits, Request
from cf_mtls.emulator.http1 import Http1
from cf_mtls.emulator.management import PREFIX, Management
from cf_mtls.emulator.minting import Mint, Signer
from cf_mtls.emulator.rates import Rates
from cf_mtls.emulator.routes import BASE
from cf_mtls.emulator.store import Record, Store
from cf_mtls.emulator.switches import Switches, Value
from cf_mtls.emulator.tls import Contexts, Host, reset
from cf_mtls.emulator.tokens import ALL, READ, Token, new_secret
from cf_mtls.emulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LOOPBACK = "127.0.0.1"
_TICK_MOST_S = 0.5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How to start. Ports of 0 are free ones; a seed of None is drawn and shown."""

    zones: tuple[str, ...] = ("jeann.net",)
    api_port: int = 0
    edge_port: int = 0
    seed: int | None = None
    account_id: str | None = None
    switches: Mapping[str, Value] = field(default_factory=dict)
    state: Mapping[str, Any] | None = None
    faults: tuple[Mapping[str, Any], ...] = ()
    origin: str | None = None
    start: float | None = None
    """What the emulator's clock says first, in seconds since 1970; None is now."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Ready:
    """Where it serves, and the keys to it."""

    api_base_url: str
    edge: str
    edge_ca: str
    account_id: str
    token: str = field(repr=False)
    read_token: str = field(repr=False)
    seed: int
    zones: tuple[str, ...]
    management: str

    def exports(self) -> dict[str, str]:
        """The environment that makes the other commands use it."""
        return {
            "CLOUDFLARE_BASE_URL": self.api_base_url,
            "CLOUDFLARE_API_TOKEN": self.token,
            "CLOUDFLARE_ACCOUNT_ID": self.account_id,
            "CF_MTLS_CONNECT_TO": f"::{self.edge}",
            "CF_MTLS_CACERT": self.edge_ca,
        }


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
        state.load(world, dict(self.options.state or {}) or {"zones": list(self.options.zones)})

    def _certificate_name(self, hostname: str) -> str:
        if not self.world.switches.on("one-server-certificate"):
            return hostname
        zone = self.world.store.zone_of(hostname)
        return f"*.{zone}" if zone and zone != hostname else hostname

    def _edge_changed(self) -> None:
        if self.world.switches.on("close-on-change"):
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
            self._api_server = await loop.create_server(self._api_protocol, LOOPBACK, self.options.api_port)
            self._edge_server = await loop.create_server(
                self.host.protocol, LOOPBACK, self.options.edge_port, backlog=512
            )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._wake = asyncio.Event()
        self.world.clock.wake = self._wake.set
        self._ticker = loop.create_task(self._tick())
        return self._ready()

    def _ready(self) -> Ready:
        api = f"http://{LOOPBACK}:{self._api_server.sockets[0].getsockname()[1]}"
        edge = f"{LOOPBACK}:{self._edge_server.sockets[0].getsockname()[1]}"
        return Ready(
            api + BASE, edge, str(self._folder / "edge-ca.pem"), self.world.store.account["id"], self.token,
            self.read_token, self.world.seed, tuple(self.world.store.zone_names()), api + PREFIX,
        )  # fmt: skip

    async def stop(self) -> None:
        """Stop serving, end every connection, and leave nothing behind."""
        self._ticker.cancel()
        for server in (self._api_server, self._edge_server):
            server.close()
        for session in list(self.host.sessions):
            session.abort()
        for transport in list(self._connections):
            transport.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._api_server.wait_closed()
                await self._edge_server.wait_closed()
        shutil.rmtree(self._folder, ignore_errors=True)

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


class Plain(asyncio.Protocol):
    """A plain TCP connection that speaks HTTP/1.1."""

    def __init__(
        self, wire: Callable[[Plain], Http1], connections: set[asyncio.Transport], most: int
    ) -> None:
        self._make, self._connections, self._most = wire, connections, most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self._transport = cast("asyncio.Transport", transport)  # what loop.create_server makes
        self._wire = self._make(self)
        if len(self._connections) >= self._most:
            self._transport.abort()
        self._connections.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client is gone."""
        self._connections.discard(self._transport)
        self._wire.lost()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._wire.receive(data)

    def eof_received(self) -> bool:
        """The client will send no more; what was asked is still answered."""
        self._wire.receive(b"")
        return True

    def write(self, data: bytes) -> None:
        """Send."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """End it after what was written."""
        self._transport.close()

    def reset(self) -> None:
        """End it with a TCP reset."""
        reset(self._transport)


def _store(options: Options, seed: int) -> Store:
    account_id = options.account_id or hashlib.sha256(f"account/{seed}".encode()).hexdigest()[:32]
    account = {"id": account_id, "name": "Rehearsal"}
    organization = {
        "name": "Rehearsal", "auth_domain": "rehearsal.cloudflareaccess.com", "is_ui_read_only": False,
        "auto_redirect_to_identity": False, "session_duration": "24h", "login_design": {},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return Store(account, organization)


def _told(context: Mapping[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message', '')}: {type(error).__name__}: {error}"


# From outside a loop


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator in a thread of its own."""

    ready: Ready
    emulator: Emulator
    loop: asyncio.AbstractEventLoop

    def do(self, act: Callable[[Emulator], T]) -> T:
        """What `act` returns, called in the emulator's own thread."""

        async def inside() -> T:
            return act(self.emulator)

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(timeout=30)


@contextmanager
def running(options: Options | None = None) -> Iterator[Running]:
    """A running emulator, stopped and cleaned up at the end. Errors: those of `Emulator` and its start."""
    emulator = Emulator(options or Options())
    started: list[Running | BaseException] = []
    serving, over = threading.Event(), threading.Event()
    stop: list[Callable[[], object]] = []

    async def life() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(end.set))
        started.append(Running(await emulator.start(), emulator, loop))
        serving.set()
        await end.wait()
        await emulator.stop()

    def thread() -> None:
        try:
            asyncio.run(life())
        except BaseException as error:  # noqa: BLE001 - told to the one who waits
            started.insert(0, error)
        finally:
            serving.set()
            over.set()

    worker = threading.Thread(target=thread, name="cf-mtls-emulator", daemon=True)
    worker.start()
    serving.wait()
    first = started[0]
    if isinstance(first, BaseException):
        raise first
    try:
        yield first
    finally:
        if not over.is_set():
            stop[0]()
        worker.join(timeout=10)


def serve(options: Options, announce: Callable[[Ready], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; `announce` is called once it really does."""
    asyncio.run(_served(options, announce))


async def _served(options: Options, announce: Callable[[Ready], None]) -> None:
    emulator = Emulator(options)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    ready = await emulator.start()
    try:
        announce(ready)
        await end.wait()
    finally:
        await emulator.stop()
