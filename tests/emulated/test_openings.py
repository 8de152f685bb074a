"""Every way to open a door of ours behind our back, through plan, drift, explain and doctor: none may be silent.

Rules of this file:
- A row opens a door; that it is open is shown by a real request at the emulated edge, refused before.
- Each verb must name the culprit; drift must alarm. `explain` is asked at the opened URL, without a plan file and with.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki.authority import root
from tests.conftest import Pki
from tests.drift.inside import run
from tests.emulated.edge import lever

HOST, PATH = "jeann.net", "/georgetown-penang-malaysia"
SUB = "sub.jeann.net"
PLAN = "plans/georgetown.yaml"
ZONE = {"zone": HOST}
NOW = datetime.now(UTC)
OTHER = root("Somebody's CA", now=NOW)
VISITOR = OTHER.issue("visitor", now=NOW)

EVERYONE: dict[str, Any] = {"everyone": {}}
CERTIFICATE: dict[str, Any] = {"certificate": {}}
BYPASS = [{"name": "open", "decision": "bypass", "include": [EVERYONE]}]
ANY_CERTIFICATE = [{"name": "any", "decision": "non_identity", "include": [CERTIFICATE]}]
SHARED = {"id": "aaaaaaaa-0000-4000-8000-000000000001", "name": "shared"}
GROUP = {"id": "bbbbbbbb-0000-4000-8000-000000000002", "name": "ours all"}
INNER = {"id": "cccccccc-0000-4000-8000-000000000003", "name": "inner"}

PLAN_TEXT = f"""version: 1
stack: georgetown
certificates:
  penang-clients:
    chain: certs/certchain.pem
    associated_hostnames: [{HOST}, {SUB}]
applications:
  georgetown: {{domain: {HOST}{PATH}}}
  narrow:
    domain: {SUB}/narrow
    policies: [{{name: jean, include: [{{certificate: {{}}}}], require: [{{common_name: jean}}]}}]
  sub: {{domain: {SUB}/whole}}
  shared:
    domain: {HOST}/shared
    policies: [{{id: {SHARED["id"]}}}]
  grouped:
    domain: {HOST}/grouped
    policies: [{{name: g, include: [{{everyone: {{}}}}], require: [{{group: {GROUP["id"]}}}]}}]
clients:
  jean: {{certificate: certs/clientcert.pem, key: certs/clientcert.key}}
"""

State = dict[str, Any]


def app(domain: str, name: str = "theirs", **more: Any) -> dict[str, Any]:
    return {"type": "self_hosted", "name": name, "domain": domain, "policies": BYPASS, **more}


def ca(host: str, **more: Any) -> dict[str, Any]:
    return {"name": "theirs", "certificate": OTHER.chain.pem, "associated_hostnames": [host], **more}


def add(table: str, record: dict[str, Any]) -> Callable[[State], None]:
    return lambda state: state[table].append(record)


def ours(state: State, domain: str) -> dict[str, Any]:
    found: dict[str, Any] = next(raw for raw in state["apps"] if raw["domain"] == domain)
    return found


def edit(place: str, **members: Any) -> Callable[[State], None]:
    return lambda state: ours(state, place).update(members)


def edit_policy(**members: Any) -> Callable[[State], None]:
    """The policy of our plainest application says something else."""

    def change(state: State) -> None:
        linked = {link["id"] for link in ours(state, HOST + PATH)["_policies"]}
        next(p for p in state["policies"] if p["id"] in linked).update(members)

    return change


def edit_row(table: str, identity: str, **members: Any) -> Callable[[State], None]:
    return lambda state: next(r for r in state[table] if r["id"] == identity).update(members)


def gone(table: str, domain: str) -> Callable[[State], None]:
    return lambda state: state[table].remove(ours(state, domain))


def overrides(state: State) -> None:
    ours(state, HOST + PATH)["destinations"][0]["overrides"] = [
        {"behavior": "public", "path_pattern": f"{PATH}/open"}
    ]


@dataclass(frozen=True)
class Row:
    """How the door is opened, where it is then open, and who is named for it."""

    opens: Callable[[State], None]
    culprit: str
    """What each verb's words must hold: the address, or for a CA its name."""
    host: str = HOST
    path: str = f"{PATH}/open"
    visitor: str = ""
    """Whose certificate the visitor shows: of somebody's CA, or of ours with a name that is not let in; '' for none."""
    method: str = "GET"
    switches: tuple[tuple[str, Any], ...] = ()


