"""Programs that this one starts get a small, named environment: a stand-in for each writes down what it was given."""

from __future__ import annotations

import ast
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cf_mtls import child_process, story
from cf_mtls.cli import history
from cf_mtls.diagnostics import Failure
from cf_mtls.emulator.options import Unusable
from cf_mtls.emulator.server import Options, running
from cf_mtls.model.evidence import Got, Probe
from cf_mtls.model.people import Expected, Target
from cf_mtls.verify.browser_probe import BrowserWitness, has_driver
from cf_mtls.verify.curl_probe import CurlWitness

HOUSE = Path(__file__).parent.parent / "cf_mtls"

SECRETS = {
    "CLOUDFLARE_API_TOKEN": "canary-token",
    "CLOUDFLARE_API_KEY": "canary-key",
    "CLOUDFLARE_API_TOKEN_FILE": "/run/canary-token",
    "GITHUB_TOKEN": "canary-github",
    "ACTIONS_RUNTIME_TOKEN": "canary-actions",
    "JEAN_PASSPHRASE": "canary-passphrase",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
}
INFLUENCES = {
    "HTTPS_PROXY": "http://canary-user:canary-proxy@127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "SSLKEYLOGFILE": "/nowhere/canary-keys",
    "CURL_HOME": "/nowhere/canary-curl",
    "NODE_OPTIONS": "--require=/nowhere/canary.js",
    "GIT_DIR": "/nowhere/canary.git",
    "GIT_ASKPASS": "/nowhere/canary-ask",
    "GIT_EXTERNAL_DIFF": "/nowhere/canary-diff",
    "BASH_ENV": "/nowhere/canary.sh",
    "OPENSSL_CONF": "/nowhere/canary.cnf",
    "NGINX": "7;8;",
    "LD_LIBRARY_PATH": "/nowhere/canary-libraries",
}
"""What would make a child do something else than it was asked, or show where secrets are."""

SHELLS_OWN = {"PWD", "SHLVL", "_", "OLDPWD"}
"""What the stand-in's own shell sets."""

