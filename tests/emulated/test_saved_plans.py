"""Saved plans and the command that follows a plan, on the emulator, as people and attackers use them."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.planning import codec
from tests.drift.inside import run
from tests.emulated.edge import Asking, Prober, lever
from tests.emulated.test_main_job import PLAN, seen
from tests.emulated.test_plan_apply import edit


@pytest.fixture
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def next_command(said: str) -> list[str]:
    """The words behind `cf-mtls` in the command that plan shows next."""
    return shlex.split(said.partition("Next:\n")[2].splitlines()[0])[1:]


def test_the_next_command_does_what_the_plan_showed(folder: Path, ready: Ready) -> None:
    """After --target only the target is changed; after --out the digest is in it."""
    shown = run(folder, ready, "plan", PLAN, "--target", "settings/jeann.net")
    words = next_command(shown.stderr)
    assert words == ["apply", PLAN, "--target", "settings/jeann.net"]
    run(folder, ready, *words, "-y")
    assert [r["method"] for r in seen(ready) if r["method"] != "GET"] == ["PUT"]
    shown = run(folder, ready, "plan", PLAN, "--out", "p.json")
    digest = json.loads((folder / "p.json").read_text("utf-8"))["cf_mtls"]["digest"]
    assert next_command(shown.stderr) == ["apply", "p.json", "--expect", digest]
    done = run(folder, ready, *next_command(shown.stderr))
    assert (done.returncode, "Proven" in done.stdout) == (0, True), done.stderr


def test_a_plan_file_in_json_syntax_is_a_plan_file_for_every_verb(folder: Path, ready: Ready) -> None:
    """What a file is, is decided by its content, and alike by all of them."""
    import yaml

    (folder / "plans/g.json").write_text(
        json.dumps(yaml.safe_load((folder / PLAN).read_text("utf-8"))), "utf-8"
    )
    for verb in (["validate"], ["plan"], ["apply", "-y"], ["verify"], ["drift"]):
        ran = run(folder, ready, *verb, "plans/g.json")
        assert ran.returncode == 0, (verb, ran.stderr)
    run(folder, ready, "plan", PLAN, "--out", "p.json")
    for verb in ("validate", "plan", "drift"):
        ran = run(folder, ready, verb, "p.json")
        assert ran.returncode == 1
        assert "file.saved-plan" in ran.stderr + ran.stdout, verb


DOOR = Asking("jeann.net", "/georgetown-penang-malaysia", "nobody")
OPENED = "    policies: [{name: all, decision: bypass, include: [{everyone: {}}]}]\n    domain: jeann.net"


def opened(folder: Path, ready: Ready) -> dict[str, Any]:
    """The plan, refused, of an application that is opened to everyone; the door is shut."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    edit(folder, "    domain: jeann.net", OPENED)
    refused = run(folder, ready, "plan", PLAN, "--json")
    assert (refused.returncode, "[plan.weaker]" in refused.stderr) == (4, True)
    found: dict[str, Any] = json.loads(refused.stdout)
    return found


def resealed(raw: dict[str, Any]) -> str:
    """The digest of a file's content, as whoever edits it computes it."""
    ours = raw["cf_mtls"]
    ours["digest"] = codec.digest({k: v for k, v in ours.items() if k not in {"schema", "version", "digest"}})
    return str(ours["digest"])


