"""What a certificate says, as a value with every field open to change, and its signing.

Rules of this file:
- Defaults are what a good client certificate has; a wrong certificate is a good one with named changes.
- `Overrides` and `Template` have the same fields (a test holds them together).
- Usages, names and constraints are given as RFC 5280 and openssl spell them.

Source: RFC 5280 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from cf_mtls.pki.forge import OLD_HASHES, reforge
from cf_mtls.pki.keys import PrivateKey, PublicKey, default_hash
from cf_mtls.pki.pem import Certificate
from cf_mtls.pki.usages import KEY_USAGES, PURPOSES

if TYPE_CHECKING:
    from collections.abc import Callable

Extra = tuple[str, bool, bytes]
"""An extension by its dotted number, whether it is critical, and its DER."""

BACKDATED = timedelta(minutes=5)
"""How long before `now` a certificate starts, for clocks that are a little slow."""

HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


_NAME_KINDS: dict[str, Callable[[str], x509.GeneralName]] = {
    "DNS": x509.DNSName,
    "email": x509.RFC822Name,
    "URI": x509.UniformResourceIdentifier,
    "dirName": lambda text: x509.DirectoryName(x509.Name.from_rfc4514_string(text)),
}


class Overrides(TypedDict, total=False):
    """What may be changed by name; see `Template`, whose fields these are."""

    subject: str | x509.Name
    not_before: datetime
    not_after: datetime
    version: int
    serial: int | None
    ca: bool | None
    path_length: int | None
    basic_constraints_critical: bool
    key_usages: tuple[str, ...]
    extended_key_usages: tuple[str, ...]
    dns_names: tuple[str, ...]
    emails: tuple[str, ...]
    uris: tuple[str, ...]
    permitted: tuple[str, ...]
    excluded: tuple[str, ...]
    subject_key_identifier: bool
    authority_key_identifier: bool
    extra: tuple[Extra, ...]
    signature: str | None
    issuer: x509.Name | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The content of a certificate to be.

    Moments are aware; whole seconds are kept. An empty tuple leaves that extension out.
    """

    subject: str | x509.Name
    """As RFC 4514 writes it, such as CN=ava,O=fleet; '' for none."""
    not_before: datetime
    not_after: datetime
    version: int = 3
    """3, or 1 for a certificate without any extension."""
    serial: int | None = None
    """None draws 159 random bits."""
    ca: bool | None = False
    """None leaves Basic Constraints out."""
    path_length: int | None = None
    basic_constraints_critical: bool = True
    key_usages: tuple[str, ...] = ("digitalSignature",)
    extended_key_usages: tuple[str, ...] = ("clientAuth",)
    """Names of `PURPOSES` or dotted numbers."""
    dns_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    """Name constraints, such as DNS:example.com, email:.example.com, dirName:O=fleet."""
    excluded: tuple[str, ...] = ()
    subject_key_identifier: bool = True
    authority_key_identifier: bool = True
    extra: tuple[Extra, ...] = field(default=())
    signature: str | None = None
    """sha256, sha384, sha512, pss (RSA), sha1, md5 (RSA); None lets the signer's key decide."""
    issuer: x509.Name | None = None
    """An issuer's name written differently; None takes the signer's subject as it is."""


