"""What a certificate is made of and what it is for, in the words that people and RFC 5280 use.

Rules of this file:
- Every question has an answer for every certificate that could be decoded; what cannot be told is ''.
- Text that comes out of a certificate is untrusted.

Source: RFC 5280 4.2.1; names of signatures: RFC 8017, RFC 5758, RFC 8410.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from cf_mtls.pki.keys import RSA_PSS
from cf_mtls.pki.usages import KEY_USAGES, PURPOSES

if TYPE_CHECKING:
    from datetime import datetime

    from cf_mtls.pki.pem import Certificate

SIGNATURES = {
    "1.2.840.113549.1.1.4": "MD5-RSA",
    "1.2.840.113549.1.1.5": "SHA1-RSA",
    "1.2.840.113549.1.1.10": "RSA-PSS",
    "1.2.840.113549.1.1.11": "SHA256-RSA",
    "1.2.840.113549.1.1.12": "SHA384-RSA",
    "1.2.840.113549.1.1.13": "SHA512-RSA",
    "1.2.840.10045.4.1": "ECDSA-SHA1",
    "1.2.840.10045.4.3.2": "ECDSA-SHA256",
    "1.2.840.10045.4.3.3": "ECDSA-SHA384",
    "1.2.840.10045.4.3.4": "ECDSA-SHA512",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
}

_PURPOSE_NAMES = {oid.dotted_string: name for name, oid in PURPOSES.items()}


def signature(certificate: Certificate) -> str:
    """What it is signed with, such as SHA256-RSA; the dotted number of what has no name here."""
    oid = certificate.x509.signature_algorithm_oid.dotted_string
    return SIGNATURES.get(oid, oid)


def rsa_bits(certificate: Certificate) -> int | None:
    """The size of an RSA key in bits, None for other keys."""
    key = _public(certificate)
    return key.key_size if isinstance(key, rsa.RSAPublicKey) else None


def key(certificate: Certificate) -> str:
    """The kind of key: RSA 2048, ECDSA secp256r1, Ed25519; '' when it cannot be told."""
    found = _public(certificate)
    if isinstance(found, rsa.RSAPublicKey):
        kind = "RSA-PSS" if certificate.x509.public_key_algorithm_oid.dotted_string == RSA_PSS else "RSA"
        return f"{kind} {found.key_size}"
    if isinstance(found, ec.EllipticCurvePublicKey):
        return f"ECDSA {found.curve.name}"
    if isinstance(found, ed25519.Ed25519PublicKey):
        return "Ed25519"
    return "Ed448" if isinstance(found, ed448.Ed448PublicKey) else ""


@lru_cache(maxsize=1024)
def _public(certificate: Certificate) -> object:
    try:
        return certificate.x509.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def same_key(one: Certificate, other: Certificate) -> bool:
    """Whether two certificates are for one key, as a renewal is."""
    found, wanted = _public(one), _public(other)
    return found is not None and found == wanted


def usages(certificate: Certificate) -> tuple[str, ...] | None:
    """What the key may do, None when the certificate does not say."""
    try:
        found = certificate.x509.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
    # encipherOnly and decipherOnly may be asked only beside keyAgreement.
    dependent = () if found.key_agreement else ("encipher_only", "decipher_only")
    return tuple(name for name, word in KEY_USAGES.items() if word not in dependent and getattr(found, word))


def purposes(certificate: Certificate) -> tuple[str, ...] | None:
    """What the certificate is for (clientAuth, a dotted number…), None when it does not say."""
    try:
        found = certificate.x509.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return tuple(_PURPOSE_NAMES.get(oid.dotted_string, oid.dotted_string) for oid in found)


def path_length(certificate: Certificate) -> int | None:
    """How many further CAs may stand below it, None for no limit."""
    try:
        return certificate.x509.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    except x509.ExtensionNotFound:
        return None


def alternative_names(certificate: Certificate) -> tuple[str, ...]:
    """Subject alternative names as kind:value. Untrusted text."""
    try:
        found = certificate.x509.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    kinds = {x509.DNSName: "DNS", x509.RFC822Name: "email", x509.UniformResourceIdentifier: "URI"}
    return tuple(f"{kinds.get(type(name), type(name).__name__)}:{name.value}" for name in found)


def days_left(certificate: Certificate, at: datetime) -> int:
    """Whole days from `at` (aware) until it ends; negative once it has."""
    return (certificate.not_after - at).days


def short(certificate: Certificate) -> str:
    """Its subject and the first eight digits of its SHA-256, for a sentence."""
    return f"{certificate.subject or '(no subject)'} (SHA-256 {certificate.sha256[:8]})"
