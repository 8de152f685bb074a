"""`--edge nginx`: a real nginx speaks TLS, and asks this program for every decision.

Rules of this file:
- The configuration is generated whole at every change, and nginx told by SIGHUP; nothing is edited in place.
- nginx judges certificates (`optional_no_ca`: a bad one is no handshake failure) and hands its verdict on;
  intermediates that a client sent are known to it alone.
- No tickets, no session cache, as in the embedded edge (facts: edge-and-probes 5).

Source: facts: edge-and-probes 1d.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cf_mtls import child_process
from cf_mtls.emulator.options import Unusable
from cf_mtls.emulator.peer import Demand, Peer
from cf_mtls.emulator.pem import der_of, pem_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cf_mtls.emulator.edge import Edge
    from cf_mtls.emulator.http import Answer, Request
    from cf_mtls.emulator.minting import Mint

_PLACES = ("nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx")
_START_S = 10.0
_SETTLE_S = 0.05
"""Changes within this span make one reload."""

_MAIN = """
daemon off; master_process on; worker_processes 2; pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log off; server_tokens off; client_max_body_size 16m; proxy_max_temp_file_size 0;
  server_names_hash_bucket_size 256; server_names_hash_max_size 4096;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off; ssl_session_cache off; ssl_verify_depth 10;
  ssl_certificate_key {folder}/server.key;
  upstream decisions {{ server unix:{folder}/decisions; keepalive 16; }}
{servers}
}}
"""
_SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl http2{default}; server_name {name};
    ssl_certificate {folder}/{certificate}.pem;
    {demand}
    error_page 495 = @decide;
    location / {{ {proxy} }}
    location @decide {{ {proxy} }}
  }}
"""
_PROXY = """proxy_pass http://decisions; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_pass_header Server; proxy_pass_request_headers on;
      proxy_set_header X-Edge-Verify $ssl_client_verify; proxy_set_header X-Edge-Sni $ssl_server_name;
      proxy_set_header X-Edge-Cert $ssl_client_escaped_cert; proxy_set_header X-Edge-Address $remote_addr;
      proxy_set_header X-Edge-Requests $connection_requests;"""


def program() -> str:
    """Where nginx is. Errors: `Unusable` when it is not installed."""
    found = next((path for name in _PLACES if (path := child_process.which(name))), None)
    if found is None:
        raise Unusable("nginx is not installed; the embedded edge needs nothing")
    return found


@dataclass(slots=True)
class Nginx:
    """One nginx and its folder."""

    folder: Path
    mint: Mint
    edge: Edge
    port: int = 0
    _process: asyncio.subprocess.Process | None = None
    _written: str = ""
    _pending: asyncio.TimerHandle | None = None
    errors: list[str] = field(default_factory=list)

    async def start(self) -> int:
        """The port it serves on. Errors: `Unusable`, OSError."""
        self.port = self.port or _free_port()
        path = program()
        (self.folder / "server.key").touch(mode=0o600)
        (self.folder / "server.key").write_bytes(self.mint.leaf_key_pem)
        self._write()
        arguments = ("-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr")
        self._process = await asyncio.create_subprocess_exec(
            path, *arguments, stderr=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            env=child_process.environment(),
        )  # fmt: skip
        await self._until_serving()
        return self.port

    async def _until_serving(self) -> None:
        for _ in range(int(_START_S / 0.05)):
            if self._process is not None and self._process.returncode is not None:
                raise Unusable(f"nginx ended with {self._process.returncode}: {self.log()}")
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            await asyncio.sleep(0.05)
        raise Unusable("nginx did not start")

    def log(self) -> str:
        """The end of its error log."""
        path = self.folder / "error.log"
        return path.read_text("utf-8", "replace")[-500:].strip() if path.exists() else ""

    def changed(self) -> None:
        """Reload soon, when what the hostnames demand is not what was written."""
        if self._process is not None and self._pending is None:
            self._pending = asyncio.get_running_loop().call_later(_SETTLE_S, self._reload)

    def _reload(self) -> None:
        self._pending = None
        before = self._written
        self._write()
        if self._written != before and self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """End it, and wait until it has ended."""
        if self._pending is not None:
            self._pending.cancel()
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    # The configuration

    def _write(self) -> None:
        registry = self.edge.registry
        hosts = sorted(
            {h for c in registry.tables["certificates"].values() for h in c["associated_hostnames"]}
        )
        asking = [(h, self.edge.demand(h)) for h in hosts]
        zones = [z["name"] for z in registry.tables["zones"].values()]
        everything = ["localhost", "127.0.0.1", *(n for z in zones for n in (z, f"*.{z}"))]
        servers = [self._server("_", "default", everything, Demand(), " default_server backlog=512")]
        servers += [self._server(h, f"host-{i}", [h], d) for i, (h, d) in enumerate(asking) if d.ask]
        user = "user root;" if os.geteuid() == 0 else ""
        conf = _MAIN.format(folder=self.folder, user=user, servers="".join(servers))
        self._written = conf + repr([(h, d.key) for h, d in asking])
        temporary = self.folder / "nginx.conf.new"
        temporary.write_text(conf, "utf-8")
        temporary.replace(self.folder / "nginx.conf")

    def _server(self, name: str, file: str, names: Iterable[str], demand: Demand, default: str = "") -> str:
        (self.folder / f"{file}.pem").write_bytes(pem_of(self.mint.leaf_der(list(names))))
        asks = "ssl_verify_client off;"
        if demand.ask:
            bundle = b"".join(pem_of(der) for der in self.edge.bundle(name))
            (self.folder / f"{file}-ca.pem").write_bytes(bundle)
            listed = f"ssl_client_certificate {self.folder}/{file}-ca.pem;"
            asks = f"ssl_verify_client optional_no_ca; {listed}"
        return _SERVER.format(
            port=self.port, name=name, folder=self.folder, certificate=file, demand=asks, default=default,
            proxy=_PROXY,
        )  # fmt: skip

    # The decisions

    async def answer(self, request: Request) -> Answer:
        """The answer to a request that nginx passed on, with what it saw in the handshake."""
        sni = (request.header("x-edge-sni") or "").lower() or None
        pem = unquote(request.header("x-edge-cert") or "")
        verified = request.header("x-edge-verify") or "NONE"
        demand = self.edge.demand(sni) if sni else Demand()
        peer = Peer(
            sni, demand, der_of(pem) if pem else None, (), request.header("x-edge-address") or "127.0.0.1",
            int(request.header("x-edge-requests") or 1), verified,
        )  # fmt: skip
        kept = tuple(h for h in request.headers if not h[0].startswith("x-edge-") and h[0] != "connection")
        return await self.edge.answer(replace(request, headers=kept), peer)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
