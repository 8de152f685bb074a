"""Plan and apply as people use them: saved plans, rotation, stacks side by side, zones, adoption, the end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki.authority import root
from tests.conftest import Pki
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN, URL, seen

NOW = datetime.now(UTC)


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def table(ready: Ready, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lever(ready, "state")[name]
    return found


def edit(folder: Path, old: str, new: str, file: str = PLAN) -> None:
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), "utf-8")


def test_a_saved_plan_is_applied_as_it_stands_and_proven(folder: Path, ready: Ready) -> None:
    """No question, the same steps, and the same proof from the file alone; afterwards nothing of it is left."""
    assert run(folder, ready, "plan", PLAN, "--out", "p.json").returncode == 0
    raw = json.loads((folder / "p.json").read_text("utf-8"))
    assert "PRIVATE KEY" not in json.dumps(raw)
    approved = ("--expect", raw["cf_mtls"]["digest"])
    applied = run(folder, ready, "apply", "p.json", *approved)
    assert applied.returncode == 0, applied.stderr
    assert "Proven" in applied.stdout
    writes = [r for r in seen(ready) if r["method"] != "GET"]
    again = run(folder, ready, "apply", "p.json", *approved)
    assert (again.returncode, "No changes." in again.stdout, "Proven" in again.stdout) == (0, True, True), (
        again.stderr
    )
    assert [r for r in seen(ready) if r["method"] != "GET"] == writes


def test_a_saved_plan_is_refused_when_somebody_changed_what_it_relied_on(folder: Path, ready: Ready) -> None:
    """The object is named, exit 4, and nothing is written."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    edit(folder, "    domain: jeann.net", "    session_duration: 6h\n    domain: jeann.net")
    assert run(folder, ready, "plan", PLAN, "--out", "p.json").returncode == 0
    state = lever(ready, "state")
    state["apps"][0]["skip_interstitial"] = True
    lever(ready, "state", state)
    before = len(seen(ready))
    refused = run(folder, ready, "apply", "p.json")
    assert refused.returncode == 4
    assert "application/jeann.net/georgetown-penang-malaysia changed" in refused.stderr
    assert {r["method"] for r in seen(ready)[before:]} == {"GET"}


def test_only_the_approved_digest_is_applied(folder: Path, ready: Ready) -> None:
    """Approved in the pull request, applied after the merge: another plan is refused with both digests."""
    shown = run(folder, ready, "plan", PLAN).stdout
    digest = next(line.split()[1] for line in shown.splitlines() if line.startswith("Digest "))
    wrong = run(folder, ready, "apply", PLAN, "-y", "--expect", "0" * 64)
    assert wrong.returncode == 4
    assert digest in wrong.stderr
    assert run(folder, ready, "apply", PLAN, "-y", "--expect", digest).returncode == 0


def test_a_rotation_proves_the_new_ca_before_the_old_one_goes(folder: Path, ready: Ready) -> None:
    """Both stand together until every declared client got in; then the old one leaves."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    new = root("New Root CA", now=NOW).intermediate("New Clients CA", now=NOW)
    certs = folder / "plans/certs"
    (certs / "new.pem").write_text(new.chain.pem, "ascii")
    edit(folder, "certs/certchain.pem ", "certs/new.pem ")
    mary = new.issue("mary", now=NOW)
    (certs / "mary.pem").write_text(mary.certificate_pem, "ascii")
    (certs / "mary.key").write_text(mary.key_pem, "ascii")
    mary = "{certificate: certs/mary.pem, key: certs/mary.key, expect: allowed}"
    edit(
        folder, "key: certs/clientcert.key, expect: allowed}", f"key: certs/clientcert.key}}\n  mary: {mary}"
    )
    refused = run(folder, ready, "apply", PLAN, "-y")
    assert refused.returncode == 4
    allowed = f"jean@{URL}"
    assert f"    --allow-lockout {allowed}" in refused.stderr
    done = run(folder, ready, "apply", PLAN, "-y", "--allow-lockout", allowed)
    assert done.returncode == 0, done.stderr
    assert "Proving that the new trust works" in done.stderr
    assert f"Shown: mary gets in at {URL}, and only penang-clients {new.chain.sha256[:8]}" in done.stderr
    assert f"Shown: jean is refused at {URL}; only the old CA accepted it." in done.stderr
    assert "Proven" in done.stdout
    assert [c["name"].split()[1] for c in table(ready, "certificates")] == [new.chain.sha256[:32]]


def test_a_rotation_stops_when_a_declared_client_of_the_new_ca_does_not_get_in(
    folder: Path, ready: Ready
) -> None:
    """The edge takes the new CA too late for it: the old CA stays, the exit code is 3, and nothing was taken away."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    new = root("New Root CA", now=NOW)
    certs = folder / "plans/certs"
    mary = new.issue("mary", now=NOW)
    for name, text in (
        ("new.pem", new.chain.pem), ("mary.pem", mary.certificate_pem), ("mary.key", mary.key_pem)
    ):  # fmt: skip
        (certs / name).write_text(text, "ascii")
    edit(folder, "certs/clientcert.pem, key: certs/clientcert.key", "certs/mary.pem, key: certs/mary.key")
    edit(folder, "certs/certchain.pem ", "certs/new.pem ")
    lever(ready, "switches", {"association-delay": 600.0}, "POST")
    stopped = run(folder, ready, "apply", PLAN, "-y", "--deadline", "1")
    assert stopped.returncode == 3, stopped.stderr
    assert "[apply.not-proven]" in stopped.stderr
    assert len(table(ready, "certificates")) == 2


