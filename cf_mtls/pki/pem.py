"""Certificates and chains as values, and how a PEM file becomes them.

Rules of this file:
- A `Certificate` has been decoded whole: whatever its properties ask for can be answered.
- A `Chain` is always in one order, without duplicates, whatever the file looked like; so its digest
  names its content.
- No input raises; problems come back as diagnostics without a place, which the caller knows better.

Not decided here: whether a chain is any good. `lint` grades it, `chain.judge` says what OpenSSL says.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.pki import kin
from cf_mtls.pki.blocks import CERTIFICATE_LABELS, Block, foreign, read_blocks, undecodable
from cf_mtls.pki.opening import decoding

if TYPE_CHECKING:
    from datetime import datetime

NO_CA = Code("chain.no-ca", Severity.ERROR, Fault.FILE, "there is no CA certificate in the file")

_LAZY = ("version", "subject", "issuer", "not_valid_before_utc", "not_valid_after_utc", "extensions")


@dataclass(frozen=True, slots=True, repr=False)
class Certificate:
    """An X.509 certificate; two are equal when their DER is."""

    der: bytes
    x509: x509.Certificate = field(compare=False)

    @classmethod
    def from_der(cls, der: bytes) -> Certificate:
        """The certificate in these bytes. ValueError when any part of it cannot be decoded."""
        with warnings.catch_warnings():
            # Old CAs break small rules (a negative serial number); OpenSSL takes them, so they are judged.
            warnings.simplefilter("ignore")
            try:
                return cls(der, _decode(der))
            except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                raise ValueError("not a certificate that can be decoded") from error

    @property
    def pem(self) -> str:
        """The certificate as one PEM block that ends with a line break."""
        return self.x509.public_bytes(Encoding.PEM).decode("ascii")

    @property
    def sha256(self) -> str:
        """The fingerprint, 64 lower-case hex digits."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def md5(self) -> str:
        """How Cloudflare names it, 32 lower-case hex digits: a name, not a seal.

        Source: facts, cloudflare-api 1.3.
        """
        return hashlib.md5(self.der, usedforsecurity=False).hexdigest()

    @property
    def subject(self) -> str:
        """The subject as RFC 4514 writes it, '' when empty. Untrusted text."""
        return self.x509.subject.rfc4514_string()

    @property
    def issuer(self) -> str:
        """The issuer as RFC 4514 writes it, '' when empty. Untrusted text."""
        return self.x509.issuer.rfc4514_string()

    @property
    def common_names(self) -> tuple[str, ...]:
        """The subject's common names in their order, usually one. Untrusted text."""
        return tuple(str(a.value) for a in self.x509.subject.get_attributes_for_oid(NameOID.COMMON_NAME))

    @property
    def serial_number(self) -> str:
        """The serial number in hex, with a minus where an old CA made it negative."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f"{self.x509.serial_number:x}"

    @property
    def not_before(self) -> datetime:
        """When it begins to be valid, UTC."""
        return self.x509.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """The last moment at which it is valid, UTC."""
        return self.x509.not_valid_after_utc

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are one name, as on a root. Not checked: the signature."""
        return kin.self_issued(self.x509)

    @property
    def is_ca(self) -> bool:
        """Whether it says that it may sign others: CA:TRUE, or version 1 and self-issued as old roots are.

        Source: RFC 5280 4.2.1.9; version 1 roots: OpenSSL's X509_check_ca.
        """
        try:
            return self.x509.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            return self.x509.version is x509.Version.v1 and self.is_self_issued

    def __repr__(self) -> str:
        """Who it is, short."""
        return f"Certificate({self.subject!r}, sha256 {self.sha256[:8]})"


@dataclass(frozen=True, slots=True, repr=False)
class Chain:
    """Certificates as Cloudflare wants them: issuing ones first, root last, none twice."""

    certificates: tuple[Certificate, ...]

    def __post_init__(self) -> None:
        """Put them in order. ValueError when there are none."""
        distinct = tuple(dict.fromkeys(self.certificates))
        if not distinct:
            raise ValueError("a chain has at least one certificate")
        order = kin.ordered([c.x509 for c in distinct])
        object.__setattr__(self, "certificates", tuple(distinct[i] for i in order))

    @property
    def pem(self) -> str:
        """The canonical file: the blocks in order, nothing between them, a line break at the end."""
        return "".join(c.pem for c in self.certificates)

    @property
    def sha256(self) -> str:
        """SHA-256 over the set of its certificates, 64 lower-case hex digits; of one certificate its fingerprint.

        Over the DERs, each once, sorted as bytes: the order of a file and its repeats do not matter.
        """
        return hashlib.sha256(b"".join(sorted(c.der for c in self.certificates))).hexdigest()

    @property
    def md5s(self) -> tuple[str, ...]:
        """Every name that Cloudflare may give it; which block it hashes is unknown."""
        return tuple(c.md5 for c in self.certificates)

    @property
    def expirations(self) -> tuple[datetime, ...]:
        """When each certificate ends, in order, UTC."""
        return tuple(c.not_after for c in self.certificates)

    @property
    def expires_on(self) -> datetime:
        """When the first of them ends, UTC."""
        return min(self.expirations)

    def __repr__(self) -> str:
        """Its members, short."""
        return f"Chain({list(self.certificates)!r})"


def read_chain(data: bytes) -> tuple[Chain | None, tuple[Diagnostic, ...]]:
    """The chain in a PEM file, None with the reasons when there is any error.

    Not checked: whether it is complete or acceptable (see `lint`); leaves beside CAs stay in the chain.
    """
    certificates, problems = read_certificates(data)
    if certificates and not any(c.is_ca for c in certificates):
        problems += (_no_ca(certificates),)
    return (None if problems else Chain(certificates)), problems


def read_certificates(data: bytes) -> tuple[tuple[Certificate, ...], tuple[Diagnostic, ...]]:
    """Every certificate of a PEM file in the file's order, duplicates included, and what is wrong with it.

    Where there is a private key no certificate comes back.
    """
    blocks, problems = read_blocks(data)
    read = [_certificate(block) for block in blocks]
    certificates = tuple(item for item in read if isinstance(item, Certificate))
    return certificates, problems + tuple(item for item in read if isinstance(item, Diagnostic))


def _certificate(block: Block) -> Certificate | Diagnostic:
    if block.label not in CERTIFICATE_LABELS:
        return foreign(block)
    try:
        return Certificate.from_der(block.der)
    except ValueError:
        return undecodable(block.number, block.line, "its bytes are not an X.509 certificate")


def _decode(der: bytes) -> x509.Certificate:
    """The certificate with every lazily decoded part decoded once, so that nothing raises later."""
    with decoding():
        certificate = x509.load_der_x509_certificate(der)
        for part in _LAZY:
            getattr(certificate, part)
    return certificate


def _no_ca(certificates: tuple[Certificate, ...]) -> Diagnostic:
    first = certificates[0]
    return NO_CA.found(
        f"It holds {len(certificates)} certificate(s), none with Basic Constraints CA:TRUE. "
        f"The first is {first.subject or '(no subject)'}, issued by {first.issuer or '(no name)'}.",
        "Access trusts the CA that signs the clients, not a client's own certificate.\n"
        "Put the issuer's certificate in the file, up to its root.",
    )
