"""The action's other verbs, a fork's pull request, and another version: steps run as GitHub runs them."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Ready
from tests.ci.fake_github import FakeGitHub
from tests.ci.steps import ACTION, STRICT, Runner, read, steps_of
from tests.ci.test_action import CANARY, a_runner, applied, closed, github, opened, ready, whole
from tests.drift.inside import run
from tests.emulated.test_main_job import PLAN

__all__ = ["closed", "github", "ready"]  # fixtures, shared with the tests of `drift`

PULL = {"github.event_name": "pull_request", "github.event.number": "7"}


def outputs(job: Runner) -> dict[str, str]:
    return job.outputs(read(ACTION))


def from_a_fork(job: Runner, folder: Path, **head: Any) -> Runner:
    """The same job for a pull request whose branch is elsewhere: no secrets."""
    event = {
        "pull_request": {
            "head": {"repo": {"full_name": "m/r"}, **head},
            "base": {"repo": {"full_name": "o/r"}},
        }
    }
    (folder / "event.json").write_text(json.dumps(event))
    del job.environment["CLOUDFLARE_API_TOKEN"]
    job.environment["GITHUB_EVENT_PATH"] = str(folder / "event.json")
    job.contexts |= {**PULL, "github.event.pull_request.head.repo.full_name": "m/r"}
    return job


def test_a_plan_of_changes_is_commented_in_place_and_can_be_applied(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """Status drift and the counts, exit 0; one comment for two runs; `plan-json` can be applied; no secret."""
    applied(folder, ready, closed)
    opened(ready)
    for _ in range(2):
        job = a_runner(folder, ready, github, command="plan", config=PLAN, comment="true")
        job.contexts |= PULL
        assert whole(job).codes == {"plan": 0, "Comment": 0}, job.said
    found = outputs(job)
    assert (found["status"], found["drift"], found["changes"], found["change"]) == ("drift", "true", "1", "1")
    assert len(found["fingerprint"]) == 64
    (comment,) = github.comments[7]
    assert comment["body"].startswith("<!-- cf-mtls:comment v1 key=plan -->\n```")
    assert "will be updated in-place" in comment["body"]
    assert "will be updated in-place" in (folder / found["summary-path"]).read_text("utf-8")
    said = (
        job.said
        + comment["body"]
        + "".join(p.read_text("utf-8") for p in (folder / "cf-mtls-report").iterdir())
    )
    assert ready.token not in said
    assert CANARY not in job.said + comment["body"]
    approved = ("--expect", found["fingerprint"])
    assert run(folder, ready, "apply", found["plan-json"], *approved).returncode == 0
    job = whole(a_runner(folder, ready, github, command="plan", config=PLAN))
    assert (outputs(job)["status"], outputs(job)["changes"]) == ("clean", "0")


def test_a_plan_that_fails_is_still_commented(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """One file is broken, one has changes: exit 1, status error, drift empty, an annotation at the line, both shown."""
    applied(folder, ready, closed)
    opened(ready)
    (folder / "plans/zz.yaml").write_text("version: 1\nstack: zz\nsurprise: 1\n")
    job = a_runner(folder, ready, github, command="plan", config="plans", comment="true")
    job.contexts |= PULL
    assert whole(job).codes == {"plan": 1, "Comment": 0}, job.said
    found = outputs(job)
    assert (found["status"], found["drift"], found["plan-json"]) == ("error", "", "")
    assert "\n::error file=plans/zz.yaml,line=3,col=1,title=" in job.said
    (comment,) = github.comments[7]
    assert "will be updated in-place" in comment["body"]
    assert "a key is not known here" in comment["body"]


def test_verify_needs_no_token_and_says_what_stands_open(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """Proven is 0 and clean; an open door 3 and drift; a file that cannot be read 1 and error; in one comment."""
    applied(folder, ready, closed)
    expected = [(0, "clean", "false"), (3, "drift", "true"), (1, "error", "")]
    for code, status, drift in expected:
        if code == 3:
            opened(ready)
        if code == 1:
            (folder / PLAN).write_text("stack: [\n")
        job = a_runner(folder, ready, github, command="verify", config=PLAN, comment="true")
        job.contexts |= PULL
        job.environment["CLOUDFLARE_API_TOKEN"] = CANARY
        assert whole(job).codes == {"verify": code, "Comment": 0}, job.said
        assert (outputs(job)["status"], outputs(job)["drift"]) == (status, drift)
        report = json.loads((folder / outputs(job)["plan-json"]).read_text("utf-8"))
        assert report["exit_code"] == code
        assert [h["asked"] for h in report["handshakes"]] == [True] * (code != 1)
        assert (folder / outputs(job)["junit-path"]).is_file()
    assert len(github.comments[7]) == 1


def test_a_fork_is_told_that_it_has_no_secrets_and_is_not_red(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """Valid files: status error, drift empty, a notice, verdict 0; no issue touched, nothing commented or asked."""
    applied(folder, ready, closed)
    opened(ready)
    whole(a_runner(folder, ready, github, issue="true"))
    for head in ({}, {"repo": None}):
        job = from_a_fork(a_runner(folder, ready, github, issue="true", comment="true"), folder, **head)
        assert whole(job).codes == {"check": 0, "issue": 0, "Verdict": 0}, job.said
        assert (outputs(job)["status"], outputs(job)["drift"]) == ("error", "")
        assert job.contexts["steps.check.outputs.complete"] == "false"
        assert "\n::notice file=" in job.said
        assert "::error" not in job.said
        assert "no pull request from a fork" in job.said
        assert "not checked: a fork's pull request has no token" in job.said
    for command in ("plan", "verify"):
        job = from_a_fork(a_runner(folder, ready, github, command=command, comment="true"), folder)
        (folder / "plans/certs/clientcert.key").unlink(missing_ok=True)
        assert whole(job).codes == {command: 0}, job.said
        assert "no pull request from a fork" in job.said
        assert (outputs(job)["status"], outputs(job)["drift"]) == ("error", "")
    assert [i["state"] for i in github.issues.values()] == ["open"]
    assert github.comments == {}


def test_a_fork_with_a_wrong_file_is_red(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any]
) -> None:
    """What can be told without a token is told: the file's own error, at its line, and exit 1."""
    (folder / "plans/zz.yaml").write_text("version: 1\nstack: zz\nsurprise: 1\n")
    for command, codes in (("drift", {"check": 0, "Verdict": 1}), ("plan", {"plan": 1})):
        job = from_a_fork(a_runner(folder, ready, github, command=command, config="plans"), folder)
        assert whole(job).codes == codes, job.said
        assert "::error file=plans/zz.yaml,line=3" in job.said


