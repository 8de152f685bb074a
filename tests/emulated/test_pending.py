"""Pending as people meet it: only what the file alone changed since what was applied, by the evidence of that plan."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.cli import applied
from cf_mtls.cli.journal import Journal
from cf_mtls.diagnostics import Exit
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.plan import NOTHING
from cf_mtls.model.resources import Scope
from cf_mtls.model.state import State
from cf_mtls.pki.authority import root
from cf_mtls.pki.pem import Chain
from cf_mtls.planning.codec import digest
from cf_mtls.planning.planfile import text
from cf_mtls.workflow import planned
from tests.drift.inside import run
from tests.emulated.edge import lever

NOW = datetime.now(UTC)
PLAN = "plans/georgetown.yaml"
NORTH, SOUTH = "application/jeann.net/north", "application/www.jeann.net/south"
NAMED = "include: [{certificate: {}}], require: [{common_name: fleet}]"
ANY = "include: [{certificate: {}}]"


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@dataclass
class Place:
    """A folder with a plan file in git, and the account that it is applied to."""

    folder: Path
    ready: Ready
    parts: dict[str, str] = field(default_factory=dict)
    commits: int = 0

    def file(self, **parts: str) -> None:
        """The file says this, and it is committed. parts: rules of `north` and `south`, more `cas` and `more`."""
        self.parts |= parts
        said = {"north": ANY, "south": ANY, "cas": "", "more": "", **self.parts}
        text = f"""\
version: 1
stack: georgetown
certificates:
  clients: {{chain: certs/certchain.pem, associated_hostnames: [jeann.net, www.jeann.net]}}
{said["cas"]}applications:
  north: {{domain: jeann.net/north, policies: [{{name: p, decision: non_identity, {said["north"]}}}]}}
  south: {{domain: www.jeann.net/south, policies: [{{name: p, decision: non_identity, {said["south"]}}}]}}
{said["more"]}"""
        (self.folder / PLAN).write_text(text, "utf-8")
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", str(self.commits)]):
            who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
            subprocess.run(["git", *who, *words], cwd=self.folder, check=True, capture_output=True)
        self.commits += 1

    def apply(self, *words: str) -> str:
        """The saved plan of what the file says, after it was applied."""
        name = f"applied-{self.commits}.json"
        typed = ["--allow-delete", "9", *words]
        planned = run(self.folder, self.ready, "plan", PLAN, "--out", name, *typed)
        assert planned.returncode == 0, planned.stderr
        digest = json.loads((self.folder / name).read_text("utf-8"))["cf_mtls"]["digest"]
        done = run(self.folder, self.ready, "apply", name, "--expect", digest, "--no-verify")
        assert done.returncode == 0, done.stderr
        return name

    def drift(self, *applied: str) -> tuple[int, list[tuple[str, str]], str]:
        """The exit code, the findings by class and address, and everything that was said."""
        words = [word for name in applied for word in ("--applied", name)]
        ran = run(self.folder, self.ready, "drift", PLAN, "--json", *words)
        assert ran.stdout, ran.stderr
        data: dict[str, Any] = json.loads(ran.stdout)
        found = [(f["class"], f["address"]) for s in data["stacks"] for f in s["findings"]]
        return ran.returncode, found, ran.stdout + ran.stderr

    def widen(self, domain: str) -> None:
        """Somebody takes the required name out of an application's policy."""
        state = lever(self.ready, "state")
        app = next(row for row in state["apps"] if row["domain"] == domain)
        for row in state["policies"]:
            if row["_app"] == app["id"]:
                row["require"] = []
        lever(self.ready, "state", state)

    def drop(self, table: str, which: str) -> None:
        """Somebody deletes what has this text in it."""
        state = lever(self.ready, "state")
        left = [row for row in state[table] if which not in json.dumps(row)]
        assert len(left) == len(state[table]) - 1
        state[table] = left
        lever(self.ready, "state", state)


@pytest.fixture
def place(folder: Path, ready: Ready) -> Place:
    lever(ready, "reset", method="POST")
    return Place(folder, ready)


def test_what_was_narrowed_and_widened_back_is_drift(place: Place) -> None:
    """Commit 2 narrows to one name and is applied; somebody widens it back: as the commit before said, and drift."""
    place.file()
    place.apply()
    place.file(south=NAMED)
    last = place.apply()
    assert place.drift(last)[:2] == (0, [])
    place.widen("www.jeann.net/south")
    assert place.drift(last)[:2] == (2, [("drift", SOUTH)])
    assert place.drift()[:2] == (2, [("drift", SOUTH)])


