"""A benchmark of the emulator's edge; not a test. `python tests/bench/emulator.py [SECONDS]`

Measures, on one emulator with 200 hostnames and 20 CAs, the client in the same process tree:
- full mutual handshakes, each with one request, a second;
- the same while all 200 hostnames and 20 CAs are replaced again and again: no connection may fail.
Exits 1 when a connection failed or fewer than 200 handshakes a second were made.
"""

from __future__ import annotations

import multiprocessing
import socket
import ssl
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "emulator"))

from emulator_kit import Api, Pki, emulating, issue, save

HOSTS = [f"h{n}.jeann.net" for n in range(200)]
CAS = 20
WORKERS = 2
WANTED_PER_SECOND = 200


def one(edge: tuple[str, int], context: ssl.SSLContext, host: str) -> int:
    """The status of one request over a new connection."""
    with (
        socket.create_connection(edge, timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as line,
    ):
        line.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while part := line.recv(65536):
            data += part
    return int(data.split(b" ", 2)[1])


def worker(
    edge: tuple[str, int], ca: str, client: tuple[str, str], hosts: list[str], seconds: float, out: Any
) -> None:
    """Handshake and ask until the time is over; put the waits and the failures."""
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(*client)
    waits: list[float] = []
    failures: list[str] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for host in hosts:
            since = time.perf_counter()
            try:
                status = one(edge, context, host)
                if status not in {200, 403}:
                    failures.append(f"{host}: {status}")
            except OSError as error:
                failures.append(f"{host}: {error}")
            waits.append(time.perf_counter() - since)
            if time.perf_counter() >= end:
                break
    out.put((waits, failures))


def storm(
    api: Api, client: tuple[Path, Path], seconds: float, replace: Any = None
) -> tuple[float, list[str]]:
    """Handshakes a second, and what failed, while `replace` is called over and over."""
    host, _, port = api.emulator.ready.edge.partition(":")
    out: Any = multiprocessing.Queue()
    names = (str(client[0]), str(client[1]))
    workers = [
        multiprocessing.Process(
            target=worker,
            args=((host, int(port)), api.emulator.ready.edge_ca, names, HOSTS[n::WORKERS], seconds, out),
        )
        for n in range(WORKERS)
    ]
    since = time.perf_counter()
    for process in workers:
        process.start()
    replaced = 0
    while replace and time.perf_counter() - since < seconds:
        replace(replaced)
        replaced += 1
        time.sleep(0.4)
    told = [out.get(timeout=seconds + 30) for _ in workers]
    for process in workers:
        process.join()
    waits = sorted(w for ws, _ in told for w in ws)
    failures = [f for _, fs in told for f in fs]
    rate = len(waits) / seconds
    p50, p95 = (1000 * waits[int(len(waits) * q)] for q in (0.5, 0.95))
    print(
        f"{len(waits)} handshakes with a request in {seconds:g} s: {rate:.0f}/s, p50 {p50:.1f} ms, "
        f"p95 {p95:.1f} ms, max {1000 * waits[-1]:.0f} ms, {len(failures)} failed, {replaced} replacements"
    )
    return rate, failures


def main(seconds: float) -> int:
    """Run both storms."""
    pki = Pki()
    cas = [issue(f"CA {n}", ca=True) for n in range(CAS)]
    with tempfile.TemporaryDirectory() as folder, emulating() as api:
        client = save(pki.good, Path(folder))
        made = [
            api.certificate(pki, HOSTS[n::CAS], pem=(pki.chain if n == 0 else cas[n].pem))["id"]
            for n in range(CAS)
        ]
        api.app("*.jeann.net")

        def replace(round_: int) -> None:
            for n, certificate in enumerate(made):
                hosts = HOSTS[(n + round_ + 1) % CAS :: CAS]
                api.result("PUT", f"/access/certificates/{certificate}", {"associated_hostnames": hosts})

        calm, failed = storm(api, client, seconds)
        _, failed_too = storm(api, client, seconds, replace)
        for failure in [*failed, *failed_too][:10]:
            print("failed:", failure)
        return int(bool(failed or failed_too) or calm < WANTED_PER_SECOND)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