STAND_IN = '#!/bin/sh\nenv > "{note}.$$" && mv "{note}.$$" "{note}"\nexit 1\n'


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """This process holds every secret, and the folder's `bin` comes first on its PATH."""
    for name, value in (SECRETS | INFLUENCES).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "bin").mkdir()
    monkeypatch.delenv("PLAYWRIGHT_NODEJS_PATH", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def stand_in(folder: Path, name: str) -> str:
    """The path of a program of that name that notes its environment in `NAME.env`."""
    program = folder / "bin" / name
    program.write_text(STAND_IN.format(note=folder / f"{name}.env"))
    program.chmod(0o755)
    return str(program)


def noted(folder: Path, name: str) -> dict[str, str]:
    lines = (folder / f"{name}.env").read_text().splitlines()
    return {n: v for n, _, v in (line.partition("=") for line in lines) if n not in SHELLS_OWN}


PROBE = Probe(Target("https://api.zone.test/", "x"), None, Expected.REFUSED)


def with_curl(folder: Path) -> None:
    CurlWitness(stand_in(folder, "curl")).ask(PROBE, None)


def with_git(folder: Path) -> None:
    stand_in(folder, "git")
    assert history.declared_before(datetime.now(UTC))(folder / "plan.yaml") is None


def with_node(folder: Path) -> None:
    """The driver of Playwright, which is a Node.js."""
    if not has_driver():
        pytest.skip("Playwright is not installed")
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = stand_in(folder, "node")
    BrowserWitness(stand_in(folder, "chromium"), timeout_s=10).ask(PROBE, None)


def with_chromium(folder: Path) -> None:
    if not has_driver():
        pytest.skip("Playwright is not installed")
    seen = BrowserWitness(stand_in(folder, "chromium"), timeout_s=10).ask(PROBE, None)
    assert seen.failure is Got.CONFUSED


def with_nginx(folder: Path) -> None:
    stand_in(folder, "nginx")
    with pytest.raises(Unusable), running(Options(zones=("zone.test",), edge="nginx")):
        pass


def with_the_demos_openssl(folder: Path) -> None:
    stand_in(folder, "openssl")
    with pytest.raises(Failure):
        story.tell(lambda _: None)


def with_the_demos_curl(folder: Path) -> None:
    stand_in(folder, "curl")
    with pytest.raises(Failure):
        story.tell(lambda _: None)


@pytest.mark.parametrize(
    ("name", "start", "more"),
    [
        ("curl", with_curl, {"SSL_CERT_FILE", "SSL_CERT_DIR"}),
        ("git", with_git, {"HOME", "XDG_CONFIG_HOME", "GIT_OPTIONAL_LOCKS", "GIT_TERMINAL_PROMPT"}),
        ("chromium", with_chromium, {"HOME", "PYTHONPATH", "PLAYWRIGHT_NODEJS_PATH"}),
        ("node", with_node, None),
        ("nginx", with_nginx, set()),
        ("openssl", with_the_demos_openssl, {"HOME"}),
        ("curl", with_the_demos_curl, {"HOME"}),
    ],
)
def test_a_child_gets_the_named_variables_and_no_secret(
    held: Path, name: str, start: Callable[[Path], None], more: set[str] | None
) -> None:
    """No token, passphrase, proxy or lever, by name or by value; of the rest only what is on the list."""
    start(held)
    given = noted(held, name)
    assert "canary" not in repr(given)
    assert not given.keys() & (SECRETS | INFLUENCES).keys()
    if more is not None:  # Playwright adds names of its own to its driver's
        assert given.keys() <= {*child_process.EVERYWHERE, *more}
    assert given["PATH"] == os.environ["PATH"]


STARTERS = {
    "run", "Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput",
    "create_subprocess_exec", "create_subprocess_shell", "launch", "system", "popen", "fork", "forkpty",
    "posix_spawn", "posix_spawnp", "startfile", "sync_playwright", "async_playwright", "spawn",
    *(f"{verb}{form}" for verb in ("exec", "spawn") for form in ("v", "ve", "vp", "vpe", "l", "le", "lp", "lpe")),
}  # fmt: skip
"""Functions of the standard library and of Playwright that start a program."""

MODULES = {"subprocess", "os", "pty", "asyncio", "multiprocessing"}


def starts(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    """Every call in a file that starts a program, by the module or the object it is called on."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STARTERS:
            owner = ast.unparse(node.func.value)
            name = f"{owner}.{node.func.attr}"
            if name != "asyncio.run" and (owner in MODULES or node.func.attr == "launch"):
                found.append((name, node))
    return found


def imported(tree: ast.AST) -> set[str]:
    """What a file imports by name from the modules that start programs."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES
        for alias in node.names
    } & STARTERS


def unnamed(source: str) -> list[str]:
    """The calls of a file that start a program without an environment made by `child_process`."""
    tree = ast.parse(source)
    made = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "child_process.environment(" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    given = {
        name: next((k.value for k in call.keywords if k.arg == "env"), None) for name, call in starts(tree)
    }
    handed_on = {
        argument.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument in node.args.args
        if argument.arg == "env"
    }
    return sorted(imported(tree)) + [
        name
        for name, env in given.items()
        if env is None
        or not ("child_process.environment(" in ast.unparse(env) or ast.unparse(env) in made | handed_on)
    ]


PAGE = HOUSE / "verify/browser_page.py"
"""It runs in a child whose environment is small, and imports nothing: what it launches is told it in words."""


@pytest.mark.parametrize("path", [p for p in sorted(HOUSE.rglob("*.py")) if p != PAGE], ids=lambda p: p.stem)
def test_no_program_is_started_with_another_environment(path: Path) -> None:
    """A new call that starts a program without `child_process.environment` fails here."""
    assert unnamed(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['curl'])",
        "import subprocess\nsubprocess.run(['curl'], env=os.environ)",
        "import subprocess\nsubprocess.run(['curl'], env={**os.environ})",
        "import subprocess\nsubprocess.Popen(['curl'])",
        "import subprocess\nsubprocess.check_output(['curl'])",
        "from subprocess import run\nrun(['curl'])",
        "import os\nos.system('curl')",
        "import os\nos.execvp('curl', ['curl'])",
        "import asyncio\nasyncio.create_subprocess_shell('curl')",
        "driver.chromium.launch(executable_path='x')",
    ],
)
def test_the_scan_sees_what_it_is_for(source: str) -> None:
    """Each way to start a program without a named environment is found."""
    assert unnamed(source)


def test_what_is_held_is_an_argument() -> None:
    """The function reads nothing by itself; own values win."""
    held = {"PATH": "/bin", "HOME": "/home/x", "CLOUDFLARE_API_TOKEN": "t", "LANG": "C"}
    assert child_process.environment(held=held) == {"PATH": "/bin", "LANG": "C"}
    assert child_process.environment(("HOME",), {"LANG": "de"}, held) == {
        "PATH": "/bin", "HOME": "/home/x", "LANG": "de",
    }  # fmt: skip


def test_a_folder_that_looks_like_a_repository_starts_nothing(tmp_path: Path) -> None:
    """Files of a checkout can make a bare repository whose `config` names a program for git to run: it is not run."""
    plans = tmp_path / "plans"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "init", "-q", "--bare", str(plans)], check=True)
    core = ["repositoryformatversion = 0", "bare = false", "worktree = ."]
    trap = "\n\t".join(["[core]", *core, f'fsmonitor = "touch {tmp_path / "caught"}; false"'])
    (plans / "config").write_text(trap)
    (plans / "cf-mtls.yaml").write_text("version: 1\n")
    subprocess.run(["git", "-C", str(plans), "status", "--porcelain"], capture_output=True, check=False)
    assert (tmp_path / "caught").exists(), "the trap itself does not work"
    (tmp_path / "caught").unlink()
    assert history.declared_before(datetime.now(UTC))(plans / "cf-mtls.yaml") is None
    assert not (tmp_path / "caught").exists()