def common_name(name: str) -> x509.Name:
    """A subject of this one common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def sign(
    template: Template, public: PublicKey, signer: PrivateKey, issuer: Certificate | None
) -> Certificate:
    """The certificate that the template describes for `public`, signed by `signer`; issuer None: by itself.

    ValueError for names, usages or combinations that cannot be written.
    """
    built = _builder(template, public, signer, issuer)
    hash_ = HASHES[template.signature]() if template.signature in HASHES else default_hash(signer)
    how = (
        padding.PSS(padding.MGF1(hash_), padding.PSS.DIGEST_LENGTH)
        if template.signature == "pss" and hash_
        else None
    )
    certificate = built.sign(signer, cast("hashes.SHA256 | None", hash_), rsa_padding=how)
    der = certificate.public_bytes(Encoding.DER)
    old = template.signature if template.signature in OLD_HASHES else None
    if template.version == 1 or old:
        der = reforge(der, signer, hash_ or hashes.SHA256(), old, version_1=template.version == 1)
    return Certificate.from_der(der)


def _builder(
    template: Template, public: PublicKey, signer: PrivateKey, issuer: Certificate | None
) -> x509.CertificateBuilder:
    subject = _name(template.subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(template.issuer or (issuer.x509.subject if issuer else subject))
        .not_valid_before(template.not_before.replace(microsecond=0))
        .not_valid_after(template.not_after.replace(microsecond=0))
        .serial_number(template.serial or x509.random_serial_number())
        .public_key(public)
    )
    for extension, critical in _extensions(template, public, signer, issuer):
        builder = builder.add_extension(extension, critical)
    return builder


def _extensions(
    template: Template, public: PublicKey, signer: PrivateKey, issuer: Certificate | None
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool] | None] = [
        _basic_constraints(template),
        _key_usage(template),
        _extended_key_usage(template),
        _alternative_names(template),
        _name_constraints(template),
        _subject_key(template, public),
        _authority_key(template, signer, issuer),
        *(
            (x509.UnrecognizedExtension(ObjectIdentifier(n), der), critical)
            for n, critical, der in template.extra
        ),
    ]
    return [extension for extension in found if extension]


def _name(subject: str | x509.Name) -> x509.Name:
    if isinstance(subject, x509.Name):
        return subject
    return x509.Name.from_rfc4514_string(subject) if subject else x509.Name([])


def _basic_constraints(template: Template) -> tuple[x509.ExtensionType, bool] | None:
    if template.ca is None:
        return None
    length = template.path_length if template.ca else None
    return x509.BasicConstraints(template.ca, length), template.basic_constraints_critical


def _key_usage(template: Template) -> tuple[x509.ExtensionType, bool] | None:
    if not template.key_usages:
        return None
    unknown = set(template.key_usages) - KEY_USAGES.keys()
    if unknown:
        raise ValueError(f"unknown key usage: {', '.join(sorted(unknown))}")
    return x509.KeyUsage(**{word: name in template.key_usages for name, word in KEY_USAGES.items()}), True


def _extended_key_usage(template: Template) -> tuple[x509.ExtensionType, bool] | None:
    names = template.extended_key_usages
    oids = [PURPOSES.get(name) or ObjectIdentifier(name) for name in names]
    return (x509.ExtendedKeyUsage(oids), False) if oids else None


def _alternative_names(template: Template) -> tuple[x509.ExtensionType, bool] | None:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in template.dns_names]
    names += [x509.RFC822Name(name) for name in template.emails]
    names += [x509.UniformResourceIdentifier(name) for name in template.uris]
    return (x509.SubjectAlternativeName(names), not template.subject) if names else None


def _name_constraints(template: Template) -> tuple[x509.ExtensionType, bool] | None:
    permitted = [_general_name(name) for name in template.permitted] or None
    excluded = [_general_name(name) for name in template.excluded] or None
    return (x509.NameConstraints(permitted, excluded), True) if permitted or excluded else None


def _general_name(text: str) -> x509.GeneralName:
    kind, _, value = text.partition(":")
    if kind not in _NAME_KINDS:
        raise ValueError(f"unknown kind of name: {kind}")
    return _NAME_KINDS[kind](value)


def _subject_key(template: Template, public: PublicKey) -> tuple[x509.ExtensionType, bool] | None:
    return (
        (x509.SubjectKeyIdentifier.from_public_key(public), False)
        if template.subject_key_identifier
        else None
    )


def _authority_key(
    template: Template, signer: PrivateKey, issuer: Certificate | None
) -> tuple[x509.ExtensionType, bool] | None:
    if issuer is None or not template.authority_key_identifier:
        return None
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False