@pytest.mark.parametrize("with_expect", [True, False], ids=["with the digest that was shown", "without one"])
def test_a_plan_that_was_refused_cannot_be_made_one_that_is_not(
    folder: Path, ready: Ready, *, with_expect: bool
) -> None:
    """Its flags turned, its proofs and refusals taken out, its digest made again: 4, no write, the door stays shut."""
    raw = opened(folder, ready)
    shown = raw["cf_mtls"]["digest"]
    edits: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("as it is", {}, {}),
        ("its word", {"applyable": True, "errored": False}, {"targets": []}),
        ("its refusal", {"applyable": True, "errored": False}, {"refused": []}),
        ("its proof", {"applyable": True, "errored": False},
         {"refused": [], "targets": [], "clients": [], "shown": {}}),
        ("its gates", {"applyable": True, "errored": False},
         {"refused": [], "allowed": {**raw["cf_mtls"]["allowed"], "weaken": ["https://jeann.net/georgetown-penang-malaysia"]}}),
    )  # fmt: skip
    before = len(seen(ready))
    for words, outer, inner in edits:
        for has_new_digest in (False, True):
            made = {**raw, **outer, "cf_mtls": {**raw["cf_mtls"], **inner}}
            if has_new_digest:
                resealed(made)
            (folder / "p.json").write_text(json.dumps(made), "utf-8")
            ran = run(folder, ready, "apply", "p.json", *(("--expect", shown) if with_expect else ()))
            assert ran.returncode in {1, 4}, (words, has_new_digest, ran.stdout)
            assert "Traceback" not in ran.stderr
    assert {r["method"] for r in seen(ready)[before:]} <= {"GET"}
    assert Prober(ready, [DOOR]).ask(DOOR) == 403


def test_what_was_allowed_counts_with_the_approved_digest_or_typed_again(folder: Path, ready: Ready) -> None:
    """In the file alone it opens nothing."""
    opened(folder, ready)
    url = "https://jeann.net/georgetown-penang-malaysia"
    allowed = run(folder, ready, "plan", PLAN, "--allow-weaken", url, "--out", "p.json")
    assert allowed.returncode == 0, allowed.stderr
    alone = run(folder, ready, "apply", "p.json")
    assert (alone.returncode, "[plan.weaker]" in alone.stderr) == (4, True)
    assert "[plan.allowed-not-approved]" in alone.stderr
    other = run(folder, ready, "apply", "p.json", "--destroy")
    assert (other.returncode, "[apply.saved-plan-option]" in other.stderr) == (64, True)
    wrong = run(folder, ready, "apply", "p.json", "--expect", "0" * 64)
    assert (wrong.returncode, "[apply.other-digest]" in wrong.stderr) == (4, True)
    assert Prober(ready, [DOOR]).ask(DOOR) == 403
    done = run(folder, ready, *next_command(allowed.stderr), "--deadline", "5")
    assert [r["method"] for r in seen(ready)].count("PUT") > 1, done.stderr
    assert Prober(ready, [DOOR]).ask(DOOR) == 200


def test_a_saved_plan_without_changes_is_applied_and_proven(folder: Path, ready: Ready) -> None:
    """Nothing to do, proven, 0; with the digest and without."""
    assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
    assert run(folder, ready, "plan", PLAN, "--out", "p.json").returncode == 0
    raw = json.loads((folder / "p.json").read_text("utf-8"))
    assert (raw["applyable"], raw["errored"]) == (False, False)
    for more in ((), ("--expect", raw["cf_mtls"]["digest"])):
        ran = run(folder, ready, "apply", "p.json", *more)
        assert (ran.returncode, "No changes." in ran.stdout, "Proven" in ran.stdout) == (0, True, True), (
            ran.stderr
        )


def interrupted(folder: Path, ready: Ready, words: list[str]) -> str:
    """What a command says that gets Ctrl-C while settings are waited for; then the settings settle."""
    lever(ready, "switches", {"settings-delay": 30.0}, "POST")
    beside = threading.Thread(target=_ctrl_c_once_settings_are_written, args=(ready,))
    beside.start()
    ran = run(folder, ready, *words)
    beside.join()
    assert ran.returncode == 130, ran.stderr
    lever(ready, "switches", {"settings-delay": 0.0}, "POST")
    lever(ready, "clock", {"advance": 60}, "POST")
    return ran.stderr


def _ctrl_c_once_settings_are_written(ready: Ready) -> None:
    for _ in range(400):
        if any(r["method"] == "PUT" for r in seen(ready)):
            os.kill(os.getpid(), signal.SIGINT)
            return
        time.sleep(0.05)


def test_an_interrupted_saved_plan_continues_under_its_digest(folder: Path, ready: Ready) -> None:
    """The same command does the rest, and a local file decides nothing."""
    approved = next_command(run(folder, ready, "plan", PLAN, "--out", "p.json").stderr)
    said = interrupted(folder, ready, approved)
    assert "Run the same command again" in said
    assert "[apply.other-plan-left]" not in said
    (folder / PLAN).unlink()
    rest = run(folder, ready, *approved)
    assert (rest.returncode, "Proven" in rest.stdout) == (0, True), rest.stderr
    assert "An earlier run of this plan was here: 1 step of 3 left." in rest.stderr


