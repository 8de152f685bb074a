"""Clients in every form, and what is said of those that cannot be opened, before anything is sent."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization import pkcs12 as raw_pkcs12

from cf_mtls.model.people import Client
from cf_mtls.pki import pkcs12
from cf_mtls.pki.identity import Identity
from cf_mtls.verify.private import private
from cf_mtls.verify.wallet import open_all
from tests.conftest import Pki
from tests.drift.inside import said

SECRET = b"correct horse"


def encrypted(identity: Identity) -> bytes:
    return identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET))


@pytest.fixture
def files(tmp_path: Path, pki: Pki) -> Path:
    jean = pki.jean
    plain = raw_pkcs12.serialize_key_and_certificates(
        b"jean", jean.key, jean.certificate.x509, None, NoEncryption()
    )
    keyless = raw_pkcs12.serialize_key_and_certificates(
        b"jean", None, jean.certificate.x509, None, NoEncryption()
    )
    for name, content in {
        "jean.pem": jean.certificate_pem.encode(),
        "jean.key": jean.key_pem.encode(),
        "both.pem": (jean.certificate_pem + jean.key_pem).encode(),
        "locked.key": encrypted(jean),
        "other.key": pki.stranger.key_pem.encode(),
        "broken.key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "jean.p12": pkcs12.export(jean, "jean", SECRET),
        "old.pfx": pkcs12.export(jean, "jean", SECRET, compat=True),
        "open.p12": plain,
        "keyless.p12": keyless,
        "text.p12": b"not one at all",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        ("jean.pem", "jean.key"),
        ("jean.pem", "locked.key"),
        ("both.pem", None),
        ("jean.p12", None),
        ("old.pfx", None),
        ("open.p12", None),
    ],
)
def test_every_form_of_a_client_opens(files: Path, pki: Pki, certificate: str, key: str | None) -> None:
    """PEM pairs, one file for both, encrypted keys and PKCS#12, with old encryption and with none."""
    client = Client("jean", str(files / certificate), str(files / key) if key else None)
    wallet = open_all([client], lambda _: SECRET)
    assert wallet.diagnostics == ()
    assert wallet.identities["jean"].certificate == pki.jean.certificate
    assert wallet.identities["jean"].key_pem == pki.jean.key_pem


@pytest.mark.parametrize(
    ("certificate", "key", "secret", "code"),
    [
        ("jean.pem", "other.key", None, "identity.key-mismatch"),
        ("jean.pem", "locked.key", b"canary", "identity.passphrase-wrong"),
        ("jean.pem", "locked.key", None, "identity.passphrase-missing"),
        ("jean.pem", "broken.key", None, "identity.unreadable-key"),
        ("jean.pem", "absent.key", None, "file.missing"),
        ("jean.key", "jean.key", None, "identity.no-certificate"),
        ("jean.pem", None, None, "identity.no-key"),
        ("jean.p12", None, b"canary", "identity.passphrase-wrong"),
        ("jean.p12", None, None, "identity.passphrase-missing"),
        ("keyless.p12", None, None, "pkcs12.incomplete"),
        ("text.p12", None, None, "pkcs12.malformed"),
    ],
)
def test_what_is_wrong_with_a_client_is_said(
    files: Path, certificate: str, key: str | None, secret: bytes | None, code: str
) -> None:
    """One code each, at the file, and never the passphrase or a line of a key."""
    client = Client("jean", str(files / certificate), str(files / key) if key else None)
    wallet = open_all([client], lambda _: secret)
    (found,) = wallet.diagnostics
    assert found.code.code == code
    assert found.place is not None
    assert str(files) in found.place.file
    assert wallet.identities == {}
    assert wallet.clients[0].is_here is False
    said = f"{found.detail}{found.fix}{found.place}"
    assert "canary" not in said
    assert "MIG" not in said


def test_a_passphrase_is_asked_for_only_where_one_is_needed(files: Path) -> None:
    """A plain key and an open PKCS#12 file ask nobody."""
    asked: list[str] = []

    def passphrase(client: Client) -> bytes:
        asked.append(client.name)
        return SECRET

    pem = str(files / "jean.pem")
    clients = [
        Client("plain", pem, str(files / "jean.key")),
        Client("open", str(files / "open.p12")),
        Client("locked", pem, str(files / "locked.key")),
        Client("absent", pem, str(files / "locked.key"), is_here=False),
    ]
    assert open_all(clients, passphrase).diagnostics == ()
    assert asked == ["locked"]