AT = f"application/{HOST}{PATH}"

ROWS: dict[str, Row] = {
    "application below, account": Row(add("apps", app(f"{HOST}{PATH}/open")), f"{AT}/open"),
    "application below, zone": Row(add("apps", app(f"{HOST}{PATH}/open", **ZONE)), f"{AT}/open"),
    "application below, in the name of another stack": Row(
        add("apps", app(f"{HOST}{PATH}/open", "x (cf-mtls other)")), f"{AT}/open"
    ),
    "application on a star in the path": Row(add("apps", app(f"{HOST}/*/open")), f"application/{HOST}/*/open"),
    "application on a star in the path, zone": Row(
        add("apps", app(f"{HOST}/*/open", **ZONE)), f"application/{HOST}/*/open"
    ),
    "application on a star within a segment": Row(
        add("apps", app(f"{HOST}/george*/open")), f"application/{HOST}/george*/open"
    ),
    "application on a wildcard host, deeper path": Row(
        add("apps", app(f"*.{HOST}/whole/open")), f"application/*.{HOST}/whole/open", SUB, "/whole/open"
    ),
    "the same in the zone": Row(
        add("apps", app(f"*.{HOST}/whole/open", **ZONE)), f"application/*.{HOST}/whole/open", SUB, "/whole/open"
    ),
    "application on part of a label": Row(
        add("apps", app(f"s*.{HOST}/whole/open")), f"application/s*.{HOST}/whole/open", SUB, "/whole/open"
    ),
    "second domain of an application": Row(
        add("apps", app("x.jeann.net", destinations=[{"type": "public", "uri": "x.jeann.net"},
                                                     {"type": "public", "uri": f"{HOST}{PATH}/open"}])),
        "application/x.jeann.net",
    ),
    "application below with any certificate, ours names one": Row(
        add("apps", app(f"{SUB}/narrow/any", policies=ANY_CERTIFICATE)), f"application/{SUB}/narrow/any",
        SUB, "/narrow/any", visitor="another of ours",
    ),
    "CA on our hostname, account": Row(add("certificates", ca(HOST)), "theirs", path=PATH, visitor="theirs"),
    "CA on our hostname, zone": Row(
        add("certificates", ca(HOST, **ZONE)), "theirs", path=PATH, visitor="theirs"
    ),
    "CA on a wildcard of our hostname": Row(
        add("certificates", ca(f"*.{HOST}")), "theirs", SUB, "/whole", visitor="theirs",
        switches=(("wildcard-hostnames", True),),
    ),
    "CA in the name of another stack": Row(
        add("certificates", ca(HOST, name="theirs 1234 (cf-mtls other)")), "theirs", path=PATH, visitor="theirs"
    ),
    "reusable policy opened": Row(
        edit_row("policies", SHARED["id"], decision="bypass", include=[EVERYONE], require=[]),
        f"policy/{SHARED['id']}", path="/shared",
    ),
    "group opened": Row(edit_row("groups", GROUP["id"], include=[EVERYONE]), f"group/{GROUP['id']}", path="/grouped"),
    "group within a group opened": Row(
        edit_row("groups", INNER["id"], include=[EVERYONE]), f"group/{GROUP['id']}", path="/grouped"
    ),
    "our policy opened": Row(edit_policy(decision="bypass", include=[EVERYONE]), AT),
    "our application taken away": Row(gone("apps", HOST + PATH), AT),
    "our application moved aside": Row(
        edit(HOST + PATH, domain=f"{HOST}/aside", destinations=[{"type": "public", "uri": f"{HOST}/aside"}]), AT
    ),
    "a public path in our application": Row(overrides, AT),
    "OPTIONS let through by our application": Row(
        edit(HOST + PATH, options_preflight_bypass=True), AT, path=PATH, method="OPTIONS"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options(switches={"rate-limit": 10**6, "rate-per-second": 10**6})) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The account as the first apply left it."""
    return {}


@pytest.fixture
def closed(folder: Path, ready: Ready, kept: dict[str, Any]) -> Path:
    """A folder whose plan is applied: every door of it is shut to whoever has no certificate of the declared CA."""
    (folder / PLAN).write_text(PLAN_TEXT, "utf-8")
    if not kept:
        state = lever(ready, "state")
        state["policies"].append({**SHARED, "decision": "non_identity", "include": [CERTIFICATE]})
        state["groups"] += [
            {**INNER, "include": [CERTIFICATE]},
            {**GROUP, "include": [{"group": {"id": INNER["id"]}}]},
        ]
        lever(ready, "state", state)
        ran = run(folder, ready, "apply", PLAN, "-y")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        kept |= lever(ready, "state")
    lever(ready, "switches", {"wildcard-hostnames": False}, "POST")
    lever(ready, "state", kept)
    return folder


def status(ready: Ready, row: Row, folder: Path, pki: Pki) -> int:
    """What the edge answers to the visitor."""
    context = ssl.create_default_context(cafile=ready.edge_ca)
    if row.visitor:
        visitor = VISITOR if row.visitor == "theirs" else pki.clients.issue("another", now=NOW)
        both = folder / "visitor.pem"
        both.write_text(visitor.certificate_pem + visitor.key_pem, "ascii")
        context.load_cert_chain(both)
    host, _, port = ready.edge.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as raw:
        connection = http.client.HTTPConnection(row.host)
        connection.sock = context.wrap_socket(raw, server_hostname=row.host)
        headers = {"Origin": "https://x.example", "Access-Control-Request-Method": "GET"}
        connection.request(row.method, row.path, headers=headers if row.method == "OPTIONS" else {})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status


def silent(folder: Path, ready: Ready, row: Row) -> list[str]:
    """The verbs that say nothing of the culprit, or call the account clean."""
    url = f"https://{row.host}{row.path}"
    planned = run(folder, ready, "plan", PLAN, "--detailed-exitcode")
    drifted = run(folder, ready, "drift", PLAN, "--json")
    stack = json.loads(drifted.stdout)["stacks"][0]
    alarms = "".join(f["address"] + f["says"] for f in stack["findings"] if f["alarm"])
    plain = run(folder, ready, "explain", url)
    declared = run(folder, ready, "explain", url, "--plan", PLAN)
    looked = json.loads(run(folder, ready, "doctor", PLAN, "--json").stdout)["findings"]
    warned = "".join(f["said"] for f in looked if f["grade"] != "ok")
    said = {
        "plan": row.culprit in planned.stdout + planned.stderr,
        "drift": drifted.returncode == 2 and row.culprit in alarms,
        "explain": plain.returncode == 0 and _tells(row, plain.stdout),
        "explain --plan": row.culprit in declared.stdout,
        "doctor": row.culprit in warned,
    }
    return [verb for verb, named in said.items() if not named]


def _tells(row: Row, said: str) -> bool:
    if row.method == "OPTIONS":
        return "OPTIONS" in said
    return row.culprit in said if row.visitor else "who gets in   anyone" in said


@pytest.mark.parametrize("name", ROWS)
def test_no_verb_is_silent_about_an_open_door(closed: Path, ready: Ready, pki: Pki, name: str) -> None:
    """Shut before, open now by a real request; plan, drift, explain and doctor name who opened it."""
    row = ROWS[name]
    assert status(ready, row, closed, pki) in {302, 403}
    for switch, value in row.switches:
        lever(ready, "switches", {switch: value}, "POST")
    state = lever(ready, "state")
    row.opens(state)
    lever(ready, "state", state)
    assert status(ready, row, closed, pki) == 200
    assert silent(closed, ready, row) == []


def test_a_shut_door_is_called_shut(closed: Path, ready: Ready) -> None:
    """The other side of the table: nothing opened, nothing warned, drift clean, the doctor says so too."""
    assert run(closed, ready, "plan", PLAN, "--detailed-exitcode").returncode == 0
    drifted = run(closed, ready, "drift", PLAN, "--json")
    assert (drifted.returncode, json.loads(drifted.stdout)["stacks"][0]["findings"]) == (0, [])
    looked = json.loads(run(closed, ready, "doctor", PLAN, "--json").stdout)["findings"]
    assert [f["said"] for f in looked if f["grade"] != "ok" and f["check"].startswith("host.")] == []
