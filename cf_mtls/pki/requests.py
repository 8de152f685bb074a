"""Certificate requests and names: who asks for a certificate.

Rules of this file:
- From a request only its key and, when nothing else is said, its common name are taken: what the certificate
  may be used for is the CA's to say.
- The request's own signature must hold: it proves that the asker has the key.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.pki.keys import PublicKey, unusable
from cf_mtls.pki.opening import decoding
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cf_mtls.pki.template import Overrides

BAD_REQUEST = Code("pki.bad-request", Severity.ERROR, Fault.FILE, "the certificate request cannot be used")
BAD_NAME = Code("pki.bad-name", Severity.ERROR, Fault.INVOCATION, "a name cannot be put into a certificate")

LONGEST = 64  # RFC 5280 appendix A, ub-common-name

_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE
)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+", re.IGNORECASE)
_SAFE = re.compile(r"[^A-Za-z0-9._@-]+")


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks: the name, and the key that they keep (None when the CA shall make one)."""

    name: str
    public: PublicKey | None = field(default=None, repr=False)


def read_request(data: bytes, name: str = "") -> Request | Diagnostic:
    """The request in a PEM file. name: put instead of the one it asks for."""
    try:
        with decoding():
            request = x509.load_pem_x509_csr(data)
            public, valid = request.public_key(), request.is_signature_valid
            wanted = [str(a.value) for a in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return BAD_REQUEST.found("No certificate request could be read from it.", _MAKE)
    if not valid:
        return BAD_REQUEST.found("Its signature does not hold: whoever made it did not have the key.", _MAKE)
    algorithm = request.public_key_algorithm_oid  # type: ignore[attr-defined]  # there since 43, stubs lack it
    why = unusable(public, algorithm.dotted_string)
    if why or not isinstance(public, PublicKey):
        return BAD_REQUEST.found(f"It has {why}: its holder could not use the certificate.", _USABLE)
    if not (name or wanted):
        return BAD_REQUEST.found("It names nobody, and no NAME was given.", "Give a NAME beside --csr.")
    return Request(name or wanted[0], public)


_MAKE = (
    "The client makes one, and keeps its key:\n"
    "    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout client.key -subj /CN=NAME -out client.csr"
)


_USABLE = f"Usable: RSA of at least 2048 bits, Ed25519, ECDSA on P-256, P-384 or P-521.\n{_MAKE}"


def read_names(text: str) -> tuple[str, ...]:
    """The names of a list file: one a line, empty lines and lines that start with # left out."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def bad_names(names: Sequence[str]) -> tuple[Diagnostic, ...]:
    """What is wrong with names: too long, without letters, twice, or alike as file names."""
    found, seen = list[Diagnostic](), dict[str, str]()
    for name in names:
        stem = file_stem(name)
        if not 0 < len(name.encode("utf-8")) <= LONGEST or not name.isprintable():
            found.append(BAD_NAME.found(f"{name[:70]!r} is not 1 to {LONGEST} bytes of printable text."))
        elif not stem.strip("._-@"):
            found.append(
                BAD_NAME.found(f"{name!r} leaves nothing to call its files by.", "Use letters or digits.")
            )
        elif stem.lower() in seen:
            found.append(BAD_NAME.found(f"{name!r} and {seen[stem.lower()]!r} would share their files."))
        seen.setdefault(stem.lower(), name)
    return tuple(found)


def file_stem(name: str) -> str:
    """What the files of a client are called: letters, digits and . _ @ -, no folder, no leading dot."""
    return _SAFE.sub("-", name).lstrip(".").strip("-")


def alternative_names(name: str) -> Overrides:
    """The subject alternative name that fits: an address, a URI, a host name; none for other text."""
    if _MAIL.fullmatch(name):
        return {"emails": (name,)}
    if _URI.fullmatch(name):
        return {"uris": (name,)}
    return {"dns_names": (name,)} if _HOST.fullmatch(name) else {}