def test_a_private_file_is_gone_afterwards_and_its_owners_alone(pki: Pki) -> None:
    """What TLS reads is the whole client; when the block ends nothing can be opened any more."""
    with private(pki.jean) as (path, _):
        content = Path(path).read_text("ascii")
        assert Path(path).stat().st_mode & 0o077 == 0 or path.startswith("/proc/self/fd/")
    assert content == pki.jean.certificate_pem + pki.jean.key_pem
    assert not Path(path).exists()


def verify(plan: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return said(plan.parent, "verify", str(plan), "--connect-to", "::127.0.0.1:1", **environment)


@pytest.mark.parametrize(
    ("line", "environment", "code"),
    [
        ("passphrase_env: JEANS", {"JEANS": "wrong-canary"}, "identity.passphrase-wrong"),
        ("passphrase_env: JEANS", {}, "passphrase.empty"),
        ("passphrase_file: absent.txt", {}, "file.missing"),
        ("expect: allowed", {}, "identity.passphrase-missing"),
    ],
)
def test_without_the_right_passphrase_nothing_is_sent_and_nothing_hangs(
    folder: Path, pki: Pki, line: str, environment: dict[str, str], code: str
) -> None:
    """Exit 1 with the code and the way out; no verdict is printed, and no passphrase."""
    (folder / "jean.key").write_bytes(encrypted(pki.jean))
    plan = folder / "plan.yaml"
    text = plan.read_text("utf-8").replace("key: jean.key}", f"key: jean.key, {line}}}")
    plan.write_text(text, "utf-8")
    ran = verify(plan, **environment)
    assert ran.returncode == 1
    assert f"[{code}]" in ran.stderr
    assert ran.stdout == ""
    assert "canary" not in ran.stderr


def test_a_passphrase_comes_from_a_file_beside_the_plan(folder: Path, pki: Pki) -> None:
    """The path is the plan's neighbour; then only the network is in the way."""
    (folder / "jean.key").write_bytes(encrypted(pki.jean))
    (folder / "secret.txt").write_bytes(SECRET + b"\n")
    plan = folder / "plan.yaml"
    text = plan.read_text("utf-8").replace("key: jean.key}", "key: jean.key, passphrase_file: secret.txt}")
    plan.write_text(text, "utf-8")
    ran = verify(plan)
    assert "could not connect" in ran.stdout, ran.stderr
    assert ran.returncode == 1


@pytest.mark.parametrize(
    ("answer", "then"), [(SECRET, b"could not connect"), (b"wrong-canary", b"[identity.passphrase-wrong]")]
)
def test_at_a_terminal_the_passphrase_is_asked_for_and_not_shown(
    folder: Path, pki: Pki, answer: bytes, then: bytes
) -> None:
    """The right answer leaves only the network in the way, a wrong one says so; neither is echoed."""
    (folder / "jean.key").write_bytes(encrypted(pki.jean))
    command = ["-m", "cf_mtls", "verify", str(folder / "plan.yaml"), "--connect-to", "::127.0.0.1:1"]
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("CLOUDFLARE_", "CF_MTLS_"))}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, *command], ours)  # noqa: S606
    shown = b""
    try:
        while b"Passphrase for" not in shown or not shown.endswith(b": "):
            shown += os.read(terminal, 1024)
        os.write(terminal, answer + b"\n")
        while chunk := os.read(terminal, 1024):
            shown += chunk
    except OSError:  # the terminal closes with the program
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert then in shown
    assert answer not in shown


def test_a_client_that_cannot_be_opened_is_not_here(files: Path) -> None:
    """So its probes are inconclusive, where others' are judged."""
    bad = Client("bad", str(files / "jean.pem"), str(files / "other.key"))
    good = replace(bad, name="good", key=str(files / "jean.key"))
    wallet = open_all([bad, good], lambda _: None)
    assert [(c.name, c.is_here) for c in wallet.clients] == [("bad", False), ("good", True)]
