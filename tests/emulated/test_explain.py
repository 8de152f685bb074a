"""explain and plan against an account with foreign things in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki.authority import root
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN, URL, seen


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def add(ready: Ready, name: str, raw: dict[str, Any]) -> None:
    state = lever(ready, "state")
    lever(ready, "state", {**state, name: [*state[name], raw]})


def test_explain_needs_no_plan_file_and_only_reads(folder: Path, ready: Ready) -> None:
    """Who gets in, which application and policy decide, which CA counts; as text and as JSON."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    before = len(seen(ready))
    said = run(folder, ready, "explain", URL)
    assert said.returncode == 0, said.stderr
    assert "certificate holders" in said.stdout
    assert "valid certificate (non_identity)" in said.stdout
    assert {r["method"] for r in seen(ready)[before:]} == {"GET"}
    data = json.loads(run(folder, ready, "explain", URL, "--json").stdout)["now"]
    assert data["reach"] == "certificate holders"
    assert data["application"] == "application/jeann.net/georgetown-penang-malaysia"


def test_explain_tells_before_and_after_and_about_a_client(folder: Path, ready: Ready) -> None:
    """With a plan file: how it is now, how it would be, and whether this client gets in."""
    certificate = "plans/certs/clientcert.pem"
    data = json.loads(
        run(folder, ready, "explain", URL, "--plan", PLAN, "--client", certificate, "--json").stdout
    )
    assert (data["now"]["reach"], data["once applied"]["reach"]) == ("anyone", "certificate holders")
    assert data["once applied"]["client"]["gets_in"] is True
    table = run(folder, ready, "explain", "--all", "--plan", PLAN, "--offline")
    assert "certificate holders" in table.stdout


@pytest.mark.parametrize(
    "words", [["explain"], ["explain", "http://jeann.net/"], ["explain", "x"], ["explain", URL, "--offline"]]
)
def test_explain_says_what_it_cannot_explain(folder: Path, ready: Ready, words: list[str]) -> None:
    """No URL, plain http, no host, offline without a file: usage errors."""
    assert run(folder, ready, *words).returncode == 64


def test_foreign_things_that_weaken_ours_are_said_every_time(folder: Path, ready: Ready) -> None:
    """Another team's CA on our hostname, their open application below our path: id and reason, in plan and explain."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    other = root("Other CA", now=datetime.now(UTC))
    add(ready, "certificates", {
        "name": "theirs", "certificate": other.chain.pem, "associated_hostnames": ["jeann.net"]
    })  # fmt: skip
    add(ready, "apps", {
        "name": "open below", "type": "self_hosted", "domain": "jeann.net/georgetown-penang-malaysia/open",
        "policies": [{"name": "p", "decision": "bypass", "include": [{"everyone": {}}]}],
    })  # fmt: skip
    for _ in range(2):
        planned = run(folder, ready, "plan", PLAN, "--detailed-exitcode")
        assert planned.returncode == 0
        assert "[access.foreign-ca]" in planned.stderr
        assert "named theirs" in planned.stderr
        assert "[access.foreign-opening]" in planned.stderr
        assert "open below" in planned.stderr
    explained = run(folder, ready, "explain", URL).stdout
    assert "theirs" in explained
    assert "foreign" in explained


def test_a_weakening_is_refused_until_its_url_is_typed(folder: Path, ready: Ready) -> None:
    """A bypass in the file: exit 4 with the URL to type, even with --auto-approve; nothing is written."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    text = (folder / PLAN).read_text("utf-8").replace(
        "    domain: jeann.net/georgetown-penang-malaysia\n",
        "    domain: jeann.net/georgetown-penang-malaysia\n"
        "    policies: [{name: open, decision: bypass, include: [{everyone: }]}]\n",
    )  # fmt: skip
    (folder / PLAN).write_text(text, "utf-8")
    before = len(seen(ready))
    refused = run(folder, ready, "apply", PLAN, "-y")
    assert refused.returncode == 4
    assert "certificate holders → anyone" in refused.stderr
    assert f"    --allow-weaken {URL}" in refused.stderr
    assert {r["method"] for r in seen(ready)[before:]} == {"GET"}
    assert run(folder, ready, "plan", PLAN, "--allow-weaken", URL).returncode == 0


