"""Actions and workflows: linted, pinned, least privilege; no step hides an exit code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.steps import ACTION, PLAIN, ROOT, STRICT, WORKFLOWS, read, steps_of, stubs

FILES = [ACTION, *WORKFLOWS]
STEPS = [(name, step) for path in FILES for name, step in steps_of(path)]
RUNS = [(name, step) for name, step in STEPS if "run" in step]
SCHEMAS = [
    *((path, "vendor.github-workflows") for path in WORKFLOWS),
    (ACTION, "vendor.github-actions"),
    (ROOT / ".github/dependabot.yml", "vendor.dependabot"),
]


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install -e '.[test]'")
    return found


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)


def test_zizmor_finds_nothing_as_an_auditor() -> None:
    """The strictest persona, offline, over the action, every workflow and Dependabot's file: no finding."""
    done = ran(
        tool("zizmor"), "--offline", "--persona=auditor", "--strict-collection", "action.yml", ".github"
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("path", "schema"), SCHEMAS, ids=lambda v: getattr(v, "name", v))
def test_every_file_has_githubs_shape(path: Path, schema: str) -> None:
    """check-jsonschema with the schemas it carries."""
    done = ran(tool("check-jsonschema"), "--builtin-schema", schema, str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "step"), RUNS, ids=[name for name, _ in RUNS])
def test_every_run_block_is_short_clean_and_free_of_expressions(
    name: str, step: dict[str, Any], tmp_path: Path
) -> None:
    """At most ten lines, no expression inside (they go through env), and shellcheck has no remark."""
    lines = step["run"].strip().splitlines()
    assert len(lines) <= 10
    assert "${{" not in step["run"]
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/bash\n" + step["run"])
    done = ran(tool("shellcheck"), str(script))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("code", [0, 2, 1])
@pytest.mark.parametrize(("name", "step"), RUNS, ids=[name for name, _ in RUNS])
def test_no_step_hides_an_exit_code(name: str, step: dict[str, Any], code: int, tmp_path: Path) -> None:
    """With every program ending in 0, 2 or 1 the step ends the same way, under GitHub's own bash."""
    programs = ["python", "pip", "cf-mtls", "gh", "sudo", "test", "ruff", "mypy", "zizmor"]
    environment = stubs(tmp_path, programs, code)
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(tmp_path / "bin/python")
    given = {"VENV": str(venv), "PYTHON": str(venv / "bin/python"), "ACTION": "a", "CONFIG": "plans", "TAG": "v1",
             "FOLDER": "r", "NUMBER": "1", "GITHUB_OUTPUT": str(tmp_path / "out")}  # fmt: skip
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/cf_mtls-1-py3-none-any.whl").touch()
    shell = STRICT if step.get("shell") == "bash" else PLAIN
    done = subprocess.run([*shell, "-c", step["run"]], cwd=tmp_path, env={**environment, **given}, check=False,
                          capture_output=True, text=True, timeout=30)  # fmt: skip
    assert done.returncode == code, done.stderr
    assert (tmp_path / "called").exists()


@pytest.mark.parametrize(("name", "step"), RUNS, ids=[name for name, _ in RUNS])
def test_python_never_takes_a_module_from_the_checkout(name: str, step: dict[str, Any]) -> None:
    """Every interpreter is started with -I or -P; the programs of a step are named by path or are system ones."""
    starts = re.findall(
        r"(?:^|[\s;&|(])(?:\"\$[A-Z_]*/?(?:bin/)?python3?\"|\"\$PYTHON\"|python3?)\s+(\S+)", step["run"]
    )
    assert set(starts) <= {"-I", "-P"}


def test_no_script_of_ours_starts_python_without_it() -> None:
    """`.ci/run` too, which begins in a checkout."""
    text = (ROOT / ".ci/run").read_text("utf-8")
    assert re.findall(r'"\$python" (\S+) ', text) == ["-P"]


