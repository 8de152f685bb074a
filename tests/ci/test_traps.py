"""Every step of the action in a checkout full of traps: nothing of it runs, and no name of it is a command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from tests.ci.fake_github import FakeGitHub, serving
from tests.ci.steps import ACTION, Runner, steps_of
from tests.ci.test_action import a_runner, whole

MODULES = (
    "venv", "sitecustomize", "usercustomize", "pip", "ensurepip", "json", "re", "typing", "typer", "click", "yaml",
    "httpx", "cloudflare", "pydantic", "cryptography", "OpenSSL", "cf_mtls", "hatchling", "encodings", "site",
)  # fmt: skip
"""Names under which Python would import a file of the folder that it stands in."""

PROGRAMS = (
    "curl",
    "git",
    "python",
    "python3",
    "pip",
    "cf-mtls",
    "nginx",
    "chromium",
    "node",
    "openssl",
)
FILES = {
    "pip.conf": "[global]\nindex-url = http://127.0.0.1:9/trap\n[install]\nno-index = false\n",
    ".netrc": "default login canary-login password canary-password\n",
    "pyvenv.cfg": "home = {folder}/bin\ninclude-system-site-packages = true\n",
    "setup.cfg": "[install]\nprefix = {folder}/caught\n",
    ".curlrc": 'output = "{folder}/caught/curlrc"\n',
    ".pythonrc": "open('{folder}/caught/pythonrc', 'w')\n",
    "requirements.lock": "trap==1\n",
    "trap.pth": "import os; os.mkdir('{folder}/caught/pth')\n",
}
NAMES = (
    "$(touch caught-dollar).yaml", "`touch caught-backtick`.yaml", ";touch caught-semicolon;.yaml",
    "%0A::error::caught.yaml", "::set-output name=status::clean.yaml", "'\"&|<>.yaml", "-rf.yaml", "ü→.yaml",
)  # fmt: skip
PLAN = (
    "version: 1\nstack: trap-{index}\n"
    "hostname_settings: {{trap-{index}.jeann.net: {{client_certificate_forwarding: true}}}}\n"
)


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with serving() as fake:
        yield fake


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which everything that could be taken for a part of the job is a trap."""
    folder = tmp_path / "checkout"
    (folder / "caught").mkdir(parents=True)
    for module in MODULES:
        (folder / f"{module}.py").write_text(f"import os\nos.makedirs({str(folder / 'caught' / module)!r})\n")
    for place in (folder, folder / "bin"):
        place.mkdir(exist_ok=True)
        for program in PROGRAMS:
            (place / program).write_text(f"#!/bin/sh\ntouch '{folder}/caught/{program}'\nexit 1\n")
            (place / program).chmod(0o755)
    for name, text in FILES.items():
        (folder / name).write_text(text.format(folder=folder))
    (folder / "plans").mkdir()
    for index, name in enumerate(NAMES):
        (folder / "plans" / name).write_text(PLAN.format(index=index))
    return folder


def in_it(checkout: Path, ready: Ready, github: FakeGitHub, **inputs: str) -> Runner:
    """A job in the checkout, whose environment points at it as far as a checkout could ever be pointed at."""
    job = a_runner(checkout.parent / "temp", ready, github, config="plans", **inputs)
    job.folder = checkout
    job.environment |= {
        "PATH": f":.:bin:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "PYTHONSTARTUP": str(checkout / ".pythonrc"),
    }
    return job


def caught(checkout: Path) -> list[str]:
    left = [*(checkout / "caught").iterdir(), *checkout.parent.rglob("caught-*")]
    return sorted(p.name for p in left)


def test_the_traps_work(checkout: Path) -> None:
    """A Python that is started as anybody starts it steps into them."""
    import subprocess

    subprocess.run([sys.executable, "-m", "venv", "x"], cwd=checkout, check=False, capture_output=True)
    subprocess.run(["sh", "-c", "curl"], cwd=checkout, env={"PATH": f":{os.defpath}"}, check=False)
    subprocess.run(["sh", "-c", f"echo {NAMES[0]}"], cwd=checkout, check=False, capture_output=True)
    assert {"curl", "caught-dollar", "venv"} <= set(caught(checkout))


