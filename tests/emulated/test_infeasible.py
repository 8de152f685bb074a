"""What apply must fail, or what would shut everybody out, as plan says it with the real program on the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki.authority import root
from tests.drift.inside import run
from tests.emulated.edge import lever

PLAN = "plans/p.yaml"
HEAD = "version: 1\nstack: p\n"
CA = "certificates:\n  c: {chain: certs/certchain.pem, associated_hostnames: [HOST]}\n"
APP = "applications:\n  a: {domain: HOST/x}\n"


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def write(folder: Path, text: str, host: str = "jeann.net") -> None:
    (folder / PLAN).write_text(HEAD + text.replace("HOST", host), "utf-8")


def writes(ready: Ready) -> set[str]:
    return {r["method"] for r in lever(ready, "requests")} - {"GET"}


def test_a_host_in_no_zone_is_refused_until_it_is_typed_out(folder: Path, ready: Ready) -> None:
    """With the line of the file; drift could not check it; typed, plan goes on, from the option or the environment."""
    write(folder, CA + APP, "api.elsewhere.net")
    refused = run(folder, ready, "apply", PLAN, "-y")
    assert (refused.returncode, writes(ready)) == (4, set())
    assert "[plan.host-in-no-zone]" in refused.stderr
    assert f"{PLAN}:" in refused.stderr
    assert "--host-elsewhere api.elsewhere.net" in refused.stderr
    assert run(folder, ready, "plan", PLAN, "--host-elsewhere", "API.elsewhere.net").returncode == 0
    known = {"CF_MTLS_HOST_ELSEWHERE": "x.net api.elsewhere.net"}
    assert run(folder, ready, "plan", PLAN, **known).returncode == 0
    drifted = run(folder, ready, "drift", PLAN)
    assert "could-not-check plan.host-in-no-zone" in drifted.stdout
    assert "could-not-check" not in run(folder, ready, "drift", PLAN, **known).stdout


@pytest.mark.parametrize(
    ("host", "is_told"), [("192.0.2.7", True), ("10.1.2.3", True), ("a1.jeann.net", False)]
)
def test_an_ip_address_is_no_hostname(folder: Path, ready: Ready, host: str, is_told: bool) -> None:
    """An error of the file, in words that say so, at its place."""
    write(folder, CA, host)
    ran = run(folder, ready, "validate", PLAN)
    assert (ran.returncode == 1) is is_told
    assert ("is an IP address" in ran.stderr) is is_told


def test_a_hostname_whose_ca_is_in_the_account_is_valid(folder: Path, ready: Ready) -> None:
    """The file alone cannot know it: a warning. With the account it is decided: refused without a CA, fine with one."""
    write(folder, APP)
    checked = run(folder, ready, "validate", PLAN)
    assert (checked.returncode, "[application.host-without-certificate]" in checked.stderr) == (0, True)
    refused = run(folder, ready, "plan", PLAN)
    assert (refused.returncode, "[plan.host-without-ca]" in refused.stderr) == (4, True)
    state = lever(ready, "state")
    pem = root("Another CA", now=datetime.now(UTC)).chain.pem
    state["certificates"].append({"name": "t", "certificate": pem, "associated_hostnames": ["jeann.net"]})
    lever(ready, "state", state)
    planned = run(folder, ready, "plan", PLAN)
    assert planned.returncode == 0, planned.stderr
    assert "host-without" not in planned.stderr


def test_a_ca_beside_a_reusable_policy_may_be_needed(folder: Path, ready: Ready) -> None:
    """What a reusable policy or a group demands is not in this file, so nothing is said; without one it is told."""
    policies = {
        "{id: aaaaaaaa-0000-4000-8000-000000000001}": False,
        "{name: g, include: [{everyone: {}}], require: [{group: g-1}]}": False,
        "{name: e, decision: allow, include: [{everyone: {}}]}": True,
    }
    for policy, is_told in policies.items():
        write(folder, f"{CA}applications:\n  a: {{domain: HOST/x, policies: [{policy}]}}\n")
        assert ("[certificate.not-demanded]" in run(folder, ready, "validate", PLAN).stderr) is is_told, (
            policy
        )


def test_a_fifty_first_ca_is_refused_before_any_write(folder: Path, ready: Ready) -> None:
    """The account is full: 4, with the number."""
    state = lever(ready, "state")
    pem = root("Another CA", now=datetime.now(UTC)).chain.pem
    first = {"name": "t", "certificate": pem, "associated_hostnames": []}
    lever(ready, "state", {**state, "certificates": [first]})
    (raw,) = lever(ready, "state")["certificates"]
    lever(ready, "state", {**state, "certificates": [{**raw, "id": f"{n:032x}"} for n in range(50)]})
    write(folder, CA + APP)
    refused = run(folder, ready, "apply", PLAN, "-y")
    assert (refused.returncode, writes(ready)) == (4, set())
    assert "there would be 51 CAs at once; an account may hold 50" in refused.stderr


@pytest.mark.parametrize("keeps", [True, False])
def test_a_secret_is_never_cleared_in_silence(folder: Path, keeps: bool) -> None:
    """Whether Cloudflare keeps what a PUT leaves out or not: refused until typed out, never sent, then no change."""
    with running(Options(switches={"put-keeps-secrets": keeps})) as emulator:
        ready = emulator.ready
        write(folder, CA + APP)
        assert run(folder, ready, "apply", PLAN, "-y", "--no-verify").returncode == 0
        state = lever(ready, "state")
        state["apps"][0]["scim_config"] = {
            "enabled": True,
            "authentication": {"user": "u", "password": "hunter2"},
        }
        lever(ready, "state", state)
        assert run(folder, ready, "plan", PLAN, "--detailed-exitcode").returncode == 0
        write(folder, CA + APP.replace("/x", "/x, session_duration: 1h"))
        refused = run(folder, ready, "plan", PLAN)
        assert refused.returncode == 4, refused.stdout
        assert "scim_config.authentication.password" in refused.stderr
        flag = ("--allow-cleared-secrets", "application/jeann.net/x")
        assert " ".join(flag) in refused.stderr
        ran = run(folder, ready, "apply", PLAN, "-y", "--no-verify", *flag)
        assert ran.returncode == 0, ran.stderr
        assert "hunter2" not in refused.stdout + refused.stderr + ran.stdout + ran.stderr
        (held,) = lever(ready, "state")["apps"]
        assert held["scim_config"]["authentication"].get("password") == ("hunter2" if keeps else None)
        assert held["session_duration"] == "1h"
        assert run(folder, ready, "plan", PLAN, "--detailed-exitcode").returncode == 0
