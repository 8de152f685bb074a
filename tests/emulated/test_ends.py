"""What ends: every certificate that the files hold, whatever holds it; the urgent, whatever was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki import pkcs12
from cf_mtls.pki.authority import root
from cf_mtls.pki.identity import load_identity
from tests.drift.inside import run
from tests.emulated.edge import lever
from tests.emulated.test_main_job import PLAN

NOW = datetime.now(UTC)
ROOT = root("Short", now=NOW)
SECRET = "p12-canary"


@pytest.fixture(scope="module")
def ready() -> Iterator[Ready]:
    with running(Options()) as emulator:
        yield emulator.ready


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """The account as the first apply left it."""
    return {}


@pytest.fixture
def closed(folder: Path, ready: Ready, kept: dict[str, Any]) -> Path:
    """A folder whose plan is applied."""
    if not kept:
        assert run(folder, ready, "apply", PLAN, "-y").returncode == 0
        kept |= lever(ready, "state")
    lever(ready, "state", kept)
    return folder


def packed(folder: Path, passphrase: bytes | None) -> None:
    """Jean's client becomes a PKCS#12 file that ends in three days."""
    jean = ROOT.issue("jean", now=NOW, days=3)
    identity, _ = load_identity(jean.certificate_pem.encode(), jean.key_pem.encode(), None)
    assert identity
    if passphrase:
        data = pkcs12.export(identity, "jean", passphrase)
    else:
        from cryptography.hazmat.primitives.serialization import NoEncryption
        from cryptography.hazmat.primitives.serialization import pkcs12 as raw

        data = raw.serialize_key_and_certificates(
            b"jean", identity.key, identity.certificate.x509, None, NoEncryption()
        )
    (folder / "plans/certs/jean.p12").write_bytes(data)


def client(folder: Path, members: str) -> None:
    before, _, _ = (folder / PLAN).read_text("utf-8").partition("\nclients:")
    (folder / PLAN).write_text(f"{before}\nclients:\n  jean: {{{members}}}\n", "utf-8")


def in_the_open(folder: Path) -> None:
    packed(folder, None)
    client(folder, "certificate: certs/jean.p12")


def by_environment(folder: Path) -> None:
    packed(folder, SECRET.encode())
    client(folder, "certificate: certs/jean.p12, passphrase_env: JEAN_PASSPHRASE")


def by_file(folder: Path) -> None:
    packed(folder, SECRET.encode())
    (folder / "plans/certs/secret").write_text(SECRET + "\n")
    client(folder, "certificate: certs/jean.p12, passphrase_file: certs/secret")


def one_file(folder: Path) -> None:
    """Certificate and key in one PEM file."""
    jean = ROOT.issue("jean", now=NOW, days=3)
    (folder / "plans/certs/jean.pem").write_text(jean.certificate_pem + jean.key_pem)
    client(folder, "certificate: certs/jean.pem")


def its_intermediate(folder: Path) -> None:
    """A client that lasts, sent with an intermediate that does not."""
    inner = ROOT.intermediate("Inner", now=NOW, days=3)
    jean = ROOT.issue("jean", now=NOW, days=300)
    (folder / "plans/certs/jean.pem").write_text(jean.certificate_pem + inner.certificate.pem)
    (folder / "plans/certs/jean.key").write_text(jean.key_pem)
    client(folder, "certificate: certs/jean.pem, key: certs/jean.key")


@pytest.mark.parametrize(
    "holds", [in_the_open, by_environment, by_file, one_file, its_intermediate], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("within", ["30", "2"])
def test_whatever_holds_it_and_whatever_is_asked_for_an_urgent_end_alarms(
    closed: Path, ready: Ready, holds: Callable[[Path], None], within: str
) -> None:
    """Three days are within the seven that alarm."""
    holds(closed)
    ran = run(closed, ready, "drift", PLAN, "--json", "--expiring-within", within, JEAN_PASSPHRASE=SECRET)
    found = [(f["class"], f["address"], f["alarm"]) for f in json.loads(ran.stdout)["stacks"][0]["findings"]]
    assert (ran.returncode, found) == (2, [("expiring", "client/jean", True)])
    assert SECRET not in ran.stdout + ran.stderr


def locked(folder: Path) -> None:
    packed(folder, SECRET.encode())
    client(folder, "certificate: certs/jean.p12")


def with_no_passphrase_here(folder: Path) -> None:
    packed(folder, SECRET.encode())
    client(folder, "certificate: certs/jean.p12, passphrase_env: ABSENT_PASSPHRASE")


def absent(folder: Path) -> None:
    (folder / "plans/certs/clientcert.pem").unlink()


@pytest.mark.parametrize("holds", [locked, with_no_passphrase_here, absent], ids=lambda f: f.__name__)
def test_an_end_that_cannot_be_seen_is_said(
    closed: Path, ready: Ready, holds: Callable[[Path], None]
) -> None:
    """In every form of the report: whoever reads clean reads what it does not cover."""
    holds(closed)
    forms = ["--out", "a.json", "--markdown", "a.md", "--junit", "a.xml"]
    ran = run(closed, ready, "drift", PLAN, *forms)
    assert ran.returncode == 0
    for said in (ran.stdout, *((closed / name).read_text("utf-8") for name in forms[1::2])):
        assert "drift.end-unknown" in said
        assert "jean" in said
    stack = json.loads((closed / "a.json").read_text("utf-8"))["stacks"][0]
    assert "the end of client jean" in stack["coverage"]["not_asked"]


def test_what_is_not_there_is_not_overdue_for_removal(closed: Path, ready: Ready) -> None:
    """A CA whose day has passed and that the account has not is one finding; one that is there is overdue."""
    text = (closed / PLAN).read_text("utf-8")
    past = f"{NOW - timedelta(days=1):%Y-%m-%d}"
    text = text.replace(
        "chain: certs/certchain.pem", f"chain: [{{file: certs/certchain.pem, until: {past}}}]"
    )
    assert past in text
    (closed / PLAN).write_text(text, "utf-8")

    def found() -> list[tuple[str, str]]:
        data = json.loads(run(closed, ready, "drift", PLAN, "--json").stdout)
        return [(f["class"], f["says"]) for f in data["stacks"][0]["findings"]]

    (overdue,) = found()
    assert overdue[0] == "expiring"
    assert overdue[1].endswith("1 day ago.")
    lever(ready, "state", {**lever(ready, "state"), "certificates": []})
    assert [kind for kind, _ in found() if kind == "expiring"] == []


def test_a_window_beyond_all_days_is_refused(closed: Path, ready: Ready) -> None:
    """A number that no calendar has is a wrong command line."""
    assert run(closed, ready, "drift", PLAN, "--expiring-within", "9999999999").returncode == 64
