"""init, schema, completion and version: what a newcomer meets first."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cf_mtls
from cf_mtls.cli.main import VERBS, Verbs, run
from cf_mtls.declare import schema
from tests.conftest import Pki

FLAGS = [
    "--url",
    "https://api.example.com/partners/",
    "--chain",
    "pki/chain.pem",
    "--client",
    "pki/clients/a.pem",
]
PLAN = "plans/api-example-com-partners.yaml"


@pytest.fixture
def here(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a CA and a client, as `pki` leaves them."""
    clients = tmp_path / "pki/clients"
    clients.mkdir(parents=True)
    (tmp_path / "pki/chain.pem").write_text(pki.clients.chain.pem, "ascii")
    (clients / "a.pem").write_text(pki.jean.certificate_pem, "ascii")
    (clients / "a.key").write_text(pki.jean.key_pem, "ascii")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_writes_a_valid_plan_its_schema_and_what_git_must_ignore(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From flags alone: the file is valid as it stands, and the next command is printed."""
    assert run(["init", *FLAGS]) == 0
    assert f"    cf-mtls doctor {PLAN}" in capsys.readouterr().err
    assert (here / PLAN).read_text("utf-8").startswith(schema.LINE)
    assert (here / "plans" / schema.FILE).read_text("utf-8") == schema.text()
    assert "*.key" in (here / ".gitignore").read_text("utf-8").split()
    assert run(["validate", PLAN]) == 0
    assert "warning" not in capsys.readouterr().err


def test_init_overwrites_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A plan file that is there stops it; a .gitignore that is there is told what it lacks."""
    (here / ".gitignore").write_text("dist/\n", "utf-8")
    assert run(["init", *FLAGS]) == 0
    assert "Add to .gitignore, so that no key is committed: *.key *.p12 *.pfx" in capsys.readouterr().err
    assert (here / ".gitignore").read_text("utf-8") == "dist/\n"
    (here / PLAN).write_text("mine", "utf-8")
    assert run(["init", *FLAGS]) == 1
    assert "[init.exists]" in capsys.readouterr().err
    assert (here / PLAN).read_text("utf-8") == "mine"


def test_init_without_a_chain_says_how_to_make_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The next command is the one that is missing."""
    assert run(["init", "--url", "a.example.com", "--chain", "pki/none.pem", "--client", ""]) == 0
    assert "    cf-mtls pki ca NAME" in capsys.readouterr().err


def test_init_refuses_what_cannot_be_a_plan_before_it_writes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A URL that is none, or a stack's name that is none: said as any plan file's fault."""
    for words in (["--url", "not a host"], ["--url", "a.example.com", "--stack", "No: t"]):
        assert run(["init", *words, "--chain", "x.pem", "--client", ""]) == 1
        assert "[document.invalid-value]" in capsys.readouterr().err
    assert not (here / "plans").exists()


def test_init_asks_three_questions_on_a_terminal(here: Path) -> None:
    """And only there: elsewhere the missing flag is named."""
    main, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cf_mtls", "init"], stdin=end, stderr=end, stdout=end
    ) as program:
        os.close(end)
        for answer in ("api.example.com/partners", "", ""):
            said = b""
            while not said.rstrip(b" ").endswith(b":"):
                said += os.read(main, 4096)
            os.write(main, answer.encode() + b"\n")
        assert program.wait(30) == 0
    os.close(main)
    assert "chain: ../pki/chain.pem" in (here / PLAN).read_text("utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "cf_mtls", "init"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 1
    assert "[init.unanswered]" in ran.stderr
    assert "--url" in ran.stderr


def test_schema_prints_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands in plans/."""
    assert run(["schema"]) == 0
    assert capsys.readouterr().out == schema.text()


def test_version_as_text_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same version; JSON adds Python and every dependency."""
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"cf-mtls {cf_mtls.__version__}\n"
    assert run(["version", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["version"] == cf_mtls.__version__
    declared = (
        (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8").partition("dependencies = [")[2]
    )
    named = set(re.findall(r'"([A-Za-z0-9]+)[\[>]', declared.partition("\n]")[0])) - {"h11"}
    assert set(told["packages"]) == named


HEAVY = ("pydantic", "cloudflare", "httpx", "cryptography", "OpenSSL", "rich", "yaml", "asyncio")


@pytest.mark.parametrize(
    "words", [["completion", "bash"], ["completion", "fish"], ["version"], ["--help"], ["plan", "--help"]]
)
def test_a_small_verb_imports_nothing_heavy(words: list[str]) -> None:
    """Whoever sources a completion in every shell waits for Typer and for nothing else."""
    code = (
        "import sys; from cf_mtls.cli.main import run; code = run(sys.argv[2:]); "
        "sys.exit(code or ','.join(m for m in sys.argv[1].split(',') if m in sys.modules) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, ",".join(HEAVY), *words], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_program_answers_its_version_before_it_imports_anything() -> None:
    """`--version` is printed with nothing loaded that is not the interpreter's own or the package's first file."""
    code = (
        "import sys; before = set(sys.modules); sys.argv = ['cf-mtls', '--version']\n"
        "from cf_mtls.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(*sorted(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, loaded = ran.stdout.splitlines()
    assert version == f"cf-mtls {cf_mtls.__version__}"
    assert set(loaded.split()) - {"__future__"} == {"cf_mtls", "cf_mtls.__main__"}


def test_every_verb_of_the_help_is_what_its_file_offers() -> None:
    """The table of verbs names each file right, forgets none, and each has a line that fits a terminal."""
    assert {name: command.name for name, command in Verbs().items()} == {name: name for name in VERBS}
    folder = Path(cf_mtls.__file__).parent / "cli"
    offering = {p.stem for p in folder.glob("*.py") if "def register(app:" in p.read_text("utf-8")}
    assert sorted(file for file, _ in VERBS.values()) == sorted(offering)
    assert [name for name, (_, line) in VERBS.items() if len(line) > 64 or not line.endswith(".")] == []


def test_a_verb_imports_no_other_verb() -> None:
    """Asking for one verb's help loads its own file, and what that shares, alone."""
    code = (
        "import sys; from cf_mtls.cli.main import run, VERBS; run(['validate', '--help'])\n"
        "print(sorted(f for f, _ in VERBS.values() if f'cf_mtls.cli.{f}' in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "['validate']"


def completed(script: str, *words: str) -> set[str]:
    """What bash offers for the last word."""
    line = " ".join(f"'{w}'" for w in words)
    code = f'{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _cf_mtls; printf "%s\\n" "${{COMPREPLY[@]}}"'
    ran = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_bash_completes_verbs_options_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    """After the program, after a verb, after a verb of a verb, and the shells themselves."""
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    assert run(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert {"plan", "apply", "import", "doctor", "pki"} <= completed(script, "cf-mtls", "")
    assert completed(script, "cf-mtls", "val") == {"validate"}
    assert "--detailed-exitcode" in completed(script, "cf-mtls", "plan", "plans/a.yaml", "--")
    assert "--p12" in completed(script, "cf-mtls", "pki", "export", "--p")
    assert completed(script, "cf-mtls", "completion", "") >= {"bash", "zsh", "fish"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every verb is in it; where the shell is installed, it reads it without complaint."""
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(re.search(rf"\b{verb}\b", script) for verb in ("plan", "doctor", "export"))
    (tmp_path / "script").write_text(script, "utf-8")
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True)
