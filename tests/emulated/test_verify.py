"""The verb `verify`, as people run it: choosing, listing, reports, saved plans, watching, a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki.keys import pkcs8
from cf_mtls.verify import browser_probe
from tests.conftest import Pki
from tests.drift.inside import run

PLAN = "plans/georgetown.yaml"
URL = "https://jeann.net/georgetown-penang-malaysia"


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture
def fresh() -> Iterator[Ready]:
    """An emulator to which nobody has applied anything."""
    with running(Options()) as emulator:
        yield emulator.ready


def environment(ready: Ready) -> dict[str, str]:
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
    return {**ours, **ready.exports()}


@pytest.fixture
def applied(folder: Path, ready: Ready) -> Path:
    """The folder, its plan applied; the module's emulator takes the new CA beside the old."""
    ran = run(folder, ready, "apply", PLAN, "-y")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_list_says_what_each_proof_shows_and_leaves_open(tmp_path: Path, ready: Ready) -> None:
    """No plan, no network: ten numbered proofs, each with both."""
    ran = run(tmp_path, ready, "verify", "--list", CF_MTLS_CONNECT_TO="")
    assert ran.returncode == 0
    assert re.findall(r"^(\d+)\. ", ran.stdout, re.MULTILINE) == [str(n) for n in range(1, 11)]
    assert (ran.stdout.count("shows that"), ran.stdout.count("leaves open")) == (10, 10)


def test_reports_are_written_beside_the_table(applied: Path, ready: Ready) -> None:
    """JSON on stdout and nothing else there; JUnit and the page whole in their files; no key in any of them."""
    words = ["--json", "--junit", "out/j.xml", "--html", "out/p.html", "--proofs", "1,2,7"]
    ran = run(applied, ready, "verify", PLAN, *words)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["summary"] == {"pass": 3, "fail": 0, "inconclusive": 0}
    assert [v["proof"] for v in found["verdicts"]] == [1, 2, 7]
    assert found["handshakes"][0]["asked"] is True
    junit, page = ((applied / "out" / name).read_text("utf-8") for name in ("j.xml", "p.html"))
    assert ET.fromstring(junit).get("tests") == "3"  # noqa: S314 - our own
    assert "Proven" in page
    key = (applied / "plans/certs/clientcert.key").read_text("ascii")
    everything = ran.stdout + ran.stderr + junit + page
    assert not [line for line in key.splitlines()[1:-1] if line in everything]
    assert "CF_Authorization=" not in everything
    assert sorted(p.name for p in (applied / "out").iterdir()) == ["j.xml", "p.html"]


def test_a_report_that_cannot_be_written_is_said(applied: Path, ready: Ready) -> None:
    """Exit 1 with the code, after the verdict was shown."""
    (applied / "taken").write_text("")
    ran = run(applied, ready, "verify", PLAN, "--proofs", "1", "--html", "taken/p.html")
    assert (ran.returncode, "[verify.report]" in ran.stderr) == (1, True)


def test_a_saved_plan_is_proven_as_its_plan_file_is(folder: Path) -> None:
    """Before it is applied it fails, afterwards it passes, with the very probes of the plan file."""
    with running(Options()) as emulator:
        ready = emulator.ready
        assert run(folder, ready, "plan", PLAN, "--out", "saved.json").returncode == 0
        assert run(folder, ready, "verify", "saved.json").returncode == 3
        digest = json.loads((folder / "saved.json").read_text("utf-8"))["cf_mtls"]["digest"]
        assert run(folder, ready, "apply", "saved.json", "--expect", digest).returncode == 0
        ran = [run(folder, ready, "verify", file, "--json") for file in ("saved.json", PLAN)]
    told = [
        [(v["url"], v["client"], v["expected"], v["verdict"]) for v in json.loads(r.stdout)["verdicts"]]
        for r in ran
    ]
    assert told[0] == told[1]
    assert {r.returncode for r in ran} == {0}