@pytest.mark.parametrize("command", ["drift", "plan", "verify", "issue"])
def test_no_step_runs_anything_of_the_checkout(
    checkout: Path, ready: Ready, github: FakeGitHub, command: str
) -> None:
    """Not its modules, not its programs, not its settings, and no name of a file as a command or an output."""
    job = in_it(checkout, ready, github, command=command, issue="true", comment="true", verify="true")
    job.contexts |= {"github.event_name": "pull_request", "github.event.number": "7"}
    whole(job)
    assert job.codes
    assert "internal.bug" not in job.said
    assert caught(checkout) == []
    status = job.contexts.get(f"steps.{'check' if command == 'drift' else command}.outputs.status", "error")
    assert status in {"drift", "error"}
    assert not [
        line
        for line in job.said.splitlines()
        if line.lstrip().startswith(("::set-output", "::error::caught"))
    ]


def test_the_install_looks_at_nothing_of_the_checkout(
    checkout: Path, ready: Ready, github: FakeGitHub
) -> None:
    """A real `venv`, in a folder of its own; pip is asked for the action's own lock, by that environment's Python."""
    job = in_it(checkout, ready, github)
    job.contexts["github.action_path"] = "/the-action"
    tools = checkout.parent / "tools"
    tools.mkdir()
    (tools / "pip").write_text(f'#!/bin/sh\necho "$PWD $*" >> "{checkout.parent}/pip"\n')
    (tools / "pip").chmod(0o755)
    (tools / "python").write_text(
        f'#!/bin/sh\n"{sys.executable}" "$@" --without-pip || exit 1\nfor v; do :; done\n'
        f'ln -sf "{tools}/pip" "$v/bin/python"\n'
    )
    (tools / "python").chmod(0o755)
    job.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    (step,) = [step for name, step in steps_of(ACTION) if "Install" in name]
    assert job.run(step) == 0, job.said
    assert caught(checkout) == []
    asked = (checkout.parent / "pip").read_text().splitlines()
    assert [line.split()[:4] for line in asked] == [[str(checkout.parent / "temp"), "-I", "-m", "pip"]] * 2
    assert "/the-action/requirements.lock" in asked[0]


def test_the_stacks_keep_their_names(checkout: Path, ready: Ready, github: FakeGitHub) -> None:
    """The matrix is one line of JSON in which each file has its own name; nothing else is an output."""
    job = whole(in_it(checkout, ready, github, command="stacks"))
    assert job.codes == {"stacks": 0}, job.said
    found = json.loads(job.contexts["steps.stacks.outputs.matrix"])
    assert sorted(row["files"] for row in found["include"]) == sorted(f"plans/{name}" for name in NAMES)
    assert caught(checkout) == []
    assert not [k for k in job.contexts if k.startswith("steps.") and not k.startswith("steps.stacks.")]


@pytest.mark.parametrize("name", ["a\nplans/b.yaml", "a\r.yaml", "a\u2028.yaml", "a.yml\n.yaml"])
def test_a_name_that_would_become_two_fails_the_job(
    checkout: Path, ready: Ready, github: FakeGitHub, name: str
) -> None:
    """Names are handed to jobs one a line: such a file must not be left out, nor another be read in its place."""
    path = checkout / "plans" / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("version: 1\nstack: odd\n")
    job = whole(in_it(checkout, ready, github, command="stacks"))
    assert job.codes == {"stacks": 1}
    assert "[stacks.name]" in job.said
    assert "steps.stacks.outputs.matrix" not in job.contexts


def test_reports_go_into_no_folder_that_is_a_link(checkout: Path, ready: Ready, github: FakeGitHub) -> None:
    """A checkout whose `cf-mtls-report` leads elsewhere decides nothing about where reports are written."""
    (checkout.parent / "elsewhere").mkdir()
    (checkout / "cf-mtls-report").symlink_to(checkout.parent / "elsewhere")
    job = whole(in_it(checkout, ready, github))
    assert job.codes["check"] == 1
    assert "symbolic link" in job.said
    assert list((checkout.parent / "elsewhere").iterdir()) == []