def test_a_client_that_would_lose_access_is_named(folder: Path, ready: Ready) -> None:
    """Pinning a name that jean does not have: refused with client and URL; a flag helps only without `expect`."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    text = (folder / PLAN).read_text("utf-8").replace(
        "    domain: jeann.net/georgetown-penang-malaysia\n",
        "    domain: jeann.net/georgetown-penang-malaysia\n"
        "    policies: [{name: fleet, include: [{certificate: }], require: [{common_name: fleet}]}]\n",
    )  # fmt: skip
    (folder / PLAN).write_text(text, "utf-8")
    refused = run(folder, ready, "plan", PLAN)
    assert refused.returncode == 4
    assert "[plan.expect-impossible]" in refused.stderr
    assert f"at {URL}" in refused.stderr
    assert "--allow-lockout" not in refused.stderr
    (folder / PLAN).write_text(text.replace(", expect: allowed", ""), "utf-8")
    refused = run(folder, ready, "plan", PLAN)
    assert (refused.returncode, f"    --allow-lockout jean@{URL}\n" in refused.stderr) == (4, True)


def test_what_lives_in_the_other_scope_counts_too(folder: Path, ready: Ready) -> None:
    """A zone-level application below our account-level path opens it: seen, said, and never touched."""
    zone = lever(ready, "state")["zones"][0]
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    add(ready, "apps", {
        "name": "zone level", "type": "self_hosted", "domain": "jeann.net/georgetown-penang-malaysia/z",
        "zone": zone["name"],
        "policies": [{"name": "p", "decision": "bypass", "include": [{"everyone": {}}]}],
    })  # fmt: skip
    planned = run(folder, ready, "plan", PLAN, "--detailed-exitcode")
    assert planned.returncode == 0
    assert "[access.foreign-opening]" in planned.stderr
    assert "zone level" in planned.stderr
    explained = json.loads(run(folder, ready, "explain", f"{URL}/z", "--json").stdout)["now"]
    assert (explained["reach"], explained["application"]) == (
        "anyone",
        "application/jeann.net/georgetown-penang-malaysia/z",
    )


def test_a_token_that_cannot_look_into_zones_is_said_as_a_note(folder: Path, ready: Ready) -> None:
    """The plan goes on; what it could not look at is named once."""
    token = lever(ready, "token", {"scopes": [f"accounts/{ready.account_id}"]}, "POST")["token"]
    planned = run(folder, ready, "plan", PLAN, CLOUDFLARE_API_TOKEN=token)
    assert planned.returncode == 0, planned.stderr
    assert "[scope.other-unseen]" in planned.stderr


@pytest.mark.parametrize(
    "host", ["JEANN.net", "jeann.net.", "jeann\u3002net", "b\u00fccher.jeann.net", "B\u00dcCHER.jeann.net."]
)
def test_a_hostname_is_explained_as_access_knows_it(folder: Path, ready: Ready, host: str) -> None:
    """Capitals, a dot at the end, an international name: the same answer as for the plain one: shut."""
    application = "application/xn--bcher-kva.jeann.net" if "cher" in host.lower() else "application/jeann.net"
    deny = [{"name": "p", "decision": "deny", "include": [{"everyone": {}}]}]
    domain = application.partition("/")[2]
    add(ready, "apps", {"name": "shut", "type": "self_hosted", "domain": domain, "policies": deny})
    now = json.loads(run(folder, ready, "explain", f"https://{host}/x", "--json").stdout)["now"]
    assert (now["reach"], now["application"], now["url"]) == ("nobody", application, f"https://{domain}/x")


@pytest.mark.parametrize("host", ["stra\u00dfe.jeann.net", "a..net", "x" * 64 + ".net", "nodots"])
def test_what_cannot_be_read_as_one_hostname_is_not_guessed(folder: Path, ready: Ready, host: str) -> None:
    """Two standards read it differently, or it is none: a usage error that says so."""
    assert run(folder, ready, "explain", f"https://{host}/").returncode == 64


@pytest.mark.parametrize("url", ["https://elsewhere.net/", "https://192.0.2.7/", "https://xjeann.net/"])
def test_a_host_in_no_zone_is_not_called_open(folder: Path, ready: Ready, url: str) -> None:
    """Nobody knows whether Access sees its requests: said, in words and as data."""
    said = run(folder, ready, "explain", url).stdout
    assert "not known: no zone that this token sees holds" in said
    now = json.loads(run(folder, ready, "explain", url, "--json").stdout)["now"]
    assert now["reach"] is None
