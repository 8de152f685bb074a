"""Folders full of strange files, through every verb that takes many: each file is accounted for, none hides another."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from tests.ci.steps import parsed
from tests.declare.test_search import OTHERS, PLANS, UNREAD, as_nobody, written
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN

VERBS: dict[str, list[str]] = {
    "validate": ["validate", "plans"],
    "plan": ["plan", "plans"],
    "verify": ["verify", "plans"],
    "drift": ["drift", "plans"],
    "stacks": ["stacks", "plans"],
    "ci check": ["ci", "check", "plans"],
    "ci plan": ["ci", "plan", "plans"],
    "ci verify": ["ci", "verify", "plans"],
}
JSON: dict[str, list[str]] = {
    "verify": ["verify", "plans", "--json"],
    "drift": ["drift", "plans", "--json"],
}


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return {}


@pytest.fixture
def closed(folder: Path, ready: Ready, kept: dict[str, Any]) -> Path:
    """A folder whose plan is applied: every verb ends with 0 there, so any other code is the folder's."""
    if not kept:
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        kept |= lever(ready, "state")
    lever(ready, "state", kept)
    return folder


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that anybody may look into; pytest shuts its own ones, whenever another run of it begins."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made) / "here"


def spoilt(folder: Path) -> set[str]:
    """Put into plans/ everything that could be a plan file and cannot be read; their names."""
    made = {name: raw for name, (raw, _) in UNREAD.items() if name != "large.yaml"}
    written(folder / "plans", made)
    os.mkfifo(folder / "plans/fifo.yaml")
    (folder / "plans/loop.yaml").symlink_to("loop.yaml")
    (folder / "plans/memory.yml").symlink_to("/proc/self/mem")
    (folder / "elsewhere").mkdir()
    (folder / "plans/link").symlink_to("../elsewhere")
    return {*made, "fifo.yaml", "loop.yaml", "memory.yml", "link"}


@pytest.mark.parametrize("verb", VERBS)
def test_a_clean_folder_ends_with_0_and_is_counted_last(closed: Path, ready: Ready, verb: str) -> None:
    """Beside other files of every kind; the last line on stdout counts them."""
    written(closed / "plans", OTHERS)
    ran = run(closed, ready, *VERBS[verb])
    assert ran.returncode == 0, ran.stdout + ran.stderr
    last = ran.stdout.rstrip("\n").rpartition("\n")[2]
    files = len(OTHERS) + 1 + 3  # and the plan's own certificate files
    assert f"plans: {files} files: 1 plan file, {files - 1} not plan files." in last


@pytest.mark.parametrize("verb", VERBS)
def test_what_cannot_be_read_ends_with_1_and_hides_nothing(closed: Path, ready: Ready, verb: str) -> None:
    """Twelve kinds at once: each is named with its code, the plan file has its verdict, nothing is a bug of ours."""
    bad = spoilt(closed)
    ran = run(closed, ready, *VERBS[verb], GITHUB_OUTPUT=str(closed / "out"))
    said = ran.stdout + ran.stderr
    assert ran.returncode == (0 if verb == "ci check" else 1), said  # its verdict is the gate's
    assert "internal.bug" not in said
    assert {name for name in bad if f"plans/{name}" not in said} == set()
    last = ran.stdout.rstrip("\n").rpartition("\n")[2]
    assert f"1 plan file, 3 not plan files, {len(bad)} that could not be read." in last
    assert "georgetown" in ran.stdout
    if verb.startswith("ci "):
        outputs = parsed((closed / "out").read_text("utf-8"))
        assert (outputs["status"], outputs["drift"]) == ("error", "")
    if verb == "ci check":
        assert run(closed, ready, "ci", "gate", "cf-mtls-report/report.json").returncode == 1


@pytest.mark.parametrize("verb", JSON)
def test_the_account_is_in_the_json(closed: Path, ready: Ready, verb: str) -> None:
    """By file: one plan file, what is none with the reason, what could not be read with the reason."""
    bad = spoilt(closed)
    written(closed / "plans", {"workflow.yml": OTHERS["workflow.yml"]})
    ran = run(closed, ready, *JSON[verb])
    files = json.loads(ran.stdout)["files"]
    assert (ran.returncode, files["whole"], files["folders"]) == (1, False, ["plans"])
    assert files["plan_files"] == [PLAN]
    assert files["not_plan_files"] == [{"file": "plans/workflow.yml", "why": "other YAML or JSON"}]
    assert {Path(unread["file"]).name for unread in files["could_not_be_read"]} == bad
    assert files["not_by_their_names"] == 3


