"""*Proven*, and what is not, as people see it: exit codes, last lines, JSON, journal; whole, partial and last runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from tests.conftest import Pki
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN
from tests.emulated.test_plan_apply import edit

CLIENTS = "\nclients:"
TWO_LINES = ["    clients:", "      NAME: {certificate: client.pem, key: client.key}"]


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def without_clients(folder: Path) -> str:
    """Take the clients out of the plan file; what it was."""
    text = (folder / PLAN).read_text("utf-8")
    (folder / PLAN).write_text(text.partition(CLIENTS)[0] + "\n", "utf-8")
    return text


def last(folder: Path, ready: Ready, *words: str) -> tuple[int, str]:
    """The exit code and the last line of stdout."""
    ran = run(folder, ready, *words)
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout.strip().splitlines()[-1]


def test_a_file_without_clients_is_applied_and_not_proven_until_two_lines_make_it_so(
    folder: Path, ready: Ready
) -> None:
    """1 and which two lines; journal and JSON say applied; --no-verify is 0 and says so; with the client it is 0."""
    text = without_clients(folder)
    ran = run(folder, ready, "apply", PLAN, "-y", "--journal", "j.jsonl")
    assert (ran.returncode, ran.stdout.strip().splitlines()[-1]) == (1, "Applied, not proven at 1 URL.")
    assert [line for line in ran.stdout.splitlines() if line in TWO_LINES] == TWO_LINES
    told = [json.loads(line) for line in (folder / "j.jsonl").read_text("utf-8").splitlines()]
    assert [line["outcome"] for line in told[-2:]] == ["not proven at 1 URL"] * 2
    data = json.loads(run(folder, ready, "apply", PLAN, "-y", "--json").stdout)
    assert (data["applied"], data["steps"], data["exit_code"]) == (True, 0, 1)
    assert data["proof"]["claim"]["standing"] == "could not tell"
    ran = run(folder, ready, "apply", PLAN, "-y", "--no-verify", "--journal", "k.jsonl")
    assert (ran.returncode, ran.stdout.strip().splitlines()[-1]) == (0, "Nothing to do, not verified.")
    assert "nothing is proven" in ran.stderr
    assert "not verified" in (folder / "k.jsonl").read_text("utf-8")
    assert "Proven" not in ran.stdout
    (folder / PLAN).write_text(text, "utf-8")
    assert last(folder, ready, "apply", PLAN, "-y") == (0, "Nothing to do, proven.")


def test_what_was_not_applied_says_so(folder: Path, ready: Ready) -> None:
    """The same exit code 1, another JSON."""
    ran = run(folder, ready, "apply", PLAN, "--json")
    assert (ran.returncode, json.loads(ran.stdout)["applied"]) == (1, False)


def test_the_readmes_own_choice_of_proofs_passes_on_a_healthy_door(folder: Path, ready: Ready) -> None:
    """The controls are added by themselves, and what was not asked for is said."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    ran = run(folder, ready, "verify", PLAN, "--proofs", "1,3,7", "--json")
    data = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert [v["proof"] for v in data["verdicts"]] == [1, 2, 3, 7]
    assert "Not asked for: proof 4, 5, 6, 8, 9, 10." in data["notes"]


def test_a_run_that_destroys_is_looked_at(folder: Path) -> None:
    """The origin must answer where the application stood, and a slow edge is waited for."""
    with running(Options(switches={"app-delay": 2.0})) as emulator:
        ready = emulator.ready
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        ran = run(folder, ready, "apply", PLAN, "-y", "--destroy", "--allow-delete", "3", "--allow-weaken",
                  "https://jeann.net/georgetown-penang-malaysia")  # fmt: skip
    assert (ran.returncode, ran.stdout.strip().splitlines()[-1]) == (0, "Applied, proven."), ran.stderr
    assert "Proven: what this run could affect, 1 URL, is as Access promises it now" in " ".join(
        ran.stdout.split()
    )
    assert "not declared" in ran.stdout


