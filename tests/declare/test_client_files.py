"""A client's files that are there and wrong are errors of the plan file; what is absent or encrypted is not checked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization import pkcs12 as raw_pkcs12

from cf_mtls.cli.main import run
from cf_mtls.declare.example import GEORGETOWN
from cf_mtls.input_file import LARGEST
from cf_mtls.pki import pkcs12
from cf_mtls.pki.identity import Identity
from tests.conftest import Pki

SECRET = b"correct horse"
Files = Mapping[str, bytes]


def pem(identity: Identity, form: PrivateFormat, *, secret: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(secret) if secret else NoEncryption()
    return identity.key.private_bytes(Encoding.PEM, form, how)


def packed(identity: Identity, *, with_key: bool = True, secret: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(secret) if secret else NoEncryption()
    return raw_pkcs12.serialize_key_and_certificates(
        b"jean", identity.key if with_key else None, identity.certificate.x509, None, how
    )


def files(pki: Pki) -> dict[str, bytes]:
    """Every kind of file that somebody could name."""
    jean, other = pki.jean, pki.stranger
    leaf, issuer, key = (
        jean.certificate.pem.encode(),
        pki.clients.certificate.pem.encode(),
        jean.key_pem.encode(),
    )
    public = jean.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return {
        "leaf.pem": leaf, "sent.pem": leaf + issuer, "upside-down.pem": issuer + leaf, "both.pem": leaf + key,
        "leaf.der": jean.certificate.der, "text.pem": b"hello\n", "empty": b"", "broken.pem": leaf[:-40],
        "own.key": key, "old.key": pem(jean, PrivateFormat.TraditionalOpenSSL),
        "locked.key": pem(jean, PrivateFormat.PKCS8, secret=SECRET),
        "old-locked.key": pem(jean, PrivateFormat.TraditionalOpenSSL, secret=SECRET),
        "other.key": other.key_pem.encode(), "broken.key": key[:-40],
        "damaged.key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "public.pem": public,
        "large.key": key + b"#" * LARGEST,
        "open.p12": packed(jean), "locked.p12": pkcs12.export(jean, "jean", SECRET),
        "keyless.p12": packed(jean, with_key=False), "text.p12": b"hello\n",
    }  # fmt: skip


FINE = [
    ("leaf.pem", "own.key"), ("leaf.pem", "old.key"), ("sent.pem", "own.key"), ("both.pem", None),
    ("both.pem", "own.key"),
    ("open.p12", None),
]  # fmt: skip
NOT_CHECKED = [
    ("leaf.pem", "locked.key", "client.not-checked"), ("leaf.pem", "old-locked.key", "client.not-checked"),
    ("locked.p12", None, "client.not-checked"), ("leaf.pem", "absent.key", "client.key-absent"),
    ("leaf.pem", None, "client.key-absent"), ("absent.pem", "own.key", "client.certificate-absent"),
    ("absent.p12", None, "client.certificate-absent"), ("absent.pem", "absent.key", "client.certificate-absent"),
]  # fmt: skip
WRONG = [
    ("leaf.pem", "other.key", "identity.key-mismatch", "key"),
    ("upside-down.pem", "own.key", "identity.key-mismatch", "key"),
    ("both.pem", "other.key", "identity.key-mismatch", "key"),
    ("leaf.pem", "leaf.pem", "identity.no-key", "key"),
    ("leaf.pem", "public.pem", "identity.no-key", "key"),
    ("leaf.pem", "text.pem", "identity.no-key", "key"),
    ("leaf.pem", "empty", "identity.no-key", "key"),
    ("leaf.pem", "open.p12", "identity.no-key", "key"),
    ("leaf.pem", "broken.key", "identity.unreadable-key", "key"),
    ("leaf.pem", "damaged.key", "identity.unreadable-key", "key"),
    ("leaf.pem", "large.key", "file.too-large", "certificate"),
    ("own.key", "own.key", "identity.no-certificate", "certificate"),
    ("leaf.der", "own.key", "pem.not-pem", "certificate"),
    ("text.pem", "own.key", "pem.not-pem", "certificate"),
    ("empty", "own.key", "pem.empty", "certificate"),
    ("broken.pem", "own.key", "pem.broken-block", "certificate"),
    ("text.p12", None, "pkcs12.malformed", "certificate"),
    ("keyless.p12", None, "pkcs12.incomplete", "certificate"),
    ("leaf.pem", "text.p12", "identity.no-key", "key"),
]


@pytest.fixture
def said(
    folder: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Exit code and messages of a verb for a plan whose client has these files."""
    monkeypatch.chdir(folder)
    for name, content in files(pki).items():
        (folder / "plans/certs" / name).write_bytes(content)

    def call(
        verb: str, certificate: str, key: str | None, secret: str | None = None, variable: str | None = None
    ) -> tuple[int, str]:
        declared = f"certificate: certs/{certificate}" + (f", key: certs/{key}" if key else "")
        declared += f", passphrase_file: certs/{secret}" if secret else ""
        declared += f", passphrase_env: {variable}" if variable else ""
        lines = [
            f"  jean: {{{declared}}}" if line.startswith("  jean:") else line
            for line in GEORGETOWN.splitlines()
        ]
        assert f"  jean: {{{declared}}}" in lines
        (folder / "plans/georgetown.yaml").write_text("\n".join(lines) + "\n")
        code = run([verb, "plans/georgetown.yaml"])
        return code, capsys.readouterr().err

    return call