@pytest.mark.parametrize("verb", VERBS)
def test_every_form_of_a_plan_file_is_judged(closed: Path, ready: Ready, verb: str) -> None:
    """No verb leaves one out: each of 28 spellings has its line, and all of one stack are refused for it."""
    written(closed / "plans", PLANS)
    ran = run(closed, ready, *VERBS[verb])
    said = (ran.stdout + ran.stderr).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    assert ran.returncode == (0 if verb in {"stacks", "ci check"} else 1)
    assert "internal.bug" not in said
    plain = {name for name in PLANS if name.isprintable()}
    assert {name for name in plain if f"plans/{name}" not in said} == set()
    assert f"{len(PLANS) + 1} plan files" in said


@pytest.mark.parametrize("verb", VERBS)
def test_a_file_without_permission_is_no_bug(
    verb: str, closed: Path, public: Path, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not be read, and says so by its name; so does the named file alone."""
    closed = shutil.copytree(closed, public)
    (closed / "plans/shut.yaml").write_text("version: 1\nstack: shut\n")
    closed.chmod(0o755)
    (closed / "plans/certs/clientcert.key").chmod(0o644)
    (closed / "cf-mtls-report").mkdir()
    (closed / "cf-mtls-report").chmod(0o777)
    (closed / "plans/shut.yaml").chmod(0)
    (closed / "edge.pem").write_bytes(Path(ready.edge_ca).read_bytes())
    monkeypatch.chdir("/")  # where the tests run, and the program's own files, need not be anybody's to read
    run(closed, ready, *VERBS[verb])
    for report in (closed / "cf-mtls-report").iterdir():
        report.unlink()
    with as_nobody():
        ran = run(closed, ready, *VERBS[verb], CF_MTLS_CACERT="edge.pem")
    assert "internal.bug" not in ran.stdout + ran.stderr
    assert "plans/shut.yaml" in ran.stdout + ran.stderr
    assert "1 that could not be read" in ran.stdout


def test_a_ca_file_that_may_not_be_looked_at_is_said(
    folder: Path, public: Path, ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is shut: 64 and the file's name, and no bug of ours."""
    folder = shutil.copytree(folder, public)
    (folder / "shut").mkdir()
    (folder / "shut/ca.pem").write_text("")
    folder.chmod(0o755)
    (folder / "shut").chmod(0)
    monkeypatch.chdir("/")
    run(folder, ready, "verify", PLAN, "--cacert", "none")
    with as_nobody():
        ran = run(folder, ready, "verify", PLAN, "--cacert", "shut/ca.pem")
    assert (ran.returncode, "[verify.cacert]" in ran.stderr) == (64, True), ran.stderr


@pytest.mark.parametrize("verb", [*VERBS, "stacks --json"])
def test_a_folder_without_plan_files_is_an_error(folder: Path, verb: str, ready: Ready) -> None:
    """Nothing to judge is not clean: 1, and what lies there is counted."""
    words = [*(VERBS.get(verb) or ["stacks", "--json"])[:-1], "other"]
    written(folder / "other", {"a.yaml": b"on: push\n", "b.md": b""})
    ran = run(folder, ready, *words)
    assert (ran.returncode, ran.stdout) == (1, ""), ran.stdout
    assert "[stacks.none]" in ran.stderr
    assert "other YAML or JSON" in ran.stderr


def test_the_matrix_leaves_out_what_cannot_be_read_and_says_so(folder: Path, ready: Ready) -> None:
    """`stacks --json`: the matrix on stdout has the plan file, the exit code is 1, and the account is a file."""
    bad = spoilt(folder)
    ran = run(folder, ready, "stacks", "plans", "--json", "--folder", "cf-mtls-report")
    assert ran.returncode == 1
    assert [row["files"] for row in json.loads(ran.stdout)["include"]] == [PLAN]
    data = json.loads((folder / "cf-mtls-report/stacks.json").read_text("utf-8"))
    assert data["cf_mtls"]["kind"] == "stacks"
    assert {Path(unread["file"]).name for unread in data["files"]["could_not_be_read"]} == bad