def test_a_ca_that_was_applied_and_is_gone_is_drift(place: Place) -> None:
    """Commit 2 adds a CA and is applied; somebody deletes it."""
    place.file()
    place.apply()
    (place.folder / "plans/certs/late.pem").write_text(root("Late", now=NOW).chain.pem, "ascii")
    place.file(cas="  late: {chain: certs/late.pem, associated_hostnames: [jeann.net]}\n")
    last = place.apply()
    place.drop("certificates", "late")
    for given in ([last], []):
        code, found, _ = place.drift(*given)
        assert (code, [kind for kind, _ in found]) == (2, ["drift"]), given


def test_a_plan_that_touched_one_host_excuses_nothing_on_another(place: Place) -> None:
    """The last plan changed the north; somebody changes the south: drift there, and the file's own edit is pending."""
    place.file(south=NAMED)
    place.apply()
    place.file(north=NAMED)
    last = place.apply()
    kept = lever(place.ready, "state")
    for change in (lambda: place.widen("www.jeann.net/south"), lambda: place.drop("apps", "south")):
        lever(place.ready, "state", kept)
        change()
        assert place.drift(last)[:2] == (2, [("drift", SOUTH)])
    place.file(north=ANY)
    assert place.drift(last)[:2] == (2, [("drift", SOUTH), ("pending", NORTH)])


def test_a_file_that_was_never_applied_is_said_so(place: Place) -> None:
    """Nothing of the stack in the account and no evidence: never applied, or all removed, 2."""
    place.file()
    code, found, said = place.drift()
    assert code == 2
    assert ("drift", "stack/georgetown") in found
    assert "never applied, or all removed" in said
    last = place.apply()
    assert place.drift(last)[:2] == (0, [])
    lever(place.ready, "reset", method="POST")
    code, found, said = place.drift(last)
    assert code == 2
    assert {kind for kind, _ in found} == {"drift"}


def test_what_the_file_added_is_pending_whatever_was_committed_since(place: Place) -> None:
    """A pending edit with another commit after it, and a new thing: pending by the evidence; without it drift."""
    place.file()
    last = place.apply()
    place.file(south=NAMED)
    place.file(more="# a remark\n")
    new = "  west: {domain: www.jeann.net/west}\n"
    place.file(more=new)
    west = "application/www.jeann.net/west"
    assert place.drift(last)[:2] == (0, [("pending", SOUTH), ("pending", west)])
    assert place.drift()[:2] == (2, [("drift", SOUTH), ("drift", west)])


def resealed(path: Path, **members: Any) -> None:
    """A saved plan with other members and the digest that belongs to them."""
    raw = json.loads(path.read_text("utf-8"))
    raw["cf_mtls"] |= members
    content = {k: v for k, v in raw["cf_mtls"].items() if k not in {"schema", "version", "digest"}}
    raw["cf_mtls"]["digest"] = digest(content)
    path.write_text(text({**raw, "applyable": False, "errored": True} if "refused" in members else raw))


def test_what_is_no_evidence_is_said_and_never_used(place: Place) -> None:
    """Refused, partial, of another stack, edited, of an older version, an empty folder: each by name."""
    place.file()
    last = place.folder / place.apply()
    place.file(south=NAMED)
    assert place.drift(last.name)[:2] == (0, [("pending", SOUTH)])
    raw = last.read_bytes()

    resealed(last, refused=["access.weaker"])
    code, found, said = place.drift(last.name)
    assert (code, found, "drift.no-evidence" in said) == (2, [("drift", SOUTH)], True)

    last.write_bytes(raw.replace(b'"schema": 3', b'"schema": 2'))
    code, found, said = place.drift(last.name)
    assert (code, found) == (2, [("drift", SOUTH)])
    assert "drift.no-evidence" in said
    assert "another version" in said

    (place.folder / "empty").mkdir()
    code, found, said = place.drift("empty")
    assert (code, found, "drift.no-evidence" in said) == (2, [("drift", SOUTH)], True)

    last.write_bytes(raw.replace(b'"is_destroy": false', b'"is_destroy": true'))
    ran = run(place.folder, place.ready, "drift", PLAN, "--applied", last.name)
    assert (ran.returncode, "[planfile.changed]" in ran.stderr) == (1, True)

    last.write_bytes(raw)
    here = place.folder / PLAN
    here.write_text(here.read_text("utf-8").replace("stack: georgetown", "stack: melaka"), "utf-8")
    code, _, said = place.drift(last.name)
    assert (code, "nothing tells of the stack melaka" in said) == (2, True)