def test_two_stacks_never_touch_each_other(folder: Path, ready: Ready, pki: Pki) -> None:
    """Each plan sees the other's things as foreign; destroying one leaves the other byte for byte."""
    other = root("Other CA", now=NOW)
    (folder / "plans/certs/other.pem").write_text(other.chain.pem, "ascii")
    text = (folder / PLAN).read_text("utf-8")
    text = text.replace("stack: georgetown ", "stack: melaka ").replace(
        "certs/certchain.pem ", "certs/other.pem "
    )
    text = text.replace("jeann.net/georgetown-penang-malaysia", "www.jeann.net/melaka").replace(
        "[jeann.net]", "[www.jeann.net]"
    )
    text = text.partition("hostname_settings:")[0] + "applications:" + text.partition("applications:")[2]
    (folder / "plans/melaka.yaml").write_text(text.partition("\nclients:")[0], "utf-8")
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    assert run(folder, ready, "apply", "plans/melaka.yaml", "-y", "--no-verify").returncode == 0
    for file in (PLAN, "plans/melaka.yaml"):
        assert run(folder, ready, "plan", file, "--detailed-exitcode").returncode == 0
    before = [r for r in table(ready, "apps") + table(ready, "certificates") if "melaka" in r["name"]]
    gone = run(folder, ready, "apply", PLAN, "-y", "--destroy", "--allow-delete", "2",
               "--allow-weaken", "https://jeann.net/georgetown-penang-malaysia")  # fmt: skip
    assert gone.returncode == 0, gone.stderr
    assert table(ready, "apps") + table(ready, "certificates") == sorted(
        before, key=lambda r: "certificate" in r
    )


def test_a_zone_works_as_an_account_does(folder: Path, ready: Ready) -> None:
    """zone_id in the environment: plan, apply, prove, and an empty second plan."""
    zone = table(ready, "zones")[0]["id"]
    here = {"CLOUDFLARE_ACCOUNT_ID": "", "CLOUDFLARE_ZONE_ID": zone}
    applied = run(folder, ready, "apply", PLAN, "-y", **here)
    assert applied.returncode == 0, applied.stderr
    assert "Proven" in applied.stdout
    assert run(folder, ready, "plan", PLAN, "--detailed-exitcode", **here).returncode == 0


def test_what_is_adopted_is_taken_over_in_place(folder: Path, ready: Ready) -> None:
    """Refused with the way out; with it, the same object carries our mark; its id is what it was."""
    state = lever(ready, "state")
    app = {
        "name": "by hand",
        "type": "self_hosted",
        "domain": "jeann.net/georgetown-penang-malaysia",
        "policies": [],
    }
    lever(ready, "state", {**state, "apps": [app]})
    (before,) = table(ready, "apps")
    refused = run(folder, ready, "plan", PLAN)
    assert refused.returncode == 4
    address = "application/jeann.net/georgetown-penang-malaysia"
    assert f"    --adopt {address}" in refused.stderr
    url = "https://jeann.net/georgetown-penang-malaysia"
    weaker = run(folder, ready, "plan", PLAN, "--adopt", address)
    assert (weaker.returncode, "nobody → certificate holders" in weaker.stderr) == (4, True)
    adopted = run(folder, ready, "apply", PLAN, "-y", "--adopt", address, "--allow-weaken", url)
    assert adopted.returncode == 0, adopted.stderr
    (after,) = table(ready, "apps")
    assert (after["id"], after["name"]) == (before["id"], "georgetown (cf-mtls georgetown)")


