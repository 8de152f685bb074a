"""The doctor on the emulator: each thing that is switched wrong is named, and nothing is ever written."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.cli.main import run
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.emulator.tokens import ALL
from tests.emulated.edge import lever

PLAN = "plans/georgetown.yaml"
HOST = "jeann.net"


class World:
    """A running emulator and its levers."""

    def __init__(self, ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ready, self.monkeypatch = ready, monkeypatch

    def manage(self, method: str, name: str, body: Any = None) -> Any:
        return lever(self.ready, name, body, method)

    def state(self, change: Callable[[dict[str, Any]], None]) -> None:
        state = self.manage("GET", "state")
        change(state)
        self.manage("POST", "state", state)

    def token(self, without: str = "", **more: Any) -> None:
        """Use a token that lacks every permission that begins so."""
        permissions = sorted(p for p in ALL if not without or not p.startswith(without))
        made = self.manage("POST", "token", {"permissions": permissions, **more})
        self.monkeypatch.setenv("CLOUDFLARE_API_TOKEN", made["token"])

    def add(self, table: str, record: dict[str, Any]) -> None:
        self.state(lambda s: s[table].append(record))


@pytest.fixture(scope="module")
def emulator() -> Iterator[Ready]:
    with running(Options()) as started:
        yield started.ready


@pytest.fixture
def world(emulator: Ready, folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A healthy account, and a folder with a plan file."""
    for name in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_MTLS_"))]:
        monkeypatch.delenv(name)
    for name, value in emulator.exports().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    made = World(emulator, monkeypatch)
    made.manage("POST", "reset")
    return made


