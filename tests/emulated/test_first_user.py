"""The README's first-time user: from nothing to a green verify, kept true by doing it.

CF_MTLS_WRITE=1 rewrites the transcript.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from cf_mtls.emulator.server import Options, running
from tests.test_documents import README, steady, transcript, write

NAME = "a first plan file"
PLAN = "plans/partners.yaml"
COMMANDS = (
    "pki ca partners --passphrase-env PKI_PASSPHRASE",
    "pki issue gateway-1 --passphrase-env PKI_PASSPHRASE",
    "init --stack partners --url api.example.com/partners --chain pki/chain.pem --client pki/clients/gateway-1.pem",
    f"doctor {PLAN}",
    f"apply {PLAN} --auto-approve",
    f"verify {PLAN}",
    f"plan {PLAN}",
)
ALSO_STEADY = (
    (r"(-clients) [0-9a-f]{8}… ", r"\1 5ec3a1b2… "),
    (r"SHA-256 [0-9a-f ]{8,}", "SHA-256 5ec3 … "),
    (r"\d{4}-\d\d-\d\d", "2031-11-23"),
    (r"\d\d:\d\d UTC", "06:00 UTC"),
    (r"\b\d{3,4} (requests left|days)", r"1190 \1"),
)
"""What else differs from run to run: digits of a CA that was just made, dates, the budget."""


def steadier(text: str) -> str:
    text = steady(text)
    for pattern, fixed in ALSO_STEADY:
        text = re.sub(pattern, fixed, text)
    return text


def test_a_newcomer_gets_from_init_to_a_green_verify_as_the_readme_says(tmp_path: Path) -> None:
    """Every command ends with 0 and says what the README shows."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_", "COLUMNS"))}
    said = []
    with running(Options(zones=("example.com",))) as emulator:
        environment = {**ours, **emulator.ready.exports(), "PKI_PASSPHRASE": "correct horse battery staple"}
        for command in COMMANDS:
            ran = subprocess.run(
                [sys.executable, "-m", "cf_mtls", *command.split()], cwd=tmp_path, env=environment,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stdout
            said.append(f"$ cf-mtls {command}\n{steadier(ran.stdout)}")
    assert "Proven" in said[-2]
    assert "No changes." in said[-1]
    if os.environ.get("CF_MTLS_WRITE"):
        write(NAME, "\n\n".join(said))
        return
    assert transcript(NAME).strip() == "\n\n".join(said)


def test_the_transcript_holds_no_secret() -> None:
    """Neither a passphrase nor a token."""
    assert "correct horse" not in README
