"""The examples in plans/ are real: planned, applied and verified on the emulator, each with what it shows."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cf_mtls.cli.main import run
from cf_mtls.declare.files import load
from cf_mtls.emulator.server import Options, Ready, running
from tests.example_pki import EXAMPLES, make

PLANS = Path(__file__).parents[2] / "plans"


@contextmanager
def applied(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ready]:
    """The example in a copy of its own, with certificates and keys just made, applied to an empty account."""
    plan = folder / "plans" / f"{name}.yaml"
    plan.parent.joinpath("certs").mkdir(parents=True)
    shutil.copy(PLANS / plan.name, plan)
    make(name, plan.parent / "certs", keys=True)
    document = load(plan).document
    hosts = {h for group in document.certificates.values() for h in group.associated_hostnames}
    monkeypatch.chdir(folder)
    for variable in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_MTLS_"))]:
        monkeypatch.delenv(variable)
    with running(Options(zones=(), hostnames=tuple(sorted(hosts)))) as emulator:
        for variable, value in emulator.ready.exports().items():
            monkeypatch.setenv(variable, value)
        assert run(["apply", f"plans/{plan.name}", "-y"]) == 0
        yield emulator.ready


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_planned_applied_and_verified(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From nothing to proven; the plan afterwards is empty, and the doctor finds nothing in the way."""
    with applied(name, tmp_path, monkeypatch):
        file = f"plans/{name}.yaml"
        assert run(["plan", file, "--detailed-exitcode"]) == 0
        assert run(["verify", file]) == 0, capsys.readouterr().out
        assert run(["doctor", file]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_committed_example_is_valid_and_holds_no_key(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its public certificates are good for years; what warns are the missing keys, and partners who are not here."""
    assert run(["validate", str(PLANS / f"{name}.yaml")]) == 0
    said = capsys.readouterr().err
    codes = {line.rpartition("[")[2].rstrip("]") for line in said.splitlines() if line.startswith("warning")}
    assert codes == {"client.key-absent"} | (
        {"policy.unknown-common-name"} if name == "partner-bank" else set()
    )


def status(ready: Ready, client: str, url: str) -> int:
    """The HTTP status that the edge answers a client of the folder's certificates, asked with the standard library."""
    host, _, path = url.removeprefix("https://").partition("/")
    tls = ssl.create_default_context(cafile=ready.edge_ca)
    tls.load_cert_chain(f"plans/certs/{client}.pem", f"plans/certs/{client}.key")
    address, _, port = ready.edge.partition(":")
    with (
        socket.create_connection((address, int(port)), 10) as line,
        tls.wrap_socket(line, server_hostname=host) as end,
    ):
        end.sendall(f"GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        return int(end.makefile("rb").readline().split()[1])


def test_a_partner_gets_into_its_own_path_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One CA, two partners: the common name decides; the library of the other one gets its 401."""
    with applied("partner-bank", tmp_path, monkeypatch) as ready:
        base = "https://partners.bank.example/payments"
        assert status(ready, "partner-bank-north", f"{base}/north") == 200
        assert status(ready, "partner-bank-north", f"{base}/south") == 401
        assert status(ready, "partner-bank-former", f"{base}/north") == 403


def test_a_retired_site_stays_out_while_the_other_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site's chain is taken out of the file: its devices are refused, the others are not."""
    with applied("iot-fleet", tmp_path, monkeypatch) as ready:
        plan = Path("plans/iot-fleet.yaml")
        text = plan.read_text("utf-8")
        start, end = text.index("  site-penang:"), text.index("  site-bergen:")
        lines = (text[:start] + text[end:]).splitlines(keepends=True)
        out = [
            line.replace("}", ", expect: refused}") if line.startswith("  penang-") else line
            for line in lines
        ]
        plan.write_text("".join(out), "utf-8")
        gates = ["--allow-delete", "1"]
        assert run(["apply", str(plan), "-y", *gates]) == 0
        url = "https://ingest.fleet.example/v1"
        assert status(ready, "iot-fleet-penang-pump-1", url) == 403
        assert status(ready, "iot-fleet-bergen-pump-1", url) == 200


def test_a_rotation_ends_by_taking_the_old_chain_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While both stand both clients get in; afterwards the old one does not."""
    with applied("rotation", tmp_path, monkeypatch) as ready:
        plan = Path("plans/rotation.yaml")
        lines = plan.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if "rotation-old.pem" not in line]
        out = [line.replace("}", ", expect: refused}") if "  not-yet" in line else line for line in kept]
        plan.write_text("".join(out), "utf-8")
        gates = ["--allow-delete", "1"]
        assert run(["apply", str(plan), "-y", *gates]) == 0
        url = "https://gateway.rotation.example/"
        assert status(ready, "rotation-moved", url) == 200
        assert status(ready, "rotation-not-yet-moved", url) == 403
