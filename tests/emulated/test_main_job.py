"""The main job, end to end, with the real program, the real curl and the emulator."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from tests.conftest import Pki
from tests.drift.inside import run

PLAN = "plans/georgetown.yaml"
URL = "https://jeann.net/georgetown-penang-malaysia"


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def started(folder: Path, ready: Ready, *words: str) -> subprocess.CompletedProcess[str]:
    """What the program says and ends with in a process of its own."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
    return subprocess.run(
        [sys.executable, "-m", "cf_mtls", *words],
        cwd=folder, env={**ours, **ready.exports()}, capture_output=True, text=True, check=False, timeout=90,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def seen(ready: Ready) -> list[dict[str, Any]]:
    """The API requests that the emulator has seen."""
    with urllib.request.urlopen(
        ready.api_base_url.removesuffix("/client/v4") + "/_emulator/requests"
    ) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def curl(ready: Ready, *words: str) -> str:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    where = ["--connect-to", f"::{ready.edge}", "--cacert", ready.edge_ca]
    status = [
        "--silent",
        "--show-error",
        "--output",
        os.devnull,
        "--write-out",
        "%{http_version} %{response_code}",
    ]
    return subprocess.run(
        ["curl", *status, *where, *words, URL], capture_output=True, text=True, check=True
    ).stdout


def test_apply_closes_the_door_and_a_second_plan_only_reads(folder: Path, ready: Ready) -> None:
    """Apply proves itself; the plan after it is empty, exits 0, and the log shows only GETs for it."""
    applied = started(folder, ready, "apply", PLAN, "--auto-approve")
    assert applied.returncode == 0, applied.stderr
    assert "Proven" in applied.stdout
    before = len(seen(ready))
    planned = started(folder, ready, "plan", PLAN, "--detailed-exitcode")
    assert (planned.returncode, planned.stdout.startswith("No changes.")) == (0, True)
    after = seen(ready)[before:]
    assert after
    assert {r["method"] for r in after} == {"GET"}
    assert {r["status"] for r in after} == {200}


def test_the_writes_of_a_first_apply_are_the_fewest(folder: Path, ready: Ready) -> None:
    """One POST for the CA with its hostname, one PUT of settings, one POST for the application."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    writes = [(r["method"], r["path"].rpartition("access/")[2]) for r in seen(ready) if r["method"] != "GET"]
    assert writes == [("POST", "certificates"), ("PUT", "certificates/settings"), ("POST", "apps")]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_real_curl_gets_403_and_200(folder: Path, ready: Ready, pki: Pki, version: str) -> None:
    """Open before; afterwards 403 without, 200 with, and 403 with a stranger's certificate of the same names."""
    protocol = {"--http1.1": "1.1", "--http2": "2"}[version]
    assert curl(ready, version) == f"{protocol} 200"
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    certs = folder / "plans/certs"
    (certs / "stranger.pem").write_text(pki.stranger.certificate_pem)
    (certs / "stranger.key").write_text(pki.stranger.key_pem)
    jean = ["--cert", str(certs / "clientcert.pem"), "--key", str(certs / "clientcert.key")]
    stranger = ["--cert", str(certs / "stranger.pem"), "--key", str(certs / "stranger.key")]
    assert curl(ready, version) == f"{protocol} 403"
    assert curl(ready, version, *jean) == f"{protocol} 200"
    assert curl(ready, version, *stranger) == f"{protocol} 403"


@pytest.mark.parametrize("witness", ["httpx", "curl"])
def test_verify_fails_while_the_door_is_open(folder: Path, ready: Ready, witness: str) -> None:
    """Before anything is applied, verify says which request got in, and exits 3."""
    if witness == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    ran = run(folder, ready, "verify", PLAN, "--witness", witness)
    assert ran.returncode == 3
    assert "the door is open" in ran.stdout


def test_verify_prints_a_curl_command_that_can_be_pasted(folder: Path, ready: Ready) -> None:
    """The printed command, run by a shell as it stands, gets the same answer."""
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    ran = run(folder, ready, "verify", PLAN, "--witness", "curl")
    assert ran.returncode == 0, ran.stdout
    commands = [line.removeprefix("$ ") for line in ran.stdout.splitlines() if line.startswith("$ curl")]
    assert len(commands) == 4  # the other certificates and the cookie are nobody's to paste
    answers = [
        subprocess.run(["/bin/sh", "-c", c], cwd=folder, capture_output=True, text=True, check=True)
        for c in commands
    ]
    assert [a.stdout.split()[1] for a in answers] == ["403", "200", "403", "200"]


def test_a_client_whose_key_is_not_here_is_not_a_pass(folder: Path, ready: Ready) -> None:
    """Without the positive control nothing is proven: exit 1, and the reason is printed last."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    (folder / "plans/certs/clientcert.key").unlink()
    ran = run(folder, ready, "verify", PLAN)
    assert ran.returncode == 1
    assert "Not proven (1 passed, 0 failed, 7 could not be told)" in ran.stdout


def test_apply_without_a_terminal_needs_auto_approve(folder: Path, ready: Ready) -> None:
    """It shows the plan, names the flag, and changes nothing."""
    ran = run(folder, ready, "apply", PLAN)
    assert ran.returncode == 1
    assert "--auto-approve" in ran.stderr
    assert {r["method"] for r in seen(ready)} == {"GET"}


@pytest.mark.parametrize(("typed", "writes"), [("yes\n", True), ("y\n", False), ("\n", False)])
def test_apply_asks_for_yes_on_a_terminal(folder: Path, ready: Ready, typed: str, writes: bool) -> None:
    """Only the whole word counts."""
    import pty

    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
    main, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cf_mtls", "apply", PLAN],
        cwd=folder, env={**ours, **ready.exports()}, stdin=end, stderr=end, stdout=subprocess.DEVNULL,
    ) as program:  # fmt: skip
        os.close(end)
        said = b""
        while b"Type yes" not in said:
            said += os.read(main, 4096)
        os.write(main, typed.encode())
        drained = _drain(main)
        code = program.wait(60)
    os.close(main)
    assert (code == 0) is writes, drained
    assert ("POST" in {r["method"] for r in seen(ready)}) is writes


def _drain(terminal: int) -> bytes:
    said = b""
    try:
        while chunk := os.read(terminal, 4096):
            said += chunk
    except OSError:
        pass  # the other end has closed
    return said


def test_a_wrong_token_is_said_and_never_shown(folder: Path, ready: Ready) -> None:
    """Cloudflare's refusal in words, exit 1, and the token in none of them."""
    ran = run(folder, ready, "plan", PLAN, CLOUDFLARE_API_TOKEN="cfat_wrong-canary")
    assert ran.returncode == 1
    assert re.search(r"\[api\.(permission-missing|token-refused)\]", ran.stderr)
    assert "CLOUDFLARE_API_TOKEN" in ran.stderr
    assert "canary" not in ran.stderr + ran.stdout


def test_no_key_and_no_token_is_in_anything_that_is_said(folder: Path, ready: Ready, pki: Pki) -> None:
    """Plan, apply and verify with both witnesses: neither the token nor a line of the key."""
    said = ""
    for words in (["plan"], ["apply", "-y"], ["verify"], ["verify", "--witness", "curl"]):
        ran = run(folder, ready, words[0], PLAN, *words[1:])
        said += ran.stdout + ran.stderr
    assert ready.token not in said
    assert not [line for line in pki.jean.key_pem.splitlines()[1:-1] if line in said]


def test_a_change_behind_our_back_is_found_and_closed(folder: Path, ready: Ready) -> None:
    """A policy opened by hand is a change with a name; apply puts it back."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    base = f"{ready.api_base_url}/accounts/{ready.account_id}/access/apps"

    def api(method: str, url: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            url, json.dumps(body).encode() if body else None,
            {"authorization": f"Bearer {ready.token}", "content-type": "application/json"}, method=method,
        )  # fmt: skip
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["result"]

    (app,) = api("GET", base)
    open_house = {"name": "open house", "decision": "bypass", "include": [{"everyone": {}}]}
    api("PUT", f"{base}/{app['id']}", {**app, "policies": [open_house]})
    planned = run(folder, ready, "plan", PLAN, "--detailed-exitcode")
    assert (planned.returncode, "open house" in planned.stdout) == (2, True)
    assert run(folder, ready, "verify", PLAN).returncode == 3
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    assert run(folder, ready, "plan", PLAN, "--detailed-exitcode").returncode == 0


def test_emulate_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """The ready file appears when it serves; export lines on stdout; SIGTERM ends it cleanly with 0."""
    ready_file = tmp_path / "ready.json"
    with subprocess.Popen(
        [sys.executable, "-m", "cf_mtls", "emulate", "--ready-file", str(ready_file)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        for _ in range(300):
            if ready_file.exists() or program.poll() is not None:
                break
            time.sleep(0.1)
        facts = json.loads(ready_file.read_text("utf-8"))
        assert {"api_base_url", "edge", "edge_ca", "account_id", "token"} <= facts.keys()
        assert Path(facts["edge_ca"]).is_file()
        program.send_signal(signal.SIGTERM)
        out, err = program.communicate(timeout=20)
    assert program.returncode == 0, err
    names = set(re.findall(r"^export ([A-Z_]+)=", out, re.MULTILINE))
    assert {
        "CLOUDFLARE_BASE_URL", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CF_MTLS_CONNECT_TO", "CF_MTLS_CACERT"
    } == names  # fmt: skip
    assert not Path(facts["edge_ca"]).exists()


def test_the_demo_ends_with_an_error_when_the_story_goes_otherwise(tmp_path: Path) -> None:
    """A curl that always sees 200 makes the 403 of the story fail: exit 1, and what was seen."""
    liar = tmp_path / "curl"
    liar.write_text("#!/bin/sh\necho HTTP/2 200\n")
    liar.chmod(0o755)
    ran = subprocess.run(
        [sys.executable, "-m", "cf_mtls", "demo"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "[demo.unexpected]" in ran.stderr


def test_the_demo_needs_neither_curl_nor_openssl(tmp_path: Path) -> None:
    """Without them httpx and OpenSSL's library play their parts, and the story says so."""
    ran = subprocess.run(
        [sys.executable, "-m", "cf_mtls", "demo"],
        env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "curl is not installed" in ran.stdout
    assert "openssl is not installed" in ran.stdout


def test_a_plan_of_ones_own_is_rehearsed_under_its_own_names(folder: Path, tmp_path: Path) -> None:
    """--for takes hostnames and account from the plan file, so that apply and verify run on them."""
    account = "0123456789abcdef0123456789abcdef"
    text = (folder / PLAN).read_text("utf-8").replace("jeann.net", "api.bank.example")
    (folder / PLAN).write_text(text.replace("version: 1", f"version: 1\naccount_id: {account}"), "utf-8")
    ready_file = tmp_path / "ready.json"
    with subprocess.Popen(
        [sys.executable, "-m", "cf_mtls", "emulate", "--for", PLAN, "--ready-file", str(ready_file)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as program:  # fmt: skip
        for _ in range(300):
            if ready_file.exists() or program.poll() is not None:
                break
            time.sleep(0.1)
        facts = json.loads(ready_file.read_text("utf-8"))
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
        applied = subprocess.run(
            [sys.executable, "-m", "cf_mtls", "apply", PLAN, "-y"],
            cwd=folder, env={**ours, **facts["exports"]}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        program.send_signal(signal.SIGTERM)
        program.wait(20)
    assert facts["account_id"] == account
    assert applied.returncode == 0, applied.stderr
    assert "Proven" in applied.stdout