def on_a_wildcard(folder: Path) -> None:
    """The plan file asks for a certificate at every host below jeann.net."""
    edit(folder, "associated_hostnames: [jeann.net]", "associated_hostnames: ['*.jeann.net']")
    edit(folder, "domain: jeann.net/georgetown-penang-malaysia", "domain: '*.jeann.net'")
    edit(folder, "  jeann.net: {client_certificate_forwarding: true}", "  www.jeann.net: {}")
    edit(folder, ", expect: allowed", "")


@pytest.mark.parametrize("takes", [False, True])
def test_a_wildcard_is_refused_until_somebody_says_that_the_account_takes_it(
    folder: Path, takes: bool
) -> None:
    """Refused with the flag, nothing written. With it: done where the account does, else named as what it is."""
    on_a_wildcard(folder)
    with running(Options(switches={"wildcard-hostnames": takes})) as emulator:
        ready = emulator.ready
        refused = run(folder, ready, "apply", PLAN, "-y")
        assert (refused.returncode, "[plan.wildcard-hostname]" in refused.stderr) == (4, True), refused.stderr
        assert "    --wildcard-hostnames" in refused.stderr
        assert {r["method"] for r in seen(ready)} == {"GET"}
        done = run(folder, ready, "apply", PLAN, "-y", "--wildcard-hostnames")
        assert "[plan.wildcard-not-judged]" in done.stderr
        assert (
            "anyone → nobody; if the wildcard of a CA counts, certificate holders: of penang" in done.stdout
        )
        assert ("Applied in" in done.stderr) is takes, done.stderr
        assert ("[api.hostname-not-valid]" in done.stderr) is not takes
        assert "a hostname is on another CA" not in done.stderr
        if takes:  # jean was let in, and whether that is right is not known
            assert (done.returncode, "fail" in done.stdout.replace("0 failed", "")) == (1, False), done.stdout
            assert "by a wildcard alone, and whether that counts is not known" in " ".join(
                done.stdout.split()
            )
            certs = folder / "plans/certs"
            jean = ["--cert", str(certs / "clientcert.pem"), "--key", str(certs / "clientcert.key")]
            url = "https://www.jeann.net/"
            assert [curl_at(ready, url), curl_at(ready, url, *jean)] == ["403", "200"]
            again = run(folder, ready, "plan", PLAN, "--detailed-exitcode")
            assert (again.returncode, "[plan.wildcard-hostname]" in again.stderr) == (0, False)


def test_a_wildcard_that_no_ca_has_is_told_the_truth(folder: Path, ready: Ready) -> None:
    """No advice that leads to an apply that fails: the hosts are to be named."""
    edit(folder, "domain: jeann.net/georgetown-penang-malaysia", "domain: '*.jeann.net'")
    ran = run(folder, ready, "plan", PLAN)
    assert (ran.returncode, "[plan.host-without-ca]" in ran.stderr) == (4, True)
    assert "Add *.jeann.net" not in ran.stderr
    assert "Name each host" in ran.stderr