def test_every_action_is_pinned_by_a_full_sha_with_its_version_behind_it() -> None:
    """40 hexadecimal digits and `# vX.Y.Z`; only this repository itself may be named without."""
    lines = [
        line.strip() for path in FILES for line in path.read_text("utf-8").splitlines() if "uses:" in line
    ]
    foreign = [line for line in lines if "$/" not in line]
    assert len(foreign) > 10
    pinned = re.compile(r"(- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in foreign if not pinned.fullmatch(line)] == []


def test_one_action_has_one_version_everywhere() -> None:
    """No two pins of the same action."""
    text = "\n".join(path.read_text("utf-8") for path in FILES)
    pins = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", text))
    assert Counter(name for name, _ in pins).most_common(1)[0][1] == 1


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_every_workflow_grants_nothing_by_default_and_ends_in_time(path: Path) -> None:
    """`permissions: {}` on top; each job its own; a timeout; no credentials kept; no pull_request_target."""
    found = read(path)
    assert found["permissions"] == {}
    assert "pull_request_target" not in path.read_text("utf-8")
    for job in found["jobs"].values():
        assert "permissions" in job
        assert "uses" in job or int(job["timeout-minutes"]) <= 60
        for step in job.get("steps", []):
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] == "false"


def test_the_schedule_is_alone_and_at_an_odd_minute() -> None:
    """GitHub drops what starts at the full hour, and switches off whole files."""
    scheduled = [path for path in WORKFLOWS if "schedule" in read(path)["on"]]
    assert [path.name for path in scheduled] == ["drift.yml"]
    on = read(scheduled[0])["on"]
    assert set(on) == {"schedule", "workflow_dispatch"}
    minute = int(on["schedule"][0]["cron"].split()[0])
    assert minute % 2
    assert minute % 15


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_name_that_is_referred_to_exists(path: Path) -> None:
    """needs, steps.<id>.outputs.<name>, inputs.<name> and needs.<job>.outputs.<name>: what linters leave out."""
    found, text = read(path), path.read_text("utf-8")
    inputs = found.get("inputs") or (found["on"].get("workflow_call") or {}).get("inputs", {})
    assert set(re.findall(r"\binputs\.([\w-]+)", text)) <= set(inputs)
    jobs = found.get("jobs", {"": found.get("runs", {})})
    for job in jobs.values():
        needs = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        assert set(needs) <= set(jobs)
    ids = {step["id"] for job in jobs.values() for step in job.get("steps", []) if "id" in step}
    assert set(re.findall(r"\bsteps\.([\w-]+)\.", text)) <= ids


def test_the_step_with_cloudflares_token_never_has_githubs() -> None:
    """Of the action's steps each blanks the token that is not its own; only two get GitHub's."""
    runs = [step for _, step in steps_of(ACTION) if "run" in step]
    github = [
        s["name"]
        for s in runs
        if "inputs.github-token" in s["env"]["GITHUB_TOKEN"]
        if "GITHUB_TOKEN" in s["env"]
    ]
    assert github == ["Issues", "Comment"]
    for step in runs:
        assert "GITHUB_TOKEN" in step["env"]
        if step["name"] not in {"Check", "Plan"}:
            assert step["env"]["CLOUDFLARE_API_TOKEN"] == ""
        else:
            assert step["env"]["GITHUB_TOKEN"] == ""
    others = [step for _, step in steps_of(ACTION) if "uses" in step]
    assert [s["env"]["CLOUDFLARE_API_TOKEN"] + s["env"]["CLOUDFLARE_API_TOKEN_FILE"] for s in others] == [""]


INPUTS = {
    "config": "", "command": "drift", "fail-on-drift": "true", "working-directory": ".", "version": "",
    "summary": "true", "annotations": "true", "issue": "false", "issue-labels": "cf-mtls,drift",
    "github-token": "${{ github.token }}",
}  # fmt: skip
"""What others write under `with:`, and what it is without them."""


def test_the_action_can_be_published() -> None:
    """What the marketplace asks for, the inputs with their defaults, and the outputs that others branch on."""
    found = read(ACTION)
    assert {name: found["inputs"][name]["default"] for name in INPUTS} == INPUTS
    assert all(i["description"] for i in (*found["inputs"].values(), *found["outputs"].values()))
    assert not [name for name in found["inputs"] if "cloudflare" in name]  # its token is no input
    assert found["runs"]["using"] == "composite"
    assert found["branding"] == {"icon": "shield", "color": "orange"}
    assert len(found["description"]) < 125
    assert {
        "status",
        "drift",
        "changes",
        "add",
        "change",
        "delete",
        "fingerprint",
        "summary",
        "summary-path",
        "plan-json",
        "issue-url",
    } <= set(found["outputs"])


