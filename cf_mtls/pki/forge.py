"""Certificates that no modern library makes, so that the old ones can be recognised: version 1, SHA-1, MD5.

Rules of this file:
- Takes a certificate that is well made, changes the named fields, and signs again.
- Only as much DER as that needs: definite lengths, single-byte tags.

Source: X.690 8.1; RFC 5280 4.1; that Cloudflare's own openssl recipe makes version 1: facts,
edge-and-probes 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.pki.keys import PrivateKey

SEQUENCE, BIT_STRING, VERSION, EXTENSIONS = 0x30, 0x03, 0xA0, 0xA3

OLD_HASHES: dict[str, hashes.HashAlgorithm] = {"sha1": hashes.SHA1(), "md5": hashes.MD5()}  # noqa: S303

_OLD_ALGORITHMS = {  # AlgorithmIdentifier, whole
    ("sha1", "rsa"): bytes.fromhex("300d06092a864886f70d0101050500"),
    ("md5", "rsa"): bytes.fromhex("300d06092a864886f70d0101040500"),
    ("sha1", "ec"): bytes.fromhex("300906072a8648ce3d0401"),
}


def reforge(
    der: bytes, signer: PrivateKey, hash_: hashes.HashAlgorithm, old_hash: str | None, *, version_1: bool
) -> bytes:
    """The certificate again, as version 1 (no extensions) and/or with an old hash, signed by `signer`.

    hash_: what the certificate is signed with now. old_hash: "sha1", "md5" (RSA only), None to keep it.
    ValueError for a combination that has no name.
    """
    fields = list(_children(next(_children(der))[1]))
    kept = [(tag, whole) for tag, whole in fields if not version_1 or tag not in {VERSION, EXTENSIONS}]
    position = 1 if version_1 else 2  # [version,] serial, signature algorithm
    algorithm = _old_algorithm(old_hash, signer) if old_hash else kept[position][1]
    kept[position] = (SEQUENCE, algorithm)
    body = _wrap(SEQUENCE, b"".join(whole for _, whole in kept))
    signature = _sign(signer, body, OLD_HASHES[old_hash] if old_hash else hash_)
    return _wrap(SEQUENCE, body + algorithm + _wrap(BIT_STRING, b"\x00" + signature))


def _old_algorithm(old_hash: str, signer: PrivateKey) -> bytes:
    kind = "rsa" if isinstance(signer, rsa.RSAPrivateKey) else "ec"
    if (old_hash, kind) not in _OLD_ALGORITHMS:
        raise ValueError(f"there is no {kind} signature with {old_hash}")
    return _OLD_ALGORITHMS[old_hash, kind]


def _sign(signer: PrivateKey, body: bytes, hash_: hashes.HashAlgorithm) -> bytes:
    if isinstance(signer, rsa.RSAPrivateKey):
        return signer.sign(body, padding.PKCS1v15(), hash_)
    if isinstance(signer, ec.EllipticCurvePrivateKey):
        return signer.sign(body, ec.ECDSA(hash_))
    raise ValueError("only RSA and ECDSA keys sign old certificates")


def _children(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and the whole encoding of each element inside the one that `der` is."""
    start, end = _span(der, 0)
    while start < end:
        _, after = _span(der, start)
        yield der[start], der[start:after]
        start = after


def _span(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins and ends."""
    length, start = der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    return start, start + length


def _wrap(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content