def test_an_interrupted_approval_of_a_file_says_what_continues(folder: Path, ready: Ready) -> None:
    """What is left has another digest, said when it stops and when it is tried again; the saved plan goes on."""
    approved = next_command(run(folder, ready, "plan", PLAN, "--out", "p.json").stderr)
    by_file = ["apply", PLAN, "-y", "--expect", approved[-1]]
    assert "[apply.other-plan-left]" in interrupted(folder, ready, by_file)
    refused = run(folder, ready, *by_file)
    assert (refused.returncode, "To have it approved" in " ".join(refused.stderr.split())) == (4, True)
    assert run(folder, ready, *approved).returncode == 0


class Interrupting(io.StringIO):
    """A stderr that interrupts its own process once it was told of the nth step that was done."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.left = n

    def write(self, text: str) -> int:
        self.left -= text.count("  done  ")
        if self.left == 0:
            self.left = -1000
            os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)


@pytest.mark.parametrize("more", [(), ("--host-elsewhere", "else.where.net", "--one-ca-per-hostname")])
def test_what_a_stopped_approval_prints_continues_it_from_every_step(
    folder: Path, ready: Ready, more: tuple[str, ...]
) -> None:
    """Stopped behind each step in turn: the very command that is printed, and the one that this prints, do the rest."""
    empty, stopped = lever(ready, "state"), 0
    for n in range(1, 10):
        lever(ready, "state", empty)
        digest = json.loads(run(folder, ready, "plan", PLAN, "--json", *more).stdout)["cf_mtls"]["digest"]
        told = Interrupting(n)
        ran = run(folder, ready, "apply", PLAN, "-y", "--expect", digest, *more, "--no-verify", told=told)
        if ran.returncode == 0:
            break
        assert (ran.returncode, f"{n} of 3 steps were done" in told.getvalue()) == (130, True), (
            told.getvalue()
        )
        stopped += 1
        (command,) = [
            line for line in told.getvalue().splitlines() if line.strip().startswith("cf-mtls plan ")
        ]
        words = shlex.split(command)[1:]
        assert words[:4] == ["plan", PLAN, "--out", "georgetown.plan.json"]
        assert sorted(words[4:]) == sorted(more)
        shown = run(folder, ready, *words)
        assert shown.returncode == 0, shown.stderr
        done = run(folder, ready, *next_command(shown.stderr))
        assert (done.returncode, "Proven" in done.stdout) == (0, True), done.stderr
        assert run(folder, ready, "plan", PLAN, *more, "--detailed-exitcode").returncode == 0
    assert stopped == 2


def test_a_run_that_was_killed_inside_a_call_has_it_in_its_journal(folder: Path, ready: Ready) -> None:
    """What was begun is the last line, although nobody knows whether it was done: here the CA is there."""
    run(folder, ready, "plan", PLAN)
    path = "/access/certificates"
    reads = sum(r["path"].endswith(path) for r in seen(ready))
    lost = {"do": "lost", "when": {"method": "POST", "path": path}}
    # One more list before the upload, and one to look whether it landed: that one never answers.
    silent = {"do": "latency", "seconds": 60, "when": {"method": "GET", "path": path, "nth": reads + 2}}
    lever(ready, "faults", [lost, silent], "POST")
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "cf_mtls", "apply", PLAN, "-y", "--journal", "j.jsonl"],
        cwd=folder, env={**ours, **ready.exports()}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as program:  # fmt: skip
        for _ in range(600):
            if lever(ready, "state")["certificates"]:
                break
            time.sleep(0.05)
        time.sleep(1)
        program.kill()
    (made,) = lever(ready, "state")["certificates"]
    lines = [json.loads(line) for line in (folder / "j.jsonl").read_text("utf-8").splitlines()]
    assert [(line["event"], line.get("phase")) for line in lines] == [("begin", None), ("doing", "upload")]
    assert lines[-1]["address"].partition("/")[2][:8] in made["name"]
