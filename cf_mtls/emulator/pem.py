"""What the API sees in an uploaded PEM text: its certificates, and nothing that proves anybody.

Rules of this file:
- Never builds or judges a chain; that is `verdict`'s, at the edge, at HTTP time.
- A text that cannot be read raises `Unreadable` with words fit for an API error; no byte of it is repeated.

Source: facts: cloudflare-api 1.3, 1.4.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

_BLOCK = re.compile(
    r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END (?:TRUSTED |X509 )?CERTIFICATE-----",
    re.DOTALL,
)
_HASHES = {"sha1", "sha256", "sha384", "sha512"}


class Unreadable(ValueError):
    """The text is not what an upload may hold; the message says why."""


@dataclass(frozen=True, slots=True)
class Block:
    """One certificate of the text. Times are seconds since 1970."""

    der: bytes
    fingerprint: str
    not_after: float
    is_ca: bool
    usable_algorithm: bool


def blocks_of(text: str) -> list[Block]:
    """The certificates in the order of the text. Errors: `Unreadable`."""
    if "PRIVATE KEY" in text:
        raise Unreadable("certificate must not contain a private key")
    bodies = _BLOCK.findall(text)
    if not bodies:
        raise Unreadable("certificate is not PEM")
    return [_block(body) for body in bodies]


def _block(body: str) -> Block:
    plain = "".join(body.split())
    try:
        certificate = load(f"-----BEGIN CERTIFICATE-----\n{plain}\n-----END CERTIFICATE-----\n".encode())
        der = certificate.public_bytes(Encoding.DER)
        return Block(
            der, md5_name(der), certificate.not_valid_after_utc.timestamp(), _is_ca(certificate),
            _usable(certificate),
        )  # fmt: skip
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType) as error:
        raise Unreadable("certificate could not be parsed") from error


def load(pem_or_der: bytes) -> x509.Certificate:
    """A certificate; oddities that cryptography only warns about are let through. Errors: ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        if pem_or_der.startswith(b"-----"):
            return x509.load_pem_x509_certificate(pem_or_der)
        return x509.load_der_x509_certificate(pem_or_der)


def pem_of(der: bytes) -> bytes:
    """A certificate as PEM. Errors: ValueError."""
    return load(der).public_bytes(Encoding.PEM)


def der_of(pem: str) -> bytes:
    """The first certificate of a PEM text as DER. Errors: ValueError."""
    return load(pem.encode()).public_bytes(Encoding.DER)


def md5_name(der: bytes) -> str:
    """`MD5 Fingerprint=2C:1E:…`, as the API names a certificate (facts: cloudflare-api 1.3)."""
    digest = hashlib.md5(der, usedforsecurity=False).hexdigest().upper()
    return "MD5 Fingerprint=" + ":".join(digest[i : i + 2] for i in range(0, 32, 2))


def common_names(der: bytes) -> tuple[str, ...]:
    """Every common name in the subject, in order."""
    try:
        found = load(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError:
        return ()
    return tuple(v if isinstance(v := a.value, str) else v.decode("latin-1") for a in found)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _usable(certificate: x509.Certificate) -> bool:
    """Whether the signature is on Access's list: RSA PKCS #1 or ECDSA with SHA-1, 256, 384 or 512."""
    hashed = certificate.signature_hash_algorithm
    if hashed is None or hashed.name not in _HASHES:
        return False
    scheme = certificate.signature_algorithm_parameters
    key = certificate.public_key()
    return isinstance(scheme, (padding.PKCS1v15, ec.ECDSA)) and isinstance(
        key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)
    )
