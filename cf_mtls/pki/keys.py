"""Private keys: the kinds that can be made, and how they are written down.

Rules of this file:
- A kind is a row of `KEY_TYPES`; `ACCEPTED` names those whose signatures Cloudflare takes from a CA.
- Keys are written as PKCS#8, encrypted whenever there is a passphrase.

Source: facts, cloudflare-api 1.4 (accepted signatures).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


def _rsa(bits: int) -> Callable[[], PrivateKey]:
    return lambda: rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _ec(curve: ec.EllipticCurve) -> Callable[[], PrivateKey]:
    return lambda: ec.generate_private_key(curve)


KEY_TYPES: Mapping[str, Callable[[], PrivateKey]] = {
    "ec256": _ec(ec.SECP256R1()),
    "ec384": _ec(ec.SECP384R1()),
    "ec521": _ec(ec.SECP521R1()),
    "rsa2048": _rsa(2048),
    "rsa3072": _rsa(3072),
    "rsa4096": _rsa(4096),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ec256k1": _ec(ec.SECP256K1()),
    "rsa1024": _rsa(1024),
}

ACCEPTED = ("ec256", "ec384", "ec521", "rsa2048", "rsa3072", "rsa4096")


RSA_PSS = "1.2.840.113549.1.1.10"
"""id-RSASSA-PSS (RFC 4055 3.1): a key that may sign in this one way, which the library reads as plain RSA."""

CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
"""Those that TLS 1.3 has a signature for (RFC 8446 4.2.3)."""

SHORTEST_RSA = 2048
"""Bits; OpenSSL at its usual security level 2 loads no shorter key (facts, edge-and-probes 2)."""


def unusable(public: object, algorithm: str) -> str:
    """Why a client cannot use such a key in TLS, '' when it can.

    public: a key of the `cryptography` library, of any kind. algorithm: its dotted number where it was read.
    """
    match public:
        case rsa.RSAPublicKey() if algorithm == RSA_PSS:
            return "an RSA-PSS key, which a plain RSA certificate does not fit"
        case rsa.RSAPublicKey() if public.key_size < SHORTEST_RSA:
            return f"an RSA key of {public.key_size} bits, which TLS libraries refuse to load"
        case ec.EllipticCurvePublicKey() if public.curve.name not in CURVES:
            return f"a key on the curve {public.curve.name}, for which TLS 1.3 has no signature"
        case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey() | ed25519.Ed25519PublicKey():
            return ""
        case _:
            return "a key of a kind that cannot be used here"


def generate(key_type: str) -> PrivateKey:
    """A new key of this type, from the system's randomness. ValueError for a type that is no row."""
    if key_type not in KEY_TYPES:
        raise ValueError(f"unknown key type {key_type}; there are {', '.join(KEY_TYPES)}")
    return KEY_TYPES[key_type]()


def pkcs8(key: PrivateKey, passphrase: bytes | None = None) -> str:
    """The key as a PKCS#8 PEM block, encrypted when there is a passphrase. ValueError when it is empty."""
    if passphrase is not None and not passphrase:
        raise ValueError("the passphrase is empty")
    how: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode("ascii")


def public_der(key: PublicKey) -> bytes:
    """The SubjectPublicKeyInfo, by which two keys are compared."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def default_hash(key: PrivateKey) -> hashes.HashAlgorithm | None:
    """The hash that this key signs with: as strong as the curve, SHA-256 for RSA, None for Ed25519."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    return hashes.SHA256()
