"""Who may have issued whom, by names and key identifiers, and the one order that follows from it.

Rules of this file:
- Names are compared as OpenSSL compares them: string type, letter case and runs of spaces do not matter.
- The order depends on the certificates alone, never on the order in which they came.

Not proven here: signatures. Whether a chain holds is for `chain.judge` to say.
Source: RFC 5280 7.1 and 4.2.1.1; issuing certificate first, root last: facts, cloudflare-api 1.4.
"""

from __future__ import annotations

import hashlib
import string
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

NameKey = tuple[frozenset[tuple[str, str | bytes]], ...]

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def name_key(name: x509.Name) -> NameKey:
    """What two names share when OpenSSL takes them for the same."""
    return tuple(frozenset((a.oid.dotted_string, _fold(a.value)) for a in rdn) for rdn in name.rdns)


def _fold(value: str | bytes) -> str | bytes:
    return value if isinstance(value, bytes) else " ".join(value.split()).translate(_LOWER)


@lru_cache(maxsize=2048)
def names(certificate: x509.Certificate) -> tuple[NameKey, NameKey]:
    """The keys of subject and issuer; remembered, because everybody is compared with everybody."""
    return name_key(certificate.subject), name_key(certificate.issuer)


def same_name(one: x509.Name, other: x509.Name) -> bool:
    """Whether OpenSSL takes two names for the same."""
    return name_key(one) == name_key(other)


def self_issued(certificate: x509.Certificate) -> bool:
    """Whether subject and issuer are the same name; a renewed CA signed by its old key is so too."""
    subject, issuer = names(certificate)
    return subject == issuer


def may_have_issued(parent: x509.Certificate, child: x509.Certificate) -> bool:
    """Whether the child's issuer name and, where both give one, its key identifier point at the parent."""
    if names(parent)[0] != names(child)[1]:
        return False
    wanted, offered = authority_key_id(child), subject_key_id(parent)
    return wanted is None or offered is None or wanted == offered


@lru_cache(maxsize=2048)
def subject_key_id(certificate: x509.Certificate) -> bytes | None:
    """The subject key identifier, None when there is none."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return None


@lru_cache(maxsize=2048)
def authority_key_id(certificate: x509.Certificate) -> bytes | None:
    """The key identifier of the issuer, None when there is none."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    return extension.value.key_identifier


def parents(certificates: Sequence[x509.Certificate]) -> tuple[tuple[int, ...], ...]:
    """For each certificate, the indexes of the others that may have issued it."""
    named: dict[NameKey, list[int]] = {}
    for index, certificate in enumerate(certificates):
        named.setdefault(names(certificate)[0], []).append(index)
    return tuple(
        tuple(
            p
            for p in named.get(names(certificate)[1], ())
            if p != c and may_have_issued(certificates[p], certificate)
        )
        for c, certificate in enumerate(certificates)
    )


def heights(certificates: Sequence[x509.Certificate]) -> tuple[int, ...]:
    """How many issuers stand above each certificate within the group; 0 for roots and for orphans.

    Where CAs have signed each other in a circle, it begins with the one whose digest is the smallest.
    """
    above = tuple(
        () if self_issued(c) else found for c, found in zip(certificates, parents(certificates), strict=True)
    )
    below: dict[int, list[int]] = {}
    for child, issuers in enumerate(above):
        for issuer in issuers:
            below.setdefault(issuer, []).append(child)
    waits, known = [len(issuers) for issuers in above], dict[int, int]()
    ready = [index for index, count in enumerate(waits) if count == 0]
    for start in sorted(range(len(certificates)), key=lambda i: _digest(certificates[i])):
        while ready or start not in known:
            index = ready.pop() if ready else start
            known[index] = max((known[p] + 1 for p in above[index] if p in known), default=0)
            for child in below.get(index, ()):
                waits[child] -= 1
                if waits[child] == 0 and child not in known:
                    ready.append(child)
    return tuple(known[index] for index in range(len(certificates)))


def ordered(certificates: Sequence[x509.Certificate]) -> tuple[int, ...]:
    """The indexes of the certificates, issuing ones first and roots last; equals by subject, then digest."""
    height = heights(certificates)
    return tuple(
        sorted(
            range(len(certificates)),
            key=lambda i: (-height[i], certificates[i].subject.rfc4514_string(), _digest(certificates[i])),
        )
    )


def _digest(certificate: x509.Certificate) -> bytes:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
