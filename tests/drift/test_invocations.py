"""What is typed wrong around drift checks is said, with its own code, and never ends with 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drift.inside import said
from tests.emulated.test_main_job import PLAN

GITHUB = {"GITHUB_TOKEN": "ghs_canary", "GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "o/r"}

INVOCATIONS: list[tuple[list[str], dict[str, str], int, str]] = [
    (["plan", "plans/certs"], {}, 1, "stacks.none"),
    (["plan", PLAN, "plans/b.yaml", "--json"], {}, 64, "plan.one-file"),
    (["drift", "plans/certs"], {}, 1, "stacks.none"),
    (["stacks", "plans/certs"], {}, 1, "stacks.none"),
    (["drift", PLAN, "--alarm", "x"], {}, 64, "drift.unknown-class"),
    (["drift", PLAN, "--until", "x"], {}, 64, "drift.until"),
    (["drift", PLAN, "--write-waivers"], {}, 64, "drift.no-owner"),
    (["drift", PLAN, "--applied", PLAN], {}, 1, "planfile.malformed"),
    (["drift", PLAN, "--out", "no/where.json"], {}, 1, "drift.out"),
    (["ci", "gate", PLAN], {}, 1, "ci.report"),
    (["ci", "issue", "nothing.json"], GITHUB, 1, "file.missing"),
    (["ci", "comment", "--number", "1", "--key", "A", "--text", PLAN], GITHUB, 64, "ci.key"),
    (["ci", "comment", "--number", "1"], GITHUB, 64, "ci.nothing-to-say"),
    (["ci", "comment", "--number", "1", "--text", PLAN], {}, 1, "ci.github-settings"),
    (
        ["ci", "comment", "--number", "1", "--text", PLAN],
        {**GITHUB, "GITHUB_API_URL": "http://a.net"},
        1,
        "ci.github-settings",
    ),
    (["ci", "comment", "--number", "1", "--text", PLAN], GITHUB, 1, "ci.github"),
]


@pytest.mark.parametrize(
    ("words", "environment", "exit_code", "code"), INVOCATIONS, ids=[i[3] for i in INVOCATIONS]
)
def test_a_wrong_invocation_is_said(
    folder: Path, words: list[str], environment: dict[str, str], exit_code: int, code: str
) -> None:
    """Each has its own code and exit code, and GitHub's token is in none of the messages."""
    ran = said(folder, *words, **environment)
    assert (ran.returncode, f"[{code}]" in ran.stderr) == (exit_code, True), ran.stderr
    assert "canary" not in ran.stderr + ran.stdout


@pytest.mark.parametrize(
    "raw", ["[]", "{}", "null", '{"cf_mtls": {"schema": 2, "kind": "drift"}}', "\\ud800", '{"cf_mtls": 1}']
)
def test_what_is_no_report_is_refused(folder: Path, raw: str) -> None:
    """Any other JSON, or none, ends with 1 and not with an internal error."""
    (folder / "report.json").write_text(raw, "utf-8")
    ran = said(folder, "ci", "gate", "report.json")
    assert (ran.returncode, "[ci.report]" in ran.stderr) == (1, True), ran.stderr


def test_a_check_that_dies_leaves_no_older_report(folder: Path) -> None:
    """Yesterday's report.json is not there for the gate to believe."""
    (folder / "cf-mtls-report").mkdir()
    (folder / "cf-mtls-report/report.json").write_text("{}")
    assert said(folder, "ci", "check", "plans/certs").returncode == 1
    assert said(folder, "ci", "gate", "cf-mtls-report/report.json").returncode == 1
    assert not (folder / "cf-mtls-report/report.json").exists()
    (folder / "file").touch()
    assert "[drift.out]" in said(folder, "ci", "check", PLAN, "--folder", "file").stderr


def test_many_stacks_become_no_more_jobs_than_asked(folder: Path) -> None:
    """Ten files over three jobs: each file once, as even as can be, and names that no two share."""
    import json

    text = (folder / PLAN).read_text("utf-8")
    for number in range(9):
        (folder / f"plans/{number}.yml").write_text(text, "utf-8")
    entries = json.loads(said(folder, "stacks", "plans", "--json", "--jobs", "3").stdout)["include"]
    files = [file for entry in entries for file in entry["files"].split("\n")]
    assert sorted(len(entry["files"].split("\n")) for entry in entries) == [3, 3, 4]
    assert len(files) == len(set(files)) == 10
    assert len({entry["name"] for entry in entries}) == 3