@pytest.mark.parametrize(("certificate", "key"), FINE)
def test_what_belongs_together_is_no_matter(
    said: Callable[..., tuple[int, str]], certificate: str, key: str | None
) -> None:
    """PEM in two files or one, with an intermediate, old and new forms of keys, PKCS#12 without encryption."""
    code, err = said("validate", certificate, key)
    assert (code, "client." in err, "identity." in err) == (0, False, False), err


@pytest.mark.parametrize(("certificate", "key", "code"), NOT_CHECKED)
def test_what_is_absent_or_encrypted_is_a_warning(
    said: Callable[..., tuple[int, str]], certificate: str, key: str | None, code: str
) -> None:
    """Said, and nobody is kept from changing the account."""
    exit_code, err = said("validate", certificate, key)
    assert (exit_code, f"[{code}]" in err, "error:" in err) == (0, True, False), err


@pytest.mark.parametrize(("certificate", "key", "code", "at"), WRONG)
def test_what_is_there_and_wrong_is_an_error_with_its_place(
    said: Callable[..., tuple[int, str]], certificate: str, key: str | None, code: str, at: str
) -> None:
    """Of validate and of plan, before anything is asked; never a line of a key."""
    for verb in ("validate", "plan"):
        exit_code, err = said(verb, certificate, key)
        assert (exit_code, err.count(f"[{code}]")) == (1, 1), err
        assert f"clients.jean.{at}" in err
        assert "georgetown.yaml:" in err
        assert "MIG" not in err.replace("MIGht", "")


@pytest.mark.parametrize("kept", ["file", "variable"])
@pytest.mark.parametrize(
    ("certificate", "key", "secret", "code", "exit_code"),
    [
        ("leaf.pem", "locked.key", "right", "", 0),
        ("leaf.pem", "old-locked.key", "right", "", 0),
        ("locked.p12", None, "right", "", 0),
        ("leaf.pem", "locked.key", "wrong", "identity.passphrase-wrong", 1),
        ("locked.p12", None, "wrong", "identity.passphrase-wrong", 1),
        ("upside-down.pem", "locked.key", "right", "identity.key-mismatch", 1),
        ("leaf.pem", "locked.key", "absent", "client.not-checked", 0),
        ("locked.p12", None, "empty", "client.not-checked", 0),
    ],
)
def test_a_passphrase_that_is_at_hand_is_used(
    folder: Path, said: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, kept: str,
    certificate: str, key: str | None, secret: str, code: str, exit_code: int,
) -> None:  # fmt: skip
    """In a file or a variable; then what is encrypted is checked too; a wrong one is an error, never printed."""
    (folder / "plans/certs/right").write_bytes(SECRET + b"\n")
    (folder / "plans/certs/wrong").write_bytes(b"canary\n")
    monkeypatch.setenv("RIGHT_ONE", SECRET.decode())
    monkeypatch.setenv("WRONG_ONE", "canary")
    monkeypatch.setenv("EMPTY_ONE", "")
    if kept == "file":
        got, err = said("validate", certificate, key, secret)
    else:
        got, err = said("validate", certificate, key, None, f"{secret.upper()}_ONE")
    assert (got, f"[{code}]" in err if code else "client." not in err) == (exit_code, True), err
    assert "canary" not in err


@pytest.mark.parametrize(
    ("file", "variable", "exit_code"),
    [("open.p12", None, 1), ("locked.p12", "RIGHT_ONE", 1), ("locked.p12", "ABSENT_ONE", 0)],
)
def test_a_pkcs12_client_is_judged_like_any_other(
    folder: Path, said: Callable[..., tuple[int, str]], pki: Pki, monkeypatch: pytest.MonkeyPatch, file: str,
    variable: str | None, exit_code: int,
) -> None:  # fmt: skip
    """One that is demanded to get in, and that no declared CA issued, is an error as soon as it can be opened."""
    monkeypatch.setenv("RIGHT_ONE", SECRET.decode())
    made = {"open.p12": packed(pki.stranger), "locked.p12": pkcs12.export(pki.stranger, "x", SECRET)}
    (folder / "plans/certs" / file).write_bytes(made[file])
    got, err = said("validate", f"{file}, expect: allowed", None, None, variable)
    assert (got, "[plan.expect-impossible]" in err) == (exit_code, exit_code == 1), err


def test_real_openssl_agrees_about_what_belongs_together(folder: Path, pki: Pki) -> None:
    """Of every pair of a certificate and a plain key here, the public keys that openssl prints."""
    made = files(pki)
    for name, content in made.items():
        (folder / name).write_bytes(content)

    def public(*words: str) -> bytes:
        return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, check=False).stdout

    for certificate in ("leaf.pem", "sent.pem", "upside-down.pem", "both.pem"):
        shown = public("x509", "-in", certificate, "-noout", "-pubkey")
        for key in ("own.key", "old.key", "other.key"):
            same = shown == public("pkey", "-in", key, "-pubout")
            assert same is (not pkcs12.check_files(made[certificate], made[key], is_packed=False))


def test_nothing_of_a_key_is_kept(folder: Path, pki: Pki) -> None:
    """Neither the source that was read nor the stack that is made holds any of it."""
    from cf_mtls import workflow
    from cf_mtls.declare.files import load

    path = folder / "plans/georgetown.yaml"
    middle = pki.jean.key_pem.splitlines()[1]
    assert middle in (folder / "plans/certs/clientcert.key").read_text()
    source = load(path)
    kept = {name: getattr(source, name) for name in ("chains", "clients", "keys", "faults")}
    assert middle not in repr(kept)
    assert middle not in repr(workflow.validate(path, datetime.now(UTC)))
