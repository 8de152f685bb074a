"""A stream whose encoding lacks a symbol gets a plain one; data says the same in every encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cf_mtls.declare.example import GEORGETOWN
from cf_mtls.emulator.server import Options, Ready, running
from tests.conftest import Pki

PLAN = "plans/georgetown.yaml"
URL = "https://jeann.net/georgetown-penang-malaysia"
ODD = "Fabrik Süd → “工場” 😀 …"
"""A name with letters that Latin-1 has, a symbol that cp1252 has, one that only UTF-8 has, and one beyond 16 bits."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[tuple[Path, Ready]]:
    """A folder whose plan holds an application of that name, and an account that lacks it."""
    folder = tmp_path_factory.mktemp("odd")
    certs = folder / "plans/certs"
    certs.mkdir(parents=True)
    named = GEORGETOWN.replace("    domain: jeann.net", f'    name: "{ODD}"\n    domain: jeann.net')
    assert named != GEORGETOWN
    (folder / PLAN).write_text(named, "utf-8")
    (certs / "certchain.pem").write_text(pki.clients.chain.pem)
    (certs / "clientcert.pem").write_text(pki.jean.certificate_pem)
    (certs / "clientcert.key").write_text(pki.jean.key_pem)
    with running(Options(zones=("jeann.net", "odd.test"))) as emulator:
        yield folder, emulator.ready


def run(place: tuple[Path, Ready], encoding: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    folder, ready = place
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-m", "cf_mtls", *words], cwd=folder, capture_output=True, check=False, timeout=90,
        env={**ours, **ready.exports(), "PYTHONIOENCODING": encoding}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


VERBS = [
    (("plan", PLAN), ("ascii", "latin-1", "cp1252")),
    (("apply", PLAN, "--auto-approve"), ("ascii",)),
    (("verify", PLAN), ("ascii:strict", "latin-1", "cp1252")),
    (("drift", PLAN), ("ascii",)),
    (("explain", URL), ("ascii", "latin-1")),
    (("show",), ("ascii", "cp1252")),
    (("doctor", PLAN), ("ascii",)),
    (("validate", PLAN), ("ascii",)),
    (("verify", "--list"), ("ascii",)),
    (("pki", "inspect", "plans/certs/certchain.pem"), ("ascii",)),
    (("--help",), ("ascii",)),
    (("validate", "fehlt-→.yaml"), ("ascii", "cp1252")),
]
"""The verbs that show symbols, names or paths, in the order in which one account sees them."""


def test_no_verb_fails_for_want_of_a_symbol(place: tuple[Path, Ready]) -> None:
    """Each says the same as in UTF-8, in characters that the stream has, and ends with the same code."""
    shown = ""
    for words, encodings in VERBS:
        for encoding in encodings:
            ran = run(place, encoding, *words)
            text = (ran.stdout + ran.stderr).decode(encoding.partition(":")[0])  # strict: it fits
            assert "internal.bug" not in text, (words, encoding, text)
            assert "Traceback" not in text, (words, encoding, text)
            assert ran.returncode == (1 if "fehlt" in words[-1] else 0), (words, encoding, text)
            shown += text
    assert "Fabrik S\\xfc" in shown  # ASCII: an escape for a letter, a plain sign for a symbol
    assert "Fabrik Süd ->" in shown  # Latin-1 and cp1252 keep what they have
    assert "“\\u5de5\\u5834”" in shown  # cp1252 has the quotes
    assert '"\\u5de5\\u5834"' in shown
    assert "fehlt-->.yaml" in shown


@pytest.mark.parametrize("words", [("schema",), ("plan", PLAN, "--json"), ("show", "--json")], ids=" ".join)
def test_json_is_the_same_data_in_every_encoding(place: tuple[Path, Ready], words: tuple[str, ...]) -> None:
    """No symbol in it is replaced by another: it is written as an escape that JSON knows."""
    wide, narrow = (run(place, encoding, *words).stdout for encoding in ("utf-8", "ascii"))
    first, second = json.loads(wide.decode("utf-8")), json.loads(narrow.decode("ascii"))
    for found in (first, second):
        found.get("cf_mtls", {}).pop("made_at", None)
        found.pop("timestamp", None)
    assert first == second


def test_yaml_is_the_same_data_in_every_encoding(place: tuple[Path, Ready], pki: Pki) -> None:
    """What `import` prints for a file that is there already is put into that file: names must survive."""
    folder, ready = place
    policy = {"name": ODD, "decision": "non_identity", "include": [{"certificate": {}}]}
    trust = {"name": "odd", "certificate": pki.root.chain.pem, "associated_hostnames": ["odd.test"]}
    made = {"name": "odd", "domain": "odd.test/", "type": "self_hosted", "policies": [policy]}
    for path, body in (("certificates", trust), ("apps", made)):
        asked = urllib.request.Request(
            f"{ready.api_base_url}/accounts/{ready.account_id}/access/{path}", json.dumps(body).encode(),
            {"Authorization": f"Bearer {ready.token}", "Content-Type": "application/json"},
        )  # fmt: skip
        urllib.request.urlopen(asked).close()
    (folder / "other.yaml").write_text(
        "version: 1\nstack: other\napplications: {x: {domain: jeann.net/x, policies: [{name: p, decision: bypass, "
        "include: [{everyone: {}}]}]}}\n"
    )
    wide, narrow = (run(place, e, "import", "--out", "other.yaml").stdout for e in ("utf-8", "ascii"))
    first = yaml.safe_load(wide.decode("utf-8"))
    assert ODD in repr(first)
    assert yaml.safe_load(narrow.decode("ascii")) == first