def findings(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = run(["doctor", *(words or (PLAN,)), "--json"])
    return code, json.loads(capsys.readouterr().out)["findings"]


def test_a_healthy_account_has_no_failure_and_was_only_read(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two things cannot be told without writing, and are said to be so; every request is a GET."""
    code, found = findings(capsys)
    assert code == 0
    assert [f["check"] for f in found if f["grade"] != "ok"] == ["permission.write", "certificates.room"]
    assert "cannot be told without writing" in next(
        f["said"] for f in found if f["check"] == "permission.write"
    )
    assert {r["method"] for r in world.manage("GET", "requests")} == {"GET"}


def pause_zone(state: dict[str, Any]) -> None:
    state["zones"][0]["paused"] = True


def wait_for_zone(state: dict[str, Any]) -> None:
    state["zones"][0]["status"] = "pending"


def grey_cloud(state: dict[str, Any]) -> None:
    for record in state["dns_records"]:
        record["proxied"] = False


def no_dns(state: dict[str, Any]) -> None:
    state["dns_records"] = []


def other_zone(state: dict[str, Any]) -> None:
    state["zones"], state["dns_records"] = ["elsewhere.net"], []


def app(domain: str) -> dict[str, Any]:
    policy = {"name": "p", "decision": "bypass", "include": [{"everyone": {}}]}
    return {"type": "self_hosted", "name": "somebody's", "domain": domain, "policies": [policy]}


BYO = {"name": "byo", "ca": True, "certificates": "x", "issuer": "CN=byo", "id": "b" * 32}

ROWS: dict[str, tuple[Callable[[World], Any], str, str, str]] = {
    "Access is off": (
        lambda w: w.manage("POST", "switches", {"access-enabled": "off"}), "access.enabled", "fail", "not enabled",
    ),
    "no right to read CAs": (
        lambda w: w.token("Access: Mutual"), "permission.read", "fail", "Mutual TLS Certificates Read is missing",
    ),
    "no right to read applications": (
        lambda w: w.token("Access: Apps"), "permission.read", "fail", "Apps and Policies Read is missing",
    ),
    "no right to read groups": (
        lambda w: w.token("Access: Org"), "permission.read", "unknown", "Groups Read is missing",
    ),
    "no right to read DNS": (lambda w: w.token("DNS"), "permission.read", "unknown", "DNS Read is missing"),
    "no right to read look-alikes": (
        lambda w: w.token("SSL"), "permission.read", "unknown", "SSL and Certificates Read is missing",
    ),
    "the other code for a missing permission": (
        lambda w: (w.token("Access: Apps"), w.manage("POST", "switches", {"permission-code": 9109})),
        "permission.read", "fail", "Apps and Policies Read is missing",
    ),
    "a disabled token": (lambda w: w.token(status="disabled"), "token.status", "fail", "does not accept the token"),
    "a token of another account": (
        lambda w: w.token(scopes=["accounts/" + "f" * 32]), "permission.read", "fail", "is missing",
    ),
    "another account": (
        lambda w: w.monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "f" * 32), "account.reachable", "fail", "[api.",
    ),
    "a Global API Key": (
        lambda w: w.monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "cfk_" + "x" * 40),
        "token.kind", "fail", "Global API Key",
    ),
    "no budget left": (
        lambda w: w.manage("POST", "switches", {"rate-limit": 60}), "rate.left", "warn", "requests left",
    ),
    "throttled": (
        lambda w: w.manage("POST", "faults", {"do": "429", "when": {"path": "/access/apps"}}),
        "rate.left", "fail", "too many requests",
    ),
    "blocked": (lambda w: w.manage("POST", "faults", {"do": "block"}), "rate.left", "fail", "too many requests"),
    "a failing API": (
        lambda w: w.manage("POST", "faults", {"do": "5xx", "when": {"path": "/access/certificates"}}),
        "permission.read", "fail", "[api.failing]",
    ),
    "a broken connection": (
        lambda w: w.manage("POST", "faults", {"do": "reset", "when": {"path": "/access/apps"}}),
        "permission.read", "fail", "[api.answer-lost]",
    ),
    "half an answer": (
        lambda w: w.manage("POST", "faults", {"do": "half", "when": {"path": "/access/apps"}}),
        "permission.read", "fail", "[api.answer-lost]",
    ),
    "no entitlement": (
        lambda w: w.manage("POST", "switches", {"certificate-quota": 0}),
        "certificates.room", "unknown", "may be added",
    ),
    "the zone is elsewhere": (lambda w: w.state(other_zone), "host.zone", "fail", "no zone of this account"),
    "the zone is pending": (lambda w: w.state(wait_for_zone), "host.zone", "fail", "is pending, not active"),
    "the zone is paused": (lambda w: w.state(pause_zone), "host.zone", "fail", "is paused"),
    "a grey cloud": (lambda w: w.state(grey_cloud), "host.dns", "fail", "DNS only"),
    "no record": (lambda w: w.state(no_dns), "host.dns", "unknown", "no DNS record"),
    "somebody's application": (
        lambda w: w.add("apps", app("jeann.net/georgetown-penang-malaysia")), "host.application", "fail", "somebody's",
    ),
    "a hole below": (
        lambda w: w.add("apps", app("jeann.net/georgetown-penang-malaysia/open")),
        "host.application", "warn", "decides at",
    ),
    "a BYO CA": (lambda w: w.add("mtls_certificates", BYO), "look-alike.byo-ca", "ok", "BYO store"),
    "client certificates": (
        lambda w: w.add("client_certificates", {"zone": HOST, "status": "active"}),
        "look-alike.client-certificates", "ok", "API Shield",
    ),
    "a hostname association": (
        lambda w: w.add("hostname_associations", {"zone": HOST, "hostnames": [HOST]}),
        "look-alike.hostname-association", "warn", "another list",
    ),
    "an association of a BYO CA": (
        lambda w: (w.add("mtls_certificates", BYO), w.add(
            "hostname_associations", {"zone": HOST, "hostnames": [HOST], "mtls_certificate_id": "b" * 32})),
        "look-alike.hostname-association", "warn", "another list",
    ),
    "origin pulls": (
        lambda w: w.add("origin_tls_client_auth", {"zone": HOST, "status": "active"}),
        "look-alike.origin-pulls", "ok", "other direction",
    ),
}  # fmt: skip
"""What is switched, and the check, the grade and the words that name it."""


@pytest.mark.parametrize("name", ROWS)
def test_what_is_wrong_is_named(world: World, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """By its check, with its grade; a failure makes the exit code 1; and still nothing but GETs."""
    switch, check, grade, words = ROWS[name]
    switch(world)
    since = len(world.manage("GET", "requests"))
    code, found = findings(capsys)
    named = [f for f in found if f["check"] == check and f["grade"] == grade and words in f["said"]]
    assert named, [(f["check"], f["grade"], f["said"]) for f in found]
    assert grade == "ok" or named[0]["fix"]
    assert code == (1 if any(f["grade"] == "fail" for f in found) else 0)
    assert code == 1 or grade != "fail"
    assert {r["method"] for r in world.manage("GET", "requests")[since:]} <= {"GET"}


def test_without_a_plan_file_the_account_alone_is_looked_at(
    world: World, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says that no hostname was looked at, and asks for no zone."""
    (folder / PLAN).unlink()
    assert run(["doctor"]) == 0
    said = capsys.readouterr()
    assert "no hostname was looked at" in said.err
    assert HOST not in said.out
    assert not [r for r in world.manage("GET", "requests") if "/zones" in r["path"]]


def test_a_zone_can_be_looked_at_too(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With CLOUDFLARE_ZONE_ID everything is asked of the zone."""
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID")
    monkeypatch.setenv("CLOUDFLARE_ZONE_ID", world.manage("GET", "state")["zones"][0]["id"])
    code, found = findings(capsys)
    assert code == 0, found
    assert [f["grade"] for f in found if f["check"] == "host.zone"] == ["ok"]


def test_neither_the_token_nor_a_hostile_name_gets_through(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The token is nowhere; control characters of a name are escapes."""
    world.add("apps", {**app("jeann.net/georgetown-penang-malaysia"), "name": "\x1b[31mred\nline"})
    assert run(["doctor", PLAN]) == 1
    said = capsys.readouterr()
    assert world.ready.token not in said.out + said.err
    assert "\x1b[31mred" not in said.out
    assert "\\x1b[31mred\\nline" in said.out


def test_the_edge_itself_is_asked(world: World, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Open: it does not ask, rightly. Applied: it asks. Trusted and not asking yet: a failure, with the reason."""
    assert edge_of(capsys) == (0, "ok", "the edge does not ask, and no CA is on it yet")
    assert run(["apply", PLAN, "-y"]) == 0
    assert edge_of(capsys) == (0, "ok", "the edge asks for a certificate")
    world.manage("POST", "reset")
    world.manage("POST", "switches", {"association-delay": 60})
    pem = (folder / "plans/certs/certchain.pem").read_text("ascii")
    body = {"name": "ca", "certificate": pem, "associated_hostnames": [HOST]}
    url = f"{world.ready.api_base_url}/accounts/{world.ready.account_id}/access/certificates"
    headers = {"authorization": f"Bearer {world.ready.token}", "content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)).close()
    assert edge_of(capsys) == (1, "fail", "the edge does not ask, though a CA is on it")


def edge_of(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code, found = findings(capsys, PLAN, "--edge")
    ((grade, said),) = [(f["grade"], f["said"]) for f in found if f["check"] == "host.edge"]
    return code, grade, said


def test_an_edge_that_cannot_be_reached_is_not_a_failure(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Could not tell is its own outcome."""
    monkeypatch.setenv("CF_MTLS_CONNECT_TO", "::127.0.0.1:9")
    code, grade, said = edge_of(capsys)
    assert (code, grade) == (0, "unknown")
    assert said.startswith("could not be seen: ")