def test_a_saved_plan_without_changes_is_proven_too(applied: Path, ready: Ready) -> None:
    """There is nothing to apply, and everything to prove."""
    assert run(applied, ready, "plan", PLAN, "--out", "saved.json").returncode == 0
    ran = run(applied, ready, "verify", "saved.json", CLOUDFLARE_API_TOKEN="")
    assert (ran.returncode, "Proven" in ran.stdout) == (0, True), ran.stderr


def test_watch_repeats_until_it_is_stopped(applied: Path, ready: Ready) -> None:
    """Verdict after verdict; Ctrl-C ends it with 130 and no traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "cf_mtls", "verify", PLAN, "--watch", "1", "--proofs", "1,2"],
        cwd=applied, env=environment(ready), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        said, end = "", time.monotonic() + 30
        while said.count("Proven") < 2 and time.monotonic() < end:
            said += program.stdout.readline()
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=20)
    assert said.count("Proven") == 2
    assert (program.returncode, "Traceback" in err) == (130, False)


@pytest.mark.parametrize("words", [["--witness", "telepathy"], ["--proofs", "13"], ["--watch", "0"]])
def test_a_wrong_option_ends_before_anything_is_sent(folder: Path, ready: Ready, words: list[str]) -> None:
    """Exit 64."""
    assert run(folder, ready, "verify", PLAN, *words).returncode == 64


def test_absent_witnesses_are_said_aloud(applied: Path, ready: Ready, tmp_path: Path) -> None:
    """With nothing on the path, `all` is httpx alone, and the others are named; asked by name they are an error."""
    ran = run(applied, ready, "verify", PLAN, "--witness", "all", "--proofs", "1,2", PATH=str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    assert re.findall(r"^Left out: (\w+)", ran.stderr, re.MULTILINE) == ["curl", "browser"]
    ran = run(applied, ready, "verify", PLAN, "--witness", "browser", PATH=str(tmp_path))
    assert (ran.returncode, "[verify.no-browser]" in ran.stderr) == (1, True)


def test_a_real_browser_is_blocked_and_then_let_in(applied: Path, ready: Ready) -> None:
    """Chromium's own 403 page without a certificate, the origin's with jean's; each is a picture, and in the page."""
    if not browser_probe.found() or not browser_probe.has_driver():
        pytest.skip("Chromium or Playwright is not installed")
    words = ["--witness", "browser", "--screenshots", "shots", "--html", "p.html", "--json"]
    ran = run(applied, ready, "verify", PLAN, *words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = [(v["client"], v["status"], v["got"]) for v in json.loads(ran.stdout)["verdicts"]]
    assert told == [("no certificate", 403, "403 by Access"), ("jean", 200, "answered by the origin")]
    pictures = sorted((applied / "shots").iterdir())
    contents = [p.read_bytes() for p in pictures]
    assert [p.name for p in pictures] == ["001-proof-1-no-certificate.png", "002-proof-2-jean.png"]
    assert all(content.startswith(b"\x89PNG") for content in contents)
    assert contents[0] != contents[1]
    assert (applied / "p.html").read_text("utf-8").count("data:image/png;base64,") == 2
    assert "browser cannot ask for proof 3, 4, 5, 6, 7, 8." in json.loads(ran.stdout)["notes"]


def test_apply_waits_for_a_slow_edge_with_a_line_that_says_so(folder: Path) -> None:
    """The application reaches the edge two seconds late: said in plain lines, then proven, exit 0."""
    with running(Options(switches={"app-delay": 2.0})) as emulator:
        ran = run(folder, emulator.ready, "apply", PLAN, "-y")
    lines = [line for line in ran.stderr.splitlines() if line.startswith("waiting for the edge: ")]
    assert ran.returncode == 0, ran.stderr
    assert 1 <= len(lines) <= 3
    assert lines[0] == "waiting for the edge: 6 of 9 still answer 200"


def test_a_client_that_cannot_be_opened_keeps_nobody_from_applying(
    folder: Path, fresh: Ready, pki: Pki
) -> None:
    """A key of another certificate is an error before anything is asked; an encrypted one is a warning, and applied."""
    key = folder / "plans/certs/clientcert.key"
    key.write_text(pki.stranger.key_pem, "ascii")
    for verb in (["apply", PLAN, "-y"], ["verify", PLAN]):
        ran = run(folder, fresh, *verb)
        assert (ran.returncode, "[identity.key-mismatch]" in ran.stderr, ran.stdout) == (1, True, "")
    key.write_text(pkcs8(pki.jean.key, b"a passphrase that nobody gives"), "ascii")
    ran = run(folder, fresh, "apply", PLAN, "-y")
    assert "warning: a client's key was not checked [client.not-checked]" in ran.stderr
    assert (ran.returncode, ran.stdout.strip().endswith("not proven at 1 URL.")) == (1, True), ran.stderr
    assert "warning: a declared client cannot be sent [client.cannot-be-sent]" in ran.stderr
    assert "Applied in 3 steps" in ran.stderr


def test_curl_hands_the_cookie_over_where_nobody_sees_it(applied: Path, ready: Ready, tmp_path: Path) -> None:
    """No argument of any curl, as the process list shows it, holds a cookie, a key or a passphrase."""
    real = shutil.which("curl")
    if not real:
        pytest.skip("curl is not installed")
    spy = tmp_path / "bin" / "curl"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{tmp_path}/seen"\nexec {real} "$@"\n')
    spy.chmod(0o755)
    path = f"{spy.parent}:{os.environ['PATH']}"
    ran = run(applied, ready, "verify", PLAN, "--witness", "curl", PATH=path)
    assert ran.returncode == 0, ran.stdout
    seen = (tmp_path / "seen").read_text("utf-8")
    assert len(seen.splitlines()) == 10
    assert "CF_Authorization" not in seen
    assert "PRIVATE" not in seen
    assert "--pass" not in seen


def test_many_files_have_a_verdict_each_and_hide_none(applied: Path, ready: Ready) -> None:
    """One proven, one unreadable, one whose client should be shut out: three lines, 3 wins, all three forms agree."""
    text = (applied / PLAN).read_text("utf-8")
    other = text.replace("expect: allowed", "expect: refused").replace("stack: georgetown", "stack: mo")
    (applied / "plans/mo.yaml").write_text(other, "utf-8")
    (applied / "plans/zz.yaml").write_text("version: 1\nstack: zz\nsurprise: 1\n", "utf-8")
    words = ["--proofs", "1,2", "--junit", "j.xml", "--html", "p.html"]
    ran = run(applied, ready, "verify", "plans", *words)
    assert ran.returncode == 3, ran.stderr
    assert ran.stdout.strip().splitlines()[-4:-1] == [
        f"proven: {PLAN}: 2 passed, 0 failed",
        "not enforced: plans/mo.yaml: 0 passed, 1 failed, 1 could not be told",
        "could not tell: plans/zz.yaml: it could not be asked: a key is not known here",
    ]
    assert "plans/zz.yaml:3" in ran.stderr
    found = json.loads(run(applied, ready, "verify", "plans", "--proofs", "1,2", "--json").stdout)
    assert [s["exit_code"] for s in found["stacks"]] == [0, 3, 1]
    assert ET.parse(applied / "j.xml").getroot().get("errors") == "1"  # noqa: S314 - our own
    assert "3 files: 1 not enforced" in (applied / "p.html").read_text("utf-8")
    assert run(applied, ready, "verify", PLAN, "plans/zz.yaml", "--proofs", "1,2").returncode == 1
    assert run(applied, ready, "verify", "plans/zz.yaml").returncode == 1
    assert run(applied, ready, "verify", PLAN, PLAN, "--proofs", "1,2").stdout.count("Proven") == 1
    assert run(applied, ready, "verify", "plans/certs").returncode == 1
