"""What a step may hold, and what it leaves when it failed: no number, no claim, and never both sides' tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.ci.outputs import annotated, outputs, plan_outputs, proof_outputs
from cf_mtls.cli.ci_step import CLOUDFLARES, GITHUBS
from cf_mtls.diagnostics import Code, Exit, Fault, Severity
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.model.evidence import Dossier, Proof
from cf_mtls.report.markdown import drift_markdown
from tests.ci.reports import a_finding, a_report, a_stack
from tests.ci.steps import ACTION, parsed, read, steps_of
from tests.drift.inside import run, said
from tests.emulated.test_main_job import PLAN

COUNTS = ("drift", "changes", "add", "change", "delete", "alarms", "fingerprint")
"""Outputs that say something of the account."""
NONE = re.compile(r"\b(0|no) (changes?|to add|to change|to delete|alarms?|drifted|failed)\b|\bNo changes\b")
"""Words for nothing, which a failed run must not say of anything."""
PENDING = a_finding("pending")
FAILED = [
    [a_stack("error")],
    [a_stack("error"), a_stack("clean", stack="other")],
    [a_stack("error", findings=[PENDING, a_finding("could-not-check", "api")])],
    [],
]


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


def assert_nothing_is_claimed(found: dict[str, str]) -> None:
    assert found["status"] == "error"
    assert {name: found[name] for name in COUNTS if found.get(name)} == {}
    assert not NONE.search(found.get("summary", "")), found["summary"]


@pytest.mark.parametrize("stacks", FAILED, ids=range(len(FAILED)))
def test_a_check_that_failed_counts_nothing(stacks: list[dict[str, Any]]) -> None:
    """Also beside a clean stack, and with something that is only pending: empty, not 0 and not false."""
    data = a_report(*stacks) if stacks else {**a_report(), "status": "error", "complete": False}
    assert_nothing_is_claimed(outputs(data, {}))
    assert outputs(data, {})["complete"] == "false"
    said_ = "\n".join([drift_markdown(data["stacks"]), *annotated(data)])
    assert not NONE.search(said_)


def test_a_drift_beside_what_could_not_be_checked_is_counted() -> None:
    """What was found is a fact: the counts are of it, and `complete` says that there may be more."""
    found = outputs(a_report(a_stack(), a_stack("error", stack="other")), {})
    assert (found["status"], found["complete"], found["changes"], found["alarms"]) == (
        "drift",
        "false",
        "1",
        "1",
    )
    assert len(found["fingerprint"]) == 64


@pytest.mark.parametrize("code", [Exit.ERROR, Exit.REFUSED])
def test_a_plan_that_failed_counts_nothing(code: Exit) -> None:
    """Whatever else was planned in the same step."""
    assert_nothing_is_claimed(plan_outputs([], code, 2))


def test_a_proof_that_failed_counts_nothing() -> None:
    """A file that cannot be read: no `0 failed`."""
    problem = Code("x.y", Severity.ERROR, Fault.FILE, "it is broken").found("x")
    found = proof_outputs([Proof("a.yaml", Dossier(()), (problem,)), Proof("b.yaml", Dossier(()))])
    assert_nothing_is_claimed(found)
    assert "could not tell" in found["summary"]


BROKEN = ["stack: [\n", "version: 1\nstack: a\nsurprise: 1\n"]


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("verb", ["check", "plan", "verify"])
def test_every_step_that_failed_leaves_no_number(folder: Path, ready: Ready, verb: str, text: str) -> None:
    """The real verbs on a broken file and on a refused token: outputs, summary and log."""
    (folder / PLAN).write_text(text)
    where = {"GITHUB_OUTPUT": str(folder / "out"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    ran = run(folder, ready, "ci", verb, PLAN, GITHUB_ACTIONS="true", **where)
    assert_nothing_is_claimed(parsed((folder / "out").read_text("utf-8")))
    assert not NONE.search(ran.stdout + (folder / "summary").read_text("utf-8"))


@pytest.mark.parametrize("verb", ["check", "plan"])
def test_a_refused_token_leaves_no_number(folder: Path, ready: Ready, verb: str) -> None:
    """A valid file, and an account that answers nothing."""
    more = {"GITHUB_OUTPUT": str(folder / "out"), "CLOUDFLARE_API_TOKEN": "not-" + "t" * 36}
    ran = run(folder, ready, "ci", verb, PLAN, **more)
    assert_nothing_is_claimed(parsed((folder / "out").read_text("utf-8")))
    assert not NONE.search(ran.stdout)


VERBS: dict[str, list[str]] = {
    "check": ["check", PLAN],
    "plan": ["plan", PLAN],
    "verify": ["verify", PLAN],
    "gate": ["gate", "report.json"],
    "issue": ["issue", "report.json"],
    "comment": ["comment", "--number", "7", "--text", PLAN],
}
NEUTRAL = {
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
    "CLOUDFLARE_EMAIL": "a@example.com",
    "CLOUDFLARE_ACCOUNT_ID": "1" * 32,
}
"""No credential of either side: an address of a person, an id, and what GitHub sets in every step of a job that may ask
for an identity at a third party, such as the store that Cloudflare's token comes from."""


