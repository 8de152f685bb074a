"""The documents are true: transcripts, tables and examples are compared with the program.

CF_MTLS_WRITE=1 rewrites the transcripts; the difference is then for a person to read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cf_mtls.declare.example import GEORGETOWN
from cf_mtls.diagnostics import Exit
from cf_mtls.verify.proofs import PROOFS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")

STEADY = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:8443"),
    (r"\b[0-9a-f]{64}\b", "5ec3…"),
    (r"(ccount(?:s/| ))[0-9a-f]{32}", r"\g<1>0123456789abcdef0123456789abcdef"),
    (r"penang-clients [0-9a-f]{8}… ", "penang-clients 5ec3a1b2… "),
    (r"\b[0-9a-f]{16}-EMU", "8a1b2c3d4e5f6071-EMU"),
    (r"\d{4}-\d\d-\d\d, in \d+ days", "2031-11-23, in 1824 days"),
    (r"(HTTP/[\d.]+ \d{3})  +\d+ +(?=8a1b)", r"\1  12  "),
    (r"got +ms +ray", "got         ms  ray"),
    (r"  \d+\.\d s$", "  0.1 s"),
    (r"Digest [0-9a-f…]+", "Digest 5ec3…"),
)
"""What differs from run to run, and what the documents show in its place."""


def steady(text: str) -> str:
    """A transcript with everything random replaced, and without the lines that depend on how fast the machine is."""
    lines = [line.rstrip() for line in text.strip().splitlines() if not line.startswith("waiting ")]
    text = "\n".join(lines)
    for pattern, fixed in STEADY:
        text = re.sub(pattern, fixed, text, flags=re.MULTILINE)
    return text


def transcript(command: str) -> str:
    """What a document shows below its marker for this command."""
    found = re.search(rf"<!-- transcript: {re.escape(command)} -->\n```text\n(.*?)```", README, re.DOTALL)
    assert found, f"no transcript of {command}"
    return found[1]


def write(command: str, said: str) -> None:
    """Put a transcript below its marker."""
    marker = f"<!-- transcript: {command} -->\n```text\n"
    before, _, after = (ROOT / "README.md").read_text("utf-8").partition(marker)
    (ROOT / "README.md").write_text(f"{before}{marker}{said}\n```{after.partition('```')[2]}", "utf-8")


def test_the_demo_in_the_readme_is_the_programs_own_output(tmp_path: Path) -> None:
    """Run as a newcomer would, it says what the README says, under 30 seconds, and leaves nothing behind."""
    if not shutil.which("curl") or not shutil.which("openssl"):
        pytest.skip("the README shows the demo with curl and openssl")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    ours = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    ran = subprocess.run(
        [sys.executable, "-m", "cf_mtls", "demo"],
        cwd=tmp_path, env={**ours, "TMPDIR": str(temporary)}, capture_output=True, text=True, timeout=30,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert list(temporary.iterdir()) == []
    said = steady(ran.stdout)
    if os.environ.get("CF_MTLS_WRITE"):
        write("cf-mtls demo", said)
        return
    assert transcript("cf-mtls demo").strip() == said


def test_the_example_plan_is_the_demos() -> None:
    """plans/georgetown.yaml and the text inside the package are one."""
    assert (ROOT / "plans/georgetown.yaml").read_text("utf-8") == GEORGETOWN


def test_the_readme_lists_every_exit_code() -> None:
    """Code by code, and no other."""
    table = README.partition("## Exit codes")[2].partition("## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == sorted(Exit)


def test_the_readme_lists_every_proof() -> None:
    """The table of proofs is the program's own, word for word."""
    head = "| # | who asks | for *Proven* | a pass shows that | and leaves open |\n|---|---|---|---|---|\n"
    needed = {True: "required", False: "optional"}
    rows = "".join(
        f"| {p.number} | {p.name} | {needed[p.required]} | {p.proves} | {p.leaves_open} |\n" for p in PROOFS
    )
    marker = f"<!-- proofs -->\n{head}"
    before, found, after = (ROOT / "README.md").read_text("utf-8").partition(marker)
    assert found
    if os.environ.get("CF_MTLS_WRITE"):
        rest = re.sub(r"\A(?:\| .*\n)*", "", after)
        (ROOT / "README.md").write_text(f"{before}{marker}{rows}{rest}", "utf-8")
        return
    assert after.startswith(rows + "\n")


def test_no_private_key_is_committed() -> None:
    """Nothing beside the plans, nor anywhere else, holds a private key block."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    begin = b"-----BEGIN "
    pattern = re.compile(begin + rb"[A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")
    assert [n for n in names if n.is_file() and pattern.search(n.read_bytes())] == []
