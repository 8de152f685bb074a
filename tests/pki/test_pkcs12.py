"""PKCS#12 files opened by others: openssl and NSS, with key, certificate and issuers inside."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity
from cf_mtls.pki.pkcs12 import export, holds

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PASSPHRASE = "s3same öffne dich"

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="the openssl binary is not installed")
needs_nss = pytest.mark.skipif(
    not (shutil.which("pk12util") and shutil.which("certutil")),
    reason="NSS's pk12util and certutil are not installed",
)
both_ways = pytest.mark.parametrize("compat", [False, True], ids=["aes", "compat"])
kinds = pytest.mark.parametrize("key_type", ["ec256", "rsa2048"])


def client(family: Authority, now: datetime, key_type: str = "ec256") -> Identity:
    """Root -> intermediate -> leaf, the intermediate sent along."""
    made = family.issue("ava", now=now, key_type=key_type)
    return Identity(made.certificate, made.key, (family.certificate,))


def run(*command: str, **rest: object) -> subprocess.CompletedProcess[str]:
    """The command's answer; its failure is the test's."""
    return subprocess.run(command, capture_output=True, text=True, check=True, **rest)  # type: ignore[call-overload]


@needs_openssl
@both_ways
@kinds
def test_openssl_opens_it(
    family: Authority, now: datetime, tmp_path: Path, compat: bool, key_type: str
) -> None:
    """No -legacy needed; leaf, intermediate and key come out as they went in."""
    ava = client(family, now, key_type)
    (tmp_path / "ava.p12").write_bytes(export(ava, "ava", PASSPHRASE.encode(), compat=compat))
    (tmp_path / "pass").write_text(PASSPHRASE + "\n", "utf-8")
    command = [
        "openssl",
        "pkcs12",
        "-in",
        str(tmp_path / "ava.p12"),
        "-passin",
        f"file:{tmp_path / 'pass'}",
        "-nodes",
    ]
    out = run(*command).stdout
    found = {c.public_bytes(Encoding.DER) for c in x509.load_pem_x509_certificates(out.encode())}
    assert found == {ava.certificate.der, family.certificate.der}
    key = out[out.index("-----BEGIN PRIVATE KEY") : out.index("-----END PRIVATE KEY")]
    assert "".join(ava.key_pem.splitlines()[1:-1]) in key.replace("\n", "")


@needs_openssl
@both_ways
def test_the_encryption_is_what_was_asked_for(
    family: Authority, now: datetime, tmp_path: Path, compat: bool
) -> None:
    """By default AES-256 and SHA-256 throughout; compat is 3DES and SHA-1, and nothing in between."""
    (tmp_path / "ava.p12").write_bytes(export(client(family, now), "ava", b"s3same", compat=compat))
    command = (
        "openssl",
        "pkcs12",
        "-in",
        str(tmp_path / "ava.p12"),
        "-info",
        "-noout",
        "-passin",
        "pass:s3same",
    )
    told = run(*command).stderr
    assert ("MAC: sha1" in told) == compat
    assert ("MAC: sha256" in told) == (not compat)
    assert ("pbeWithSHA1And3-KeyTripleDES-CBC" in told) == compat
    assert ("AES-256-CBC" in told) == (not compat)


@needs_nss
@both_ways
@kinds
def test_nss_imports_it(
    family: Authority, now: datetime, tmp_path: Path, compat: bool, key_type: str
) -> None:
    """As Firefox and Chromium on Linux do: the certificate is listed with its key (u,u,u)."""
    (tmp_path / "ava.p12").write_bytes(export(client(family, now, key_type), "ava", b"s3same", compat=compat))
    database = f"sql:{tmp_path}"
    run("certutil", "-d", database, "-N", "--empty-password")
    run("pk12util", "-i", str(tmp_path / "ava.p12"), "-d", database, "-K", "", "-W", "s3same")
    listed = run("certutil", "-d", database, "-L").stdout
    assert any(line.split()[0] == "ava" and "u,u,u" in line for line in listed.splitlines() if line.strip())


def test_what_was_written_is_proven(family: Authority, now: datetime) -> None:
    """The right file passes; another passphrase, another client, a lost issuer, a cut file do not."""
    ava, ben = client(family, now), client(family, now)
    data = export(ava, "ava", b"s3same")
    assert holds(data, ava, b"s3same")
    assert not holds(data, ava, b"wrong")
    assert not holds(data, ben, b"s3same")
    assert not holds(data, Identity(ava.certificate, ava.key), b"s3same")
    assert not holds(data[:-20], ava, b"s3same")
    assert not holds(b"", ava, b"s3same")


def test_an_empty_passphrase_is_refused(now: datetime) -> None:
    """It would encrypt with nothing."""
    with pytest.raises(ValueError, match="empty"):
        export(root("root", now=now).issue("ava", now=now), "ava", b"")