@pytest.mark.parametrize("door", ["closed", "open"])
def test_a_partial_run_is_looked_at(folder: Path, ready: Ready, door: str) -> None:
    """What Access promises now at the URLs of the hosts that it touched, whatever the file demands for later."""
    if door == "closed":
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        edit(folder, "client_certificate_forwarding: true", "client_certificate_forwarding: false")
    ran = run(folder, ready, "apply", PLAN, "-y", "--target", "settings/jeann.net")
    assert (ran.returncode, ran.stdout.strip().splitlines()[-1]) == (0, "Applied, proven."), ran.stdout
    assert "what the file declares" not in ran.stdout
    expected = {"closed": "refused", "open": "not declared"}[door]
    assert f"no certificate  {expected}" in " ".join(ran.stdout.split("\n")[-12:]).replace("   ", "  ") or (
        expected in ran.stdout
    )


def foreign(ready: Ready, domain: str) -> None:
    """Our application is deleted, and somebody else's with any certificate answers on a pattern over it."""
    state = lever(ready, "state")
    (ours,) = state["apps"]
    state["apps"] = [{**ours, "id": ours["id"][::-1], "aud": "f" * 64, "name": "theirs", "domain": domain,
                      "destinations": [{"type": "public", "uri": domain}]}]  # fmt: skip
    lever(ready, "state", state)


@pytest.mark.parametrize("answers", ["application", "hostname", "none"])
@pytest.mark.parametrize("domain", ["*.jeann.net", "www.jeann.net"])
def test_another_application_in_the_place_of_ours_is_never_called_proven(
    folder: Path, pki: Pki, domain: str, answers: str
) -> None:
    """Theirs admits any certificate, ours a name: refused and admitted as declared, by the wrong application."""
    edit(folder, "jeann.net/georgetown-penang-malaysia\n", "www.jeann.net/pay\n")
    edit(folder, "associated_hostnames: [jeann.net]", "associated_hostnames: [www.jeann.net]")
    with running(Options(switches={"access-domain": answers})) as emulator:
        ready = emulator.ready
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        assert "Proven" in run(folder, ready, "verify", PLAN).stdout
        foreign(ready, domain)
        ran = run(folder, ready, "verify", PLAN)
    assert ran.returncode == 3, ran.stdout
    assert "Proven" not in ran.stdout


def test_an_imported_ca_of_unknown_contents_cannot_be_told(folder: Path, ready: Ready) -> None:
    """The door is healthy: verify, an empty apply and drift --verify end with 1, explain says that it is not known."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    (ca,) = lever(ready, "state")["certificates"]
    edit(folder, "    chain: certs/certchain.pem        # root and intermediates, any order\n",
         f"    id: {ca['id']}\n    chain: unknown\n    fingerprint: '{ca['fingerprint']}'\n"
         f"    expires_on: {ca['expires_on']}\n")  # fmt: skip
    edit(folder, ", expect: allowed", "")
    ran = run(folder, ready, "verify", PLAN)
    assert (ran.returncode, "the door is open" in ran.stdout) == (1, False), ran.stdout
    assert "contents are not known" in ran.stdout
    assert last(folder, ready, "apply", PLAN, "-y")[0] == 1
    ran = run(folder, ready, "drift", PLAN, "--verify")
    assert (ran.returncode, "unenforced" in ran.stdout) == (1, False), ran.stdout
    who = run(folder, ready, "explain", "https://jeann.net/georgetown-penang-malaysia", "--plan", PLAN,
              "--client", "plans/certs/clientcert.pem")  # fmt: skip
    assert "this client   not known" in who.stdout, who.stdout + who.stderr


def test_a_host_that_nobody_reached_is_called_that(folder: Path, ready: Ready) -> None:
    """*not reached*, not *asked for no certificate*."""
    ran = run(folder, ready, "verify", PLAN, CF_MTLS_CONNECT_TO="::127.0.0.1:9")
    assert ran.returncode == 1
    assert "jeann.net was not reached" in ran.stdout
    assert "Not proven: not reached: jeann.net" in ran.stdout
    assert "asked for no" not in ran.stdout