def curl_at(ready: Ready, url: str, *words: str) -> str:
    """The status that real curl gets there."""
    where = ["--connect-to", f"::{ready.edge}", "--cacert", ready.edge_ca, "--silent", "--output", os.devnull]
    command = ["curl", *where, "--write-out", "%{response_code}", *words, url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_one_ca_per_hostname_is_told_learned_and_done_as_a_lockout(folder: Path) -> None:
    """The API's refusal names the flag; with it the plan names the gap; allowed, it rotates through it."""
    with running(Options(switches={"share-hostname": False})) as emulator:
        ready = emulator.ready
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        new = root("New Root CA", now=NOW)
        mary = new.issue("mary", now=NOW)
        certs = folder / "plans/certs"
        for name, text in (
            ("new.pem", new.chain.pem),
            ("mary.pem", mary.certificate_pem),
            ("mary.key", mary.key_pem),
        ):
            (certs / name).write_text(text, "ascii")
        edit(folder, "certs/certchain.pem ", "certs/new.pem ")
        mary_too = "refused}\n  mary: {certificate: certs/mary.pem, key: certs/mary.key, expect: allowed}"
        edit(folder, "allowed}", mary_too)
        refused = run(folder, ready, "apply", PLAN, "-y")
        assert refused.returncode == 1
        assert "    --one-ca-per-hostname" in refused.stderr
        named = run(folder, ready, "plan", PLAN, "--one-ca-per-hostname")
        assert named.returncode == 4
        assert "fails closed" in named.stderr
        assert "    --allow-lockout jeann.net" in named.stderr
        assert "it comes only after the old one has left" in named.stderr
        done = run(
            folder, ready, "apply", PLAN, "-y", "--one-ca-per-hostname", "--allow-lockout", "jeann.net",
            "--allow-unproven", "jeann.net",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(table(ready, "certificates")) == 1


def test_a_target_changes_one_thing_and_says_what_it_left(folder: Path, ready: Ready) -> None:
    """Only the settings are written; the warning lists the rest."""
    done = run(folder, ready, "apply", PLAN, "-y", "--target", "settings/jeann.net")
    assert "[plan.partial]" in done.stderr
    assert "application/jeann.net/georgetown-penang-malaysia" in done.stderr
    assert [r["method"] for r in seen(ready) if r["method"] != "GET"] == ["PUT"]


def test_the_end_needs_words(folder: Path, ready: Ready) -> None:
    """Destroy without its gates is refused and names them; with them nothing of ours is left."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    refused = run(folder, ready, "apply", PLAN, "-y", "--destroy")
    assert refused.returncode == 4
    assert "    --allow-delete 2" in refused.stderr
    url = "https://jeann.net/georgetown-penang-malaysia"
    assert f"    --allow-weaken {url}" in refused.stderr
    exact = next(line for line in refused.stderr.splitlines() if "cf-mtls apply" in line).split()
    assert exact[:3] == ["cf-mtls", "apply", PLAN]
    done = run(folder, ready, *exact[1:])
    assert done.returncode == 0, done.stderr
    assert table(ready, "apps") == table(ready, "certificates") == []


def test_the_journal_tells_what_was_done(folder: Path, ready: Ready) -> None:
    """A line to begin with, one before and after each step, one for the proof, one to end with; each has a time."""
    assert run(folder, ready, "apply", PLAN, "-y", "--journal", "j.jsonl").returncode == 0
    lines = [json.loads(line) for line in (folder / "j.jsonl").read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["begin", *["doing", "step"] * 3, "proof", "end"]
    assert all(line["time"] for line in lines)
    assert lines[-1]["outcome"] == "proven"


def test_show_lists_what_the_account_holds(folder: Path, ready: Ready) -> None:
    """CAs with days left, hostnames, applications, whose they are; as text and as JSON."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    text = run(folder, ready, "show").stdout
    assert "stack georgetown" in text
    assert "in 18" in text
    data = json.loads(run(folder, ready, "show", "--json").stdout)
    assert data["certificates"][0]["stack"] == "georgetown"
    assert data["applications"][0]["domains"] == ["jeann.net/georgetown-penang-malaysia"]
    run(folder, ready, "plan", PLAN, "--destroy", "--allow-delete", "2", "--out", "p.json",
        "--allow-weaken", "https://jeann.net/georgetown-penang-malaysia")  # fmt: skip
    assert "will be destroyed" in run(folder, ready, "show", "p.json").stdout


def test_an_interrupt_finishes_the_call_and_a_second_run_heals(folder: Path, ready: Ready) -> None:
    """Ctrl-C while settings are waited for: exit 130, what is left is listed, and the same command completes it."""
    import os
    import signal
    import subprocess
    import sys
    import time

    lever(ready, "switches", {"settings-delay": 30.0}, "POST")
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "cf_mtls", "apply", PLAN, "-y"],
        cwd=folder, env={**ours, **ready.exports()}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as program:  # fmt: skip
        for _ in range(200):
            if any(r["method"] == "PUT" for r in seen(ready)):
                break
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=30)
    assert program.returncode == 130, said
    assert "demand    application/jeann.net/georgetown-penang-malaysia" in said
    lever(ready, "switches", {"settings-delay": 0.0}, "POST")
    lever(ready, "clock", {"advance": 60}, "POST")
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
