"""A certificate together with its private key: what a client shows and proves.

Rules of this file:
- The key never appears in a representation, a diagnostic or an exception.
- An encrypted key is decrypted only with the passphrase handed in; nothing here ever asks for one.
- Loading proves that the key belongs to the certificate.

Not checked: whether anyone would accept the certificate (see `chain.judge` and `lint`).
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.pki.blocks import holds_private_key
from cf_mtls.pki.keys import RSA_PSS, PrivateKey, PublicKey, pkcs8, public_der
from cf_mtls.pki.opening import decoding, too_much
from cf_mtls.pki.pem import Certificate, read_certificates
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NO_CERTIFICATE = Code("identity.no-certificate", Severity.ERROR, Fault.FILE, "there is no client certificate")
NO_KEY = Code("identity.no-key", Severity.ERROR, Fault.FILE, "there is no private key in the file")
UNREADABLE = Code("identity.unreadable-key", Severity.ERROR, Fault.FILE, "the private key cannot be read")
UNSUPPORTED = Code("identity.unsupported-key", Severity.ERROR, Fault.FILE, "the kind of key is not supported")
MISMATCH = Code(
    "identity.key-mismatch", Severity.ERROR, Fault.FILE, "the key does not belong to the certificate"
)
LOCKED = Code("identity.passphrase-missing", Severity.ERROR, Fault.INVOCATION, "the key needs a passphrase")
WRONG = Code(
    "identity.passphrase-wrong", Severity.ERROR, Fault.INVOCATION, "the passphrase does not open the key"
)

_ENCRYPTED = re.compile(rb"BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)
_KEY_MARKER = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]*PRIVATE KEY)-----")


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate, its key, and the issuers that a client sends along (issuing one first)."""

    certificate: Certificate
    key: PrivateKey = field(repr=False, compare=False)
    sent: tuple[Certificate, ...] = ()

    @property
    def certificate_pem(self) -> str:
        """The certificate and what is sent along, PEM, leaf first."""
        return "".join(c.pem for c in (self.certificate, *self.sent))

    @property
    def key_pem(self) -> str:
        """The key as unencrypted PKCS#8 PEM: for a file that only its owner can read."""
        return pkcs8(self.key)


def load_identity(
    certificate_pem: bytes, key_pem: bytes, passphrase: bytes | None = None
) -> tuple[Identity | None, tuple[Diagnostic, ...]]:
    """The client that these files describe, None with the reasons when there is any error.

    certificate_pem: the leaf first, then what the client sends along; the key may stand in it too.
    key_pem: PKCS#8 or the traditional forms. passphrase: ignored when the key is not encrypted.
    """
    certificates, problems = read_client_certificates(certificate_pem)
    loaded = load_key(key_pem, passphrase)
    if isinstance(loaded, Diagnostic):
        return None, (*problems, loaded)
    if problems:
        return None, problems
    wrong = _unsupported(certificates[0]) or _mismatch(certificates, loaded)
    return (None, (wrong,)) if wrong else (Identity(certificates[0], loaded, certificates[1:]), ())


def read_client_certificates(data: bytes) -> tuple[tuple[Certificate, ...], tuple[Diagnostic, ...]]:
    """The certificates of a client's file, the client's first: a key may stand beside them, as curl takes it."""
    rest = _without(data, _key_blocks(data))
    if rest != data and b"-----BEGIN" not in rest:
        return (), (
            NO_CERTIFICATE.found(
                "The certificate file holds a key and no certificate.",
                "Give the file with the client's certificate; the key has its own setting.",
            ),
        )
    return read_certificates(rest)


def _key_blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Where private keys stand, each from its BEGIN to the first END with the same label."""
    markers = list(_KEY_MARKER.finditer(data))
    ends: dict[bytes, list[re.Match[bytes]]] = {}
    for marker in reversed(markers):
        if marker[1] == b"END":
            ends.setdefault(marker[2], []).append(marker)
    at = 0
    for marker in markers:
        if marker[1] == b"END" or marker.start() < at:
            continue
        behind = ends.get(marker[2], [])
        while behind and behind[-1].start() < marker.end():
            behind.pop()
        if behind:
            at = behind[-1].end()
            yield marker.start(), at


def _without(data: bytes, pieces: Iterable[tuple[int, int]]) -> bytes:
    rest, at = [], 0
    for start, end in pieces:
        rest.append(data[at:start])
        at = end
    return b"".join([*rest, data[at:]])


def load_key(data: bytes, passphrase: bytes | None = None) -> PrivateKey | Diagnostic:
    """The private key of a PEM file, or the one reason why there is none."""
    found = next((data[start:end] for start, end in _key_blocks(data)), None)
    if found is None:
        return _no_key(data)
    encrypted = is_encrypted(found)
    if encrypted and not passphrase:
        return LOCKED.found(
            "The private key is encrypted and no passphrase was given.",
            "Name an environment variable or a file that holds it.",
        )
    if encrypted and (problem := too_much(found)):
        return problem
    try:
        with decoding():
            key = load_pem_private_key(found, passphrase if encrypted else None)
    except UnsupportedAlgorithm:
        return UNSUPPORTED.found(
            "This key or its encryption is of a kind that cannot be used here.",
            "Make a new key, or convert this one.",
        )
    except (ValueError, TypeError):
        return _refused(encrypted=encrypted)
    if not isinstance(key, PrivateKey):
        return UNSUPPORTED.found(
            "A client's key is RSA, ECDSA or Ed25519.", "Make a new key and certificate."
        )
    return key


def is_encrypted(data: bytes) -> bool:
    """Whether the private key in a PEM file needs a passphrase."""
    return bool(_ENCRYPTED.search(data))


def _refused(*, encrypted: bool) -> Diagnostic:
    if encrypted:
        return WRONG.found(
            "Either the passphrase is wrong or the encrypted key is damaged.", "Try again with the right one."
        )
    return UNREADABLE.found(
        "Its PEM block is damaged.", "Copy the key again, whole, BEGIN and END lines included."
    )


def _no_key(data: bytes) -> Diagnostic:
    if holds_private_key(data):
        return UNREADABLE.found("Its PEM block has no matching end.", "Copy the key again, whole.")
    return NO_KEY.found(
        "No line reads -----BEGIN PRIVATE KEY-----.", "Give the file that holds the client's private key."
    )


def _unsupported(certificate: Certificate) -> Diagnostic | None:
    """What is said of an RSA-PSS certificate, whose key would be handed on as a plain RSA one."""
    if certificate.x509.public_key_algorithm_oid.dotted_string != RSA_PSS:
        return None
    detail = (
        f"{certificate.subject or '(no subject)'} has an RSA-PSS key; RSA, ECDSA and Ed25519 are supported."
    )
    return UNSUPPORTED.found(detail, "Make a new key and certificate.")


def _mismatch(certificates: tuple[Certificate, ...], key: PrivateKey) -> Diagnostic | None:
    wanted = public_der(key.public_key())
    matching = [i for i, c in enumerate(certificates) if _public(c) == wanted]
    if matching[:1] == [0]:
        return None
    detail = (
        f"The key is not that of {certificates[0].subject or '(no subject)'}, the file's first certificate."
    )
    if matching:
        return MISMATCH.found(detail, f"It is that of certificate {matching[0] + 1}: put that one first.")
    return MISMATCH.found(detail, "Give the key that the certificate was issued for.")


def _public(certificate: Certificate) -> bytes | None:
    try:
        return public_der(cast("PublicKey", certificate.x509.public_key()))
    except (ValueError, UnsupportedAlgorithm):
        return None