def test_a_folder_of_plans_is_read_and_a_partial_one_counts_for_what_it_changed(place: Place) -> None:
    """What it left out is pending only by the plan before it."""
    place.file()
    first = place.apply()
    place.file(north=NAMED, south=NAMED)
    part = place.apply("--target", NORTH)
    code, found, said = place.drift(part)
    assert (code, found, "drift.partial-evidence" in said) == (2, [("drift", SOUTH)], True)
    (place.folder / "applied").mkdir()
    for number, name in enumerate((first, part)):
        (place.folder / f"applied/{number}.json").write_bytes((place.folder / name).read_bytes())
    assert place.drift("applied")[:2] == (0, [("pending", SOUTH)])


def test_what_was_applied_is_recorded_once_all_of_it_was(place: Place) -> None:
    """After a plain apply and after nothing to do; not after one that failed, and not where nobody may write."""
    place.file()

    def apply(*words: str) -> int:
        return run(place.folder, place.ready, "apply", PLAN, "-y", "--no-verify", *words).returncode

    record = place.folder / "applied.json"
    lever(place.ready, "faults", [{"do": "5xx", "when": {"method": "POST", "path": "/access/apps"}}], "POST")
    assert apply("--record", "applied.json") != 0
    assert not record.exists()
    lever(place.ready, "faults", method="DELETE")
    assert apply("--record", "applied.json") == 0
    whole = json.loads(record.read_text("utf-8"))["cf_mtls"]["applied"]
    assert {SOUTH, NORTH} < whole.keys()
    record.unlink()
    assert apply("--record", "applied.json") == 0
    assert json.loads(record.read_text("utf-8"))["cf_mtls"]["applied"].keys() >= {SOUTH, NORTH}
    place.file(south=NAMED)
    assert place.drift("applied.json")[:2] == (0, [("pending", SOUTH)])
    ran = run(place.folder, place.ready, "apply", PLAN, "-y", "--record", "plans")
    assert "[apply.record]" in ran.stderr
    assert place.drift("applied.json")[:2] == (0, [("pending", SOUTH)])


def test_a_record_that_is_lost_in_the_end_is_said(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """What was applied stays applied; the run does not end with 0."""
    made = planned("s", Scope("account", "0" * 32), State(), State(), NOTHING)
    assert applied.record(made, None, place.folder / "gone" / "applied.json")
    assert "[apply.record]" in capsys.readouterr().err
    assert not applied.record(made, None, place.folder / "applied.json")
    with Journal(None) as journal:
        ran = applied.Ran(1, Path("p.yaml"), journal)
        assert ran.end("proven", Exit.OK, "") == Exit.OK
        assert replace(ran, lost=True).end("proven", Exit.OK, "") == Exit.ERROR
        assert replace(ran, lost=True).end("not enforced", Exit.VERIFY_FAILED, "") == Exit.VERIFY_FAILED


def test_a_ca_taken_out_below_a_root_that_stays_is_said_after_later_commits(place: Place) -> None:
    """By the plan that took it out, before that by the account; with neither nobody knows, and nothing is said."""
    lever(place.ready, "switches", {"refuse-duplicate-certificate": "off"}, "POST")
    top = root("Top", now=NOW)
    one, two = (top.intermediate(name, now=NOW) for name in ("One", "Two"))
    for name, cas in (("both", (one, two, top)), ("one", (one, top))):
        chain = Chain(tuple(a.certificate for a in cas)).pem
        (place.folder / f"plans/certs/{name}.pem").write_text(chain, "ascii")
    entry = "  fleet: {{chain: certs/{}.pem, associated_hostnames: [jeann.net]}}\n"
    place.file(cas=entry.format("both"))
    place.apply()
    place.file(cas=entry.format("one"))
    place.file(more="# a remark\n")
    assert "certificate.still-vouched" in place.drift()[2]
    last = place.apply("--allow-unproven", "jeann.net")
    place.file(south=NAMED)
    code, found, said = place.drift(last)
    assert (code, found) == (0, [("pending", SOUTH)])
    assert said.count("certificate.still-vouched") == 1
    assert "CN=Two" in said
    assert "certificate.still-vouched" not in place.drift()[2]


def test_the_readmes_workflow_leaves_what_drift_takes(place: Place, tmp_path: Path) -> None:
    """Its own lines, run in the folder: every plan is applied and recorded, and the folder tells pending from drift."""
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
    (script,) = re.findall(r"      - run: \|\n(          mkdir applied\n(?:          .*\n)+)", readme)
    program = tmp_path / "bin" / "cf-mtls"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cf_mtls "$@" --no-verify\n')
    program.chmod(0o755)
    place.file()
    environment = {**os.environ, **place.ready.exports(), "PATH": f"{program.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-e", "-c", script], cwd=place.folder, env=environment, check=True, timeout=90)
    place.file(south=NAMED)
    assert [path.name for path in (place.folder / "applied").iterdir()] == ["georgetown.json"]
    assert place.drift("applied")[:2] == (0, [("pending", SOUTH)])