@pytest.mark.parametrize(
    "event", [None, "{}", "[1]", "\\", '{"pull_request": {"head": 1, "base": []}}', "same"]
)
def test_a_missing_token_is_an_error_wherever_it_is_no_fork(
    folder: Path, ready: Ready, github: FakeGitHub, closed: dict[str, Any], event: str | None
) -> None:
    """A push, a branch of the repository itself, an event that cannot be read: 1, and the token is asked for."""
    same = {"head": {"repo": {"full_name": "o/r"}}, "base": {"repo": {"full_name": "o/r"}}}
    text = json.dumps({"pull_request": same}) if event == "same" else event
    job = from_a_fork(a_runner(folder, ready, github), folder)
    if text is None:
        del job.environment["GITHUB_EVENT_PATH"]
    elif event != '{"pull_request": {"head": 1, "base": []}}':
        (folder / "event.json").write_text(text)
    else:
        (folder / "event.json").write_text(text)
        assert whole(job).codes == {"check": 0, "Verdict": 0}  # a head that is gone is a fork's
        return
    assert whole(job).codes == {"check": 0, "Verdict": 1}, job.said
    assert "token.missing" in job.said


def a_wheel(folder: Path, version: str) -> str:
    """A tiny cf-mtls as a wheel in a folder; its sha256."""
    name, info = f"cf_mtls-{version}-py3-none-any.whl", f"cf_mtls-{version}.dist-info"
    files = {
        "cf_mtls_stand_in.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: cf-mtls\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for path, text in files.items()
    ]
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


GOOD = "9.9.9 --hash=sha256:{digest}"
VERSIONS = [
    ("", 0, "{action}"),
    (GOOD, 0, "--require-hashes"),
    ("9.9.9 --hash=sha256:" + "0" * 64, 1, ""),
    ("9.9.9", 1, ""),
    (GOOD + "\nrequests==1 --hash=sha256:{digest}", 1, ""),
    (GOOD + " --index-url http://127.0.0.1:9", 1, ""),
    ("-r evil.txt", 1, ""),
    (">=1 --hash=sha256:{digest}", 1, ""),
]


@pytest.mark.parametrize(("version", "code", "said"), VERSIONS)
def test_another_version_is_installed_by_its_hash_or_not_at_all(
    tmp_path: Path, version: str, code: int, said: str
) -> None:
    """Pip itself takes the right hash and refuses the wrong one; without a hash, or with more, nothing is installed."""
    version = version.format(digest=a_wheel(tmp_path, "9.9.9"))
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/bash\n[[ "$*" == *"-m venv"* ]] && exit 0\necho "$*" >> "{tmp_path}/called"\n'
        '[[ "$*" == *requirements.lock || "$*" != *-r* ]] && exit 0\n'
        f'exec "{sys.executable}" "$@" --target "{tmp_path}/there" --no-index --find-links "{tmp_path}"'
        " --no-cache-dir\n"
    )
    python.chmod(0o755)
    (step,) = [step for name, step in steps_of(ACTION) if "Install" in name]
    given = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "VENV": str(tmp_path / "venv"),
        "ACTION": "the-action",
        "VERSION": version,
    }
    done = subprocess.run(
        [*STRICT, "-c", step["run"]], env=given, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stdout + done.stderr
    first, *rest = (tmp_path / "called").read_text("utf-8").splitlines()
    assert "--require-hashes" in first
    assert "the-action/requirements.lock" in first
    assert said.format(action="the-action") in "".join(rest)
    assert (tmp_path / "there/cf_mtls_stand_in.py").is_file() is (bool(version) and code == 0)
