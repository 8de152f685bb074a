"""Loading a client's certificate and key: each thing that goes wrong has its own words."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from cf_mtls.pki import identity
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import load_identity
from cf_mtls.pki.keys import pkcs8

if TYPE_CHECKING:
    from datetime import datetime

    from cf_mtls.diagnostics import Code


def only_code(certificate: str, key: str, passphrase: bytes | None = None) -> Code:
    """The one problem of these files."""
    loaded, problems = load_identity(certificate.encode(), key.encode(), passphrase)
    assert loaded is None
    (problem,) = problems
    assert "-----BEGIN" not in problem.detail.replace("No line reads -----BEGIN", "")
    return problem.code


def test_a_client_is_loaded_with_what_it_sends(family: Authority, now: datetime) -> None:
    """leaf, intermediate in one file: the leaf is the client, the rest is sent along; the key comes back."""
    ava = family.issue("ava", now=now)
    text = ava.certificate_pem + family.certificate.pem
    loaded, problems = load_identity(text.encode(), ava.key_pem.encode())
    assert problems == ()
    assert loaded is not None
    assert (loaded.certificate, loaded.sent) == (ava.certificate, (family.certificate,))
    assert loaded.key_pem == ava.key_pem
    assert loaded.certificate_pem == text


def test_certificate_and_key_may_share_a_file(family: Authority, now: datetime) -> None:
    """As curl takes them."""
    ava = family.issue("ava", now=now)
    both = (ava.key_pem + ava.certificate_pem).encode()
    loaded, problems = load_identity(both, both)
    assert problems == ()
    assert loaded is not None
    assert loaded.certificate == ava.certificate


def test_an_encrypted_key_needs_its_passphrase(family: Authority, now: datetime) -> None:
    """Missing, empty, wrong and right are told apart."""
    ava = family.issue("ava", now=now)
    locked = pkcs8(ava.key, b"s3same")
    assert only_code(ava.certificate_pem, locked) is identity.LOCKED
    assert only_code(ava.certificate_pem, locked, b"") is identity.LOCKED
    assert only_code(ava.certificate_pem, locked, b"wrong") is identity.WRONG
    loaded, _ = load_identity(ava.certificate_pem.encode(), locked.encode(), b"s3same")
    assert loaded is not None
    assert "ENCRYPTED" not in loaded.key_pem


def test_a_traditional_encrypted_key_is_understood(now: datetime, tmp_path) -> None:
    """What `openssl rsa -aes256 -traditional` writes has its own kind of header."""
    client = root("root", now=now).issue("ava", now=now, key_type="rsa2048")
    command = ["openssl", "rsa", "-aes256", "-traditional", "-passout", "pass:s3same"]
    old = subprocess.run(command, input=client.key_pem, capture_output=True, text=True, check=True).stdout
    assert "Proc-Type: 4,ENCRYPTED" in old
    assert only_code(client.certificate_pem, old) is identity.LOCKED
    assert only_code(client.certificate_pem, old, b"wrong") is identity.WRONG
    assert load_identity(client.certificate_pem.encode(), old.encode(), b"s3same")[0] is not None


def test_a_passphrase_that_is_not_needed_does_no_harm(family: Authority, now: datetime) -> None:
    """One environment variable may serve several keys, not all of them encrypted."""
    ava = family.issue("ava", now=now)
    assert load_identity(ava.certificate_pem.encode(), ava.key_pem.encode(), b"unused")[0] is not None


def test_somebody_elses_key_is_noticed(family: Authority, now: datetime) -> None:
    """Same issuer, same kind of key, another client."""
    ava, ben = family.issue("ava", now=now), family.issue("ben", now=now)
    assert only_code(ava.certificate_pem, ben.key_pem) is identity.MISMATCH


def test_the_leaf_comes_first(family: Authority, now: datetime) -> None:
    """intermediate, leaf in one file: a server would take the first one, so it is said which one fits."""
    ava = family.issue("ava", now=now)
    text = family.certificate.pem + ava.certificate_pem
    _, problems = load_identity(text.encode(), ava.key_pem.encode())
    assert [p.code for p in problems] == [identity.MISMATCH]
    assert "certificate 2" in problems[0].fix


def test_what_cannot_be_read_says_why(family: Authority, now: datetime) -> None:
    """No key, a damaged key, a key cut short, an unsupported kind, no certificate: five codes or words."""
    ava = family.issue("ava", now=now)
    body = ava.key_pem.splitlines()
    damaged = "\n".join([body[0], body[1][::-1], *body[2:]])
    assert only_code(ava.certificate_pem, ava.certificate_pem) is identity.NO_KEY
    assert only_code(ava.certificate_pem, damaged) is identity.UNREADABLE
    assert only_code(ava.certificate_pem, "\n".join(body[:2])) is identity.UNREADABLE
    assert only_code(ava.key_pem, ava.key_pem) is identity.NO_CERTIFICATE
    assert only_code("", ava.key_pem).code == "pem.empty"


def test_other_kinds_of_key_are_refused(family: Authority, now: datetime) -> None:
    """An X25519 key cannot sign a handshake."""
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "X25519"], capture_output=True, text=True, check=True
    )
    assert only_code(family.issue("ava", now=now).certificate_pem, made.stdout) is identity.UNSUPPORTED


def test_all_problems_come_at_once(family: Authority) -> None:
    """A bad certificate file and a bad key file are both reported."""
    loaded, problems = load_identity(b"x", b"y")
    assert loaded is None
    assert [p.code.code for p in problems] == ["pem.not-pem", "identity.no-key"]


def test_an_empty_passphrase_does_not_encrypt(family: Authority) -> None:
    """Asking for encryption with nothing must not write a plain key."""
    with pytest.raises(ValueError, match="empty"):
        pkcs8(family.key, b"")