@pytest.mark.parametrize("lock", ["requirements.lock", ".github/release.lock"])
def test_the_locks_name_versions_and_hashes_and_no_place(lock: str) -> None:
    """Every line pins, every pin has a hash, and there is no URL in it."""
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    pins = re.findall(
        r"^[A-Za-z0-9_.-]+(?:\[[a-z0-9,]+\])?==\S+.*\\$\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )
    assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 5
    assert re.search(r"^hatchling==", text, re.MULTILINE)


def test_the_lock_covers_everything_that_the_program_needs() -> None:
    """Each dependency of pyproject.toml has its pin: the install of the action asks for nothing more."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.match(r"[A-Za-z0-9-]+", d)[0].lower() for d in project["dependencies"]}  # type: ignore[index]
    locked = set(re.findall(r"^([a-z0-9-]+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
    assert names <= locked


RUNS_OF_APPLY = [
    {"id": 5, "event": "pull_request"},
    {"id": 4, "event": "pull_request_target"},
    {"id": 3, "event": "push"},
    {"id": 2, "event": "workflow_dispatch"},
]
"""As GitHub lists them, newest first: a pull request of a fork may call its branch main."""


@pytest.mark.parametrize(("runs", "found"), [(RUNS_OF_APPLY, "3"), (RUNS_OF_APPLY[:2], ""), ([], "")])
def test_what_was_applied_is_of_the_newest_run_that_no_pull_request_made(
    runs: list[dict[str, Any]], found: str, tmp_path: Path
) -> None:
    """The step asks GitHub for runs of the default branch that went well; its filter is tried with the real jq."""
    jq = tool("jq")
    path = next(path for path in WORKFLOWS if path.name == "drift-check.yml")
    step = next(step for _, step in steps_of(path) if step.get("name") == "Find what was applied")
    (tmp_path / "runs.json").write_text(json.dumps({"workflow_runs": runs}))
    (tmp_path / "gh").write_text(
        f"""#!/bin/sh\necho "$*" > {tmp_path}/asked\nfor last; do :; done\n{jq} -r "$last" {tmp_path}/runs.json\n"""
    )
    (tmp_path / "gh").chmod(0o755)
    given = {
        "RUNS": "repos/o/r/actions/workflows/apply.yml/runs",
        "BRANCH": "main",
        "NEWEST": step["env"]["NEWEST"],
    }
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **given, "GITHUB_OUTPUT": str(tmp_path / "out")}
    subprocess.run([*PLAIN, "-c", step["run"]], env=environment, check=True, timeout=30)
    assert (tmp_path / "out").read_text() == f"run={found}\n"
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith(
        "api --method GET repos/o/r/actions/workflows/apply.yml/runs -f branch=main -f status=success"
    )


def documented() -> list[str]:
    """The whole workflows that the README shows, with something in every place that it leaves open."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(on:.*?)```", text, re.DOTALL)
    return [b.replace("FULL_COMMIT_SHA", "0" * 40).replace("VERSION", "1.0") for b in blocks]


def test_the_workflows_of_the_readme_have_githubs_shape_and_fit_together(tmp_path: Path) -> None:
    """Valid; what the one leaves as what was applied is what the reusable one looks for; rights cover what it needs."""
    texts = documented()
    drift, apply = (yaml.load(text, yaml.BaseLoader) for text in texts)  # noqa: S506 - BaseLoader makes only text
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.yml"
        path.write_text(text)
        done = ran(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", str(path))
        assert done.returncode == 0, done.stdout
    reusable = read(ROOT / ".github/workflows/drift-check.yml")
    needs = [job["permissions"] for job in reusable["jobs"].values()]
    granted = drift["jobs"]["drift"]["permissions"]
    assert {name: right for job in needs for name, right in job.items()} == granted
    assert set(drift["jobs"]["drift"]["with"]) <= set(reusable["on"]["workflow_call"]["inputs"])
    assert granted == read(ROOT / ".github/workflows/drift.yml")["jobs"]["drift"]["permissions"]
    (download,) = [s for s in reusable["jobs"]["check"]["steps"] if "download-artifact" in s.get("uses", "")]
    (upload,) = [s for s in apply["jobs"]["apply"]["steps"] if "upload-artifact" in s.get("uses", "")]
    assert download["with"]["name"] == upload["with"]["name"]
    (check,) = [s for s in reusable["jobs"]["check"]["steps"] if "applied" in s.get("with", {})]
    assert download["with"]["path"] in check["with"]["applied"]
