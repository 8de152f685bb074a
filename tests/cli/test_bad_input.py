"""Every mistake a newcomer makes: a clear message, a place, a non-zero exit, nothing sent, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from cf_mtls.cli.options import LARGE
from cf_mtls.declare.example import GEORGETOWN
from tests.drift.inside import said

PLAN = "plans/georgetown.yaml"
ACCOUNT = "0123456789abcdef0123456789abcdef"
CLOSED = "http://127.0.0.1:9/client/v4"
"""The discard port: nothing listens there."""


def write(folder: Path, old: str, new: str) -> None:
    assert old in GEORGETOWN
    (folder / PLAN).write_text(GEORGETOWN.replace(old, new), "utf-8")


REAL = {
    "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
    "CLOUDFLARE_API_TOKEN": "cfat_canary",
    "CLOUDFLARE_BASE_URL": CLOSED,
}

FILES = [
    ("version: 1", "version: 1\nbroken: [", "yaml.syntax", ":7:1"),
    ("stack: georgetown ", "stak: georgetown ", "document.unknown-key", ":4:1"),
    ("stack: georgetown ", "stack: a\nstack: georgetown ", "yaml.duplicate-key", ":5:1"),
    ("version: 1", "version: 1\naccount_id: abc", "document.invalid-value", ":4:13"),
    ("[jeann.net]", "[192.0.2.7]", "document.invalid-value", ":9:"),
    ("certs/certchain.pem ", "certs/nothing.pem ", "file.missing", ":8:12"),
    ("certs/certchain.pem ", "certs/clientcert.key ", "pem.private-key", ":8:12"),
    ("certs/certchain.pem ", "certs/clientcert.pem ", "chain.no-ca", ":8:12"),
    ("certs/certchain.pem ", "georgetown.yaml ", "pem.not-pem", ":8:12"),
]


@pytest.mark.parametrize("verb", ["validate", "plan", "apply", "verify"])
@pytest.mark.parametrize(("old", "new", "code", "place"), FILES, ids=[f[2] for f in FILES])
def test_a_wrong_file_is_refused_by_every_verb(
    folder: Path, verb: str, old: str, new: str, code: str, place: str
) -> None:
    """The same message from each, at line and column, before anything is sent."""
    write(folder, old, new)
    ran = said(folder, verb, PLAN, **REAL)
    assert ran.returncode == 1
    assert f"[{code}]" in ran.stderr
    assert PLAN + place in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "api.unreachable" not in ran.stderr
    assert ran.stdout == ""


INVOCATIONS = [
    (["plan", "nothing.yaml"], REAL, 1, "file.missing"),
    (["apply", "plans", "-y"], REAL, 1, "file.unreadable"),
    (["plan", PLAN], {}, 1, "scope.missing"),
    (["plan", PLAN], {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT}, 1, "token.missing"),
    (["plan", PLAN], {**REAL, "CLOUDFLARE_ACCOUNT_ID": "abc"}, 1, "scope.invalid"),
    (["plan", PLAN], {**REAL, "CLOUDFLARE_BASE_URL": "http://api.example.com"}, 4, "api.insecure-url"),
    (["plan", PLAN], {**REAL, "CLOUDFLARE_BASE_URL": "nonsense"}, 1, "api.malformed-url"),
    (["plan", PLAN, "--adopt", "x"], REAL, 64, "address.malformed"),
    (["verify", PLAN, "--witness", "nobody"], REAL, 64, "verify.unknown-witness"),
    (["verify", PLAN, "--connect-to", "nowhere"], REAL, 64, "verify.connect-to"),
    (["verify", PLAN, "--cacert", "nothing.pem"], REAL, 64, "verify.cacert"),
    (["apply", PLAN, "--cacert", "nothing.pem"], REAL, 64, "verify.cacert"),
]


@pytest.mark.parametrize(
    ("words", "environment", "exit_code", "code"), INVOCATIONS, ids=[i[3] for i in INVOCATIONS]
)
def test_a_wrong_invocation_is_said(
    folder: Path, words: list[str], environment: dict[str, str], exit_code: int, code: str
) -> None:
    """Each has its own code and exit code, and the token is in none of the messages."""
    ran = said(folder, *words, **environment)
    assert (ran.returncode, f"[{code}]" in ran.stderr) == (exit_code, True), ran.stderr
    assert "Traceback" not in ran.stderr
    assert "cfat_canary" not in ran.stderr + ran.stdout


def test_an_unreachable_api_is_the_networks_fault(folder: Path) -> None:
    """Tried a few times, then said, with the address to check."""
    ran = said(folder, "plan", PLAN, **REAL)
    assert ran.returncode == 1
    assert "[api.unreachable]" in ran.stderr
    assert "CLOUDFLARE_BASE_URL" in ran.stderr
    assert "To mend: the network." in ran.stderr


def test_all_problems_of_a_file_come_in_one_run(folder: Path) -> None:
    """A missing chain and an unprotected hostname are two messages, not two runs."""
    write(folder, "certs/certchain.pem ", "certs/nothing.pem ")
    (folder / PLAN).write_text(
        (folder / PLAN).read_text("utf-8").replace("[jeann.net]", "[other.net]"), "utf-8"
    )
    told = said(folder, "validate", PLAN).stderr
    assert "[file.missing]" in told
    assert "[application.host-without-certificate]" in told


@pytest.mark.parametrize("verb", ["validate", "plan", "apply", "verify", "drift", "emulate", "demo"])
def test_a_usage_error_is_64_and_never_2(folder: Path, verb: str) -> None:
    """2 means differences and nothing else ever."""
    assert said(folder, verb, "--no-such-flag").returncode == 64


def test_no_arguments_and_an_unknown_verb_are_usage_errors(folder: Path) -> None:
    """Both print how to go on."""
    assert said(folder).returncode == 64
    assert said(folder, "plam").returncode == 64


@pytest.mark.parametrize("verb", [["validate"], ["plan"], ["apply", "-y"], ["drift"]])
@pytest.mark.parametrize(("size", "is_said"), [(LARGE // 2, False), (LARGE + 1, True)])
def test_reading_a_large_plan_file_is_said(tmp_path: Path, verb: list[str], size: int, is_said: bool) -> None:
    """On stderr, before the seconds that it takes; a file of the usual size is read without a word."""
    (tmp_path / "p.yaml").write_text("version: 1\nstack: s\nsurprise: 1\n# " + "x" * size + "\n", "utf-8")
    ran = said(tmp_path, *verb, "p.yaml", **REAL)
    assert ("Reading p.yaml, " in ran.stderr) is is_said
    assert "Reading" not in ran.stdout
    assert ran.returncode == 1
