"""PKCS#12: one encrypted file with key, certificate and issuers, for browsers, phones and key stores.

Rules of this file:
- By default AES-256 and HMAC-SHA-256. `compat` is 3DES and HMAC-SHA-1 for importers that know nothing
  better (macOS Keychain, Windows up to Server 2016); it is weak, and the caller says so.
- What was written is opened again, and must give back what went in.

Source: facts, edge-and-probes 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.pki.blocks import holds_private_key
from cf_mtls.pki.identity import LOCKED, WRONG, load_identity, read_client_certificates
from cf_mtls.pki.keys import public_der
from cf_mtls.pki.opening import decoding, too_much

if TYPE_CHECKING:
    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.pki.identity import Identity

NOT_PKCS12 = Code("pkcs12.malformed", Severity.ERROR, Fault.FILE, "the file is not PKCS#12")
INCOMPLETE = Code("pkcs12.incomplete", Severity.ERROR, Fault.FILE, "the PKCS#12 file holds no client")


def export(identity: Identity, name: str, passphrase: bytes, *, compat: bool = False) -> bytes:
    """The PKCS#12 file. name: how importers list it. ValueError for an empty passphrase."""
    if not passphrase:
        raise ValueError("the passphrase is empty")
    return pkcs12.serialize_key_and_certificates(
        name.encode("utf-8"),
        identity.key,
        identity.certificate.x509,
        [c.x509 for c in identity.sent],
        _compat(passphrase) if compat else BestAvailableEncryption(passphrase),
    )


def _compat(passphrase: bytes) -> KeySerializationEncryption:
    return (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - what old importers know
        .build(passphrase)
    )


def holds(data: bytes, identity: Identity, passphrase: bytes) -> bool:
    """Whether the file opens with the passphrase and holds this key, certificate and issuers."""
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(data, passphrase)
    except ValueError:
        return False
    if key is None or certificate is None:
        return False
    same_key = public_der(key.public_key()) == public_der(identity.key.public_key())  # type: ignore[arg-type]
    ders = {c.public_bytes(Encoding.DER) for c in others}
    same = certificate.public_bytes(Encoding.DER) == identity.certificate.der
    return same_key and same and ders == {c.der for c in identity.sent}


def is_pkcs12(path: str) -> bool:
    """Whether a file's name says that it is PKCS#12; its content cannot be told from other DER without opening it."""
    return path.lower().endswith((".p12", ".pfx"))


def load(data: bytes, passphrase: bytes | None) -> tuple[Identity | None, tuple[Diagnostic, ...]]:
    """The client in a PKCS#12 file, None with the reason. passphrase: None and b"" open files that have none."""
    if problem := too_much(data):
        return None, (problem,)
    try:
        with decoding():
            key, certificate, others = pkcs12.load_key_and_certificates(data, passphrase or None)
    except ValueError:
        return None, (_not_opened(data, passphrase),)
    if key is None or certificate is None:
        return None, (
            INCOMPLETE.found("A key and its certificate belong into it.", "Export it again, with its key."),
        )
    pem = b"".join(c.public_bytes(Encoding.PEM) for c in (certificate, *others))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return load_identity(pem, plain)


def check_files(
    certificate: bytes, key: bytes | None, passphrase: bytes | None = None, *, is_packed: bool
) -> tuple[Diagnostic, ...]:
    """What is wrong with a client's files; () when key and certificate belong together.

    is_packed: whether the first is PKCS#12. key: None when none is named; a PEM file of the certificate alone is then
    no fault. passphrase: where it is at hand. With `identity.LOCKED` among them it is encrypted, and was not checked.
    """
    if is_packed:
        found = load(certificate, None)[1]
        is_locked = passphrase and LOCKED in {problem.code for problem in found}
        return load(certificate, passphrase)[1] if is_locked else found
    if key is None and not holds_private_key(certificate):
        return read_client_certificates(certificate)[1]
    return load_identity(certificate, certificate if key is None else key, passphrase)[1]


def _not_opened(data: bytes, passphrase: bytes | None) -> Diagnostic:
    if data[:1] != b"\x30":
        return NOT_PKCS12.found("It does not begin like one.", "Give the .p12 file as it was exported.")
    if passphrase:
        return WRONG.found("Either the passphrase is wrong or the PKCS#12 file is damaged.")
    return LOCKED.found("The PKCS#12 file is encrypted and no passphrase was given.")
