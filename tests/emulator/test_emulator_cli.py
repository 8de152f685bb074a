"""`cf-mtls emulate` as a process: what it prints, writes, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "cf_mtls", "emulate"]
KEYS = {"api_base_url", "edge", "edge_ca", "account_id", "token"}


def _start(folder: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    ready = folder / "ready.json"
    process = subprocess.Popen(
        [*COMMAND, "--ready-file", str(ready), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 20
    while not ready.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    return process, json.loads(ready.read_text("utf-8"))  # whole as soon as it is there


def _end(process: subprocess.Popen[str], number: int) -> tuple[str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: int) -> None:
    """The ready file is whole and private, the exports work, and the end is clean with exit code 0."""
    process, ready = _start(tmp_path, "--seed", "5")
    assert ready.keys() >= KEYS
    assert (tmp_path / "ready.json").stat().st_mode & 0o077 == 0
    response = httpx.get(
        f"{ready['api_base_url']}/user/tokens/verify", headers={"authorization": f"Bearer {ready['token']}"}
    )
    assert response.json()["success"] is True
    assert httpx.get(f"{ready['management']}/requests").json()[0]["status"] == 200
    host, _, port = ready["edge"].partition(":")
    with socket.create_connection((host, int(port)), timeout=5):
        out, err = _end(process, number)
    exports = dict(line.removeprefix("export ").split("=", 1) for line in out.splitlines())
    assert exports == ready["exports"]
    assert exports["CLOUDFLARE_BASE_URL"] == ready["api_base_url"]
    assert exports["CF_MTLS_CONNECT_TO"] == f"::{ready['edge']}"
    assert "NOT Cloudflare" in err
    assert "seed  5" in err
    assert err.endswith("stopped\n")
    assert ready["token"] not in err
    assert not os.path.exists(ready["edge_ca"])  # noqa: PTH110 - a plain question


def test_state_faults_switches_and_zones(tmp_path: Path) -> None:
    """Each option arrives."""
    (tmp_path / "state.json").write_text('{"zones": ["example.org"], "tags": [{"name": "t"}]}')
    (tmp_path / "faults.json").write_text('{"do": "5xx", "when": {"nth": 2}}')
    process, ready = _start(
        tmp_path, "--state", str(tmp_path / "state.json"), "--faults", str(tmp_path / "faults.json"),
        "--switch", "settings-merge=off", "--lifelike",
    )  # fmt: skip
    with httpx.Client(headers={"authorization": f"Bearer {ready['token']}"}) as client:
        tags = f"{ready['api_base_url']}/accounts/{ready['account_id']}/access/tags"
        assert [t["name"] for t in client.get(tags).json()["result"]] == ["t"]
        assert client.get(tags).status_code == 502
        switches = client.get(f"{ready['management']}/switches").json()
    assert (switches["settings-merge"], switches["settings-delay"]) == ("off", "5.0")
    assert ready["zones"] == ["example.org"]
    _end(process, signal.SIGTERM)


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=30, check=False)


def test_the_switches_are_listed_with_their_sources() -> None:
    """Every row with its default, its words and where the doubt comes from."""
    from cf_mtls.emulator.switches import SWITCHES, spoken

    done = _run("--switches")
    assert done.returncode == 0
    for row in SWITCHES:
        assert f"{row.name}={spoken(row.default)}" in done.stdout
        assert row.source in done.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--switch", "nothing=1"), "no switch 'nothing'"),
        (("--state", "missing.json"), "missing.json"),
        (("--faults", "missing.json"), "missing.json"),
        (("--origin", "http://192.0.2.1"), "on this machine"),
    ],
)
def test_what_cannot_be_ends_with_words(options: tuple[str, ...], says: str) -> None:
    """Exit code 1, a message, no traceback."""
    done = _run(*options)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_that_is_taken() -> None:
    """Exit code 1 with a message, and nothing is left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = _run("--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