def test_the_rule_covers_every_verb() -> None:
    """The table of this test is the program's list of `ci` verbs."""
    shown = said(Path(), "ci", "--help").stdout
    assert set(re.findall(r"^  ([a-z]+) ", shown, re.MULTILINE)) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_no_step_holds_tokens_of_both_sides(folder: Path, verb: str) -> None:
    """Every form of Cloudflare's beside every form of GitHub's, for every verb: 4, by name, and nothing is done."""
    tried = 0
    for cloudflares in CLOUDFLARES:
        for githubs in GITHUBS:
            both = {
                cloudflares: "s3cret-canary-of-one",
                githubs: "s3cret-canary-of-two",
                "GITHUB_OUTPUT": str(folder / "out"),
            }
            ran = said(folder, "ci", *VERBS[verb], **both)
            assert (ran.returncode, "[ci.both-tokens]" in ran.stderr) == (4, True), (
                cloudflares,
                githubs,
                ran.stderr,
            )
            assert cloudflares in ran.stderr
            assert githubs in ran.stderr
            assert "canary" not in ran.stderr + ran.stdout
            tried += 1
    assert tried == len(CLOUDFLARES) * len(GITHUBS) >= 6 * 4
    assert not (folder / "cf-mtls-report").exists()
    assert not (folder / "out").exists()


@pytest.mark.parametrize("name", [CLOUDFLARES[0], GITHUBS[0]])
def test_what_is_no_token_of_a_side_is_not_refused(folder: Path, name: str) -> None:
    """One side's token beside addresses, ids and the token with which a job asks for an identity elsewhere."""
    ran = said(folder, "ci", "gate", "report.json", **NEUTRAL, **{name: "x"})
    assert (ran.returncode, "[file.missing]" in ran.stderr) == (1, True), ran.stderr


def test_the_actions_steps_blank_every_form_of_the_other_side() -> None:
    """Each step that runs the program names each variable of the side that is not its own, and leaves it empty."""
    for _, step in steps_of(ACTION):
        if "cf_mtls" not in step.get("run", "") or step["name"].startswith("Install"):
            continue
        env, own = step["env"], step["name"]
        blank = {name for name, value in env.items() if value == ""}
        holds_githubs = own in {"Issues", "Comment"}
        wanted = set(CLOUDFLARES if holds_githubs else GITHUBS)
        assert wanted <= blank, (own, wanted - blank)
        if own not in {"Check", "Plan"}:
            assert set(CLOUDFLARES) <= blank, own


@pytest.mark.parametrize(("words", "environment", "seconds"), [
    ([], {}, 0.0), ([], {"CI": "true"}, 10.0), (["--confirm", "3"], {"CI": "true"}, 3.0),
    ([], {"CI": "true", "CF_MTLS_CONFIRM": "2"}, 2.0),
    (["--confirm", "0"], {"CI": "true", "CF_MTLS_CONFIRM": "2"}, 0.0),
])  # fmt: skip
def test_the_second_read_reaches_ci_check(
    words: list[str], environment: dict[str, str], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option, then the environment, then ten seconds in CI."""
    from cf_mtls.cli.drift import seconds_to_confirm

    for name in ("CI", "CF_MTLS_CONFIRM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert seconds_to_confirm(float(words[1]) if words else None) == seconds


def test_ci_check_takes_confirm_and_the_action_passes_it(folder: Path, ready: Ready) -> None:
    """`--confirm` is an option, its environment variable is the action's input, and a wrong one ends with 64."""
    assert read(ACTION)["inputs"]["confirm"]["default"] == ""
    (check,) = [step for _, step in steps_of(ACTION) if step.get("name") == "Check"]
    assert check["env"]["CF_MTLS_CONFIRM"] == "${{ inputs.confirm || env.CF_MTLS_CONFIRM }}"
    before = run(folder, ready, "ci", "check", PLAN, "--confirm", "0.01", GITHUB_OUTPUT=str(folder / "out"))
    assert before.returncode == 0, before.stderr
    assert run(folder, ready, "ci", "check", PLAN, CF_MTLS_CONFIRM="soon").returncode == 64
