"""The action's steps, run one after the other as GitHub does, with the real program on the emulator."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from tests.ci.fake_github import TOKEN, FakeGitHub, serving
from tests.ci.steps import ACTION, Runner, read, steps_of
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN

CANARY = "cfat_" + "C4n4ry" * 7


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with serving() as fake:
        yield fake


def a_runner(folder: Path, ready: Ready, github: FakeGitHub, **inputs: str) -> Runner:
    """A job that uses the action: the virtual environment's Python is this very one."""
    program = folder / "cf-mtls/bin/python"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    defaults = {f"inputs.{k}": v["default"] for k, v in read(ACTION)["inputs"].items()}
    given = {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
    own = {"github.repository": "o/r", "github.event.pull_request.head.repo.full_name": "o/r"}
    contexts = {**defaults, **own, "inputs.github-token": TOKEN, "runner.temp": str(folder), **given}
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_", "GITHUB_"))}
    api = {k: v for k, v in github.environment().items() if k != "GITHUB_TOKEN"}
    return Runner(folder, contexts, {**clean, **ready.exports(), **api, "GITHUB_ACTIONS": "true"})


def whole(runner: Runner) -> Runner:
    """Every step but the install, in order."""
    for name, step in steps_of(ACTION):
        if "Install" not in name:
            runner.run(step)
    return runner


@pytest.fixture(scope="module")
def closed() -> dict[str, Any]:
    """The account once the plan was applied, to be put back before each test."""
    return {}


def applied(folder: Path, ready: Ready, closed: dict[str, Any]) -> None:
    """Apply the plan, for real the first time."""
    if not closed:
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        closed |= lever(ready, "state")
    lever(ready, "state", closed)


def opened(ready: Ready) -> None:
    """Somebody opens the policy to everyone, under a hostile name."""
    state = lever(ready, "state")
    state["policies"][0] |= {
        "decision": "bypass",
        "include": [{"everyone": {}}],
        "name": f"::error::{CANARY}",
    }
    lever(ready, "state", state)


def test_clean_ends_with_0_and_makes_no_issue(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """Status clean, drift false, the verdict 0, nothing written to GitHub."""
    applied(folder, ready, closed)
    job = whole(a_runner(folder, ready, github, issue="true"))
    assert job.codes == {"check": 0, "issue": 0, "Verdict": 0}, job.said
    outputs = {
        k.rpartition(".")[2]: v for k, v in job.contexts.items() if k.startswith("steps.check.outputs.")
    }
    assert (outputs["status"], outputs["drift"], outputs["fingerprint"]) == ("clean", "false", "")
    assert github.issues == {}


def test_drift_ends_with_2_and_has_an_issue_with_the_difference(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """Two runs: one fingerprint, one issue, one comment on the pull request; no secret in anything that was said."""
    applied(folder, ready, closed)
    opened(ready)
    first, second = (a_runner(folder, ready, github, issue="true", comment="true") for _ in range(2))
    for job in (first, second):
        job.contexts |= {"github.event_name": "pull_request", "github.event.number": "7"}
        assert whole(job).codes == {"check": 0, "issue": 0, "Comment": 0, "Verdict": 2}, job.said
    prints = {job.contexts["steps.check.outputs.fingerprint"] for job in (first, second)}
    assert len(prints) == 1
    assert first.contexts["steps.check.outputs.drift"] == "true"
    counts = [first.contexts[f"steps.check.outputs.{name}"] for name in ("add", "change", "delete", "alarms")]
    assert counts == ["0", "1", "0", "1"]
    assert first.contexts["steps.issue.outputs.issue-url"] == "https://github.example/o/r/issues/1"
    (issue,) = github.issues.values()
    assert "bypass" in issue["body"]
    assert [len(said) for said in github.comments.values()] == [1]
    said = first.said + json.dumps([github.issues, github.comments]) + "".join(
        f.read_text("utf-8") for f in (folder / "cf-mtls-report").iterdir()
    )  # fmt: skip
    assert CANARY not in said
    assert ready.token not in said
    assert TOKEN not in said


def test_what_cannot_be_checked_ends_with_1_and_touches_no_issue(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """A refused token: status error, drift empty, the open issue stays open, and fail-on-drift changes nothing."""
    applied(folder, ready, closed)
    opened(ready)
    whole(a_runner(folder, ready, github, issue="true"))
    runner = a_runner(folder, ready, github, issue="true", fail_on_drift="false")
    runner.environment["CLOUDFLARE_API_TOKEN"] = CANARY
    job = whole(runner)
    assert job.codes == {"check": 0, "issue": 0, "Verdict": 1}, job.said
    assert job.contexts["steps.check.outputs.status"] == "error"
    assert job.contexts["steps.check.outputs.drift"] == ""
    assert [i["state"] for i in github.issues.values()] == ["open"]
    assert CANARY not in job.said


def test_drift_can_be_let_pass_and_resolved(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """fail-on-drift false ends with 0 and still keeps the issue; once applied, the issue is closed."""
    applied(folder, ready, closed)
    opened(ready)
    job = whole(a_runner(folder, ready, github, issue="true", fail_on_drift="false"))
    assert job.codes["Verdict"] == 0
    lever(ready, "state", closed)
    whole(a_runner(folder, ready, github, issue="true"))
    assert [i["state"] for i in github.issues.values()] == ["closed"]
    assert "Resolved" in github.comments[1][0]["body"]


def test_the_plan_that_was_applied_tells_pending_from_drift(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """`applied` names it: what only the file changed since informs, clean and 0; without it, it is drift and 2."""
    applied(folder, ready, closed)
    text = (folder / PLAN).read_text("utf-8")
    for hours, verb in (
        ("6h", ["plan", PLAN, "--out", "applied.json"]),
        ("6h", ["apply", "applied.json"]),
        ("8h", []),
    ):
        (folder / PLAN).write_text(
            text.replace("    domain: jeann", f"    session_duration: {hours}\n    domain: jeann")
        )
        assert not verb or run(folder, ready, *verb).returncode == 0
    job = whole(a_runner(folder, ready, github, applied="applied.json\n", config=PLAN))
    assert job.codes == {"check": 0, "Verdict": 0}, job.said
    assert job.contexts["steps.check.outputs.changes"] == "1"
    assert whole(a_runner(folder, ready, github, config=PLAN)).codes["Verdict"] == 2


def test_the_stacks_of_a_folder_become_a_matrix(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """`command: stacks` leaves a matrix that fromJSON can read, and checks nothing."""
    job = whole(a_runner(folder, ready, github, command="stacks", config="plans\n"))
    assert job.codes == {"stacks": 0}, job.said
    assert json.loads(job.contexts["steps.stacks.outputs.matrix"]) == {
        "include": [{"name": "1-georgetown", "files": PLAN}]
    }


def test_a_file_that_cannot_be_read_fails_the_list_and_hides_no_stack(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """`command: stacks` with a broken file beside: exit 1, its name, and the matrix with every other stack."""
    (folder / "plans/zz.yaml").write_text("a: [\n")
    job = whole(a_runner(folder, ready, github, command="stacks", config="plans\n"))
    assert job.codes == {"stacks": 1}
    assert "plans/zz.yaml" in job.said
    matrix = json.loads(job.contexts["steps.stacks.outputs.matrix"])
    assert [entry["files"] for entry in matrix["include"]] == [PLAN]
    assert not json.loads((folder / "cf-mtls-report/stacks.json").read_text("utf-8"))["files"]["whole"]


def test_a_stack_whose_file_is_gone_has_its_issue_closed(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """Of a folder, not of a named file: closed with the reason, once what is left of the folder can all be read."""
    applied(folder, ready, closed)
    opened(ready)
    whole(a_runner(folder, ready, github, issue="true", config="plans"))
    (folder / PLAN).rename(folder / "gone")
    (folder / "plans/penang.yaml").write_text("{version: 1, stack: penang}")
    (folder / "plans/zz.yaml").write_text("a: [\n")
    for config, after in (("plans", "open"), ("plans/penang.yaml", "open"), ("plans", "closed")):
        whole(a_runner(folder, ready, github, issue="true", config=config))
        assert github.issues[1]["state"] == after
        (folder / "plans/zz.yaml").unlink(missing_ok=True)
    assert "the stack is gone" in github.comments[1][-1]["body"]


def test_one_step_with_both_tokens_is_refused(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """Check beside GITHUB_TOKEN, issue beside Cloudflare's: exit 4, and nothing is asked."""
    (folder / "report.json").write_text("{}")
    both = github.environment()
    for words in (["ci", "check", PLAN], ["ci", "comment", "--number", "7", "--text", PLAN]):
        refused = run(folder, ready, *words, **both)
        assert refused.returncode == 4, refused.stderr
        assert "[ci.both-tokens]" in refused.stderr
    assert github.seen == []
