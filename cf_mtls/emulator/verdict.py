"""Whether a client's certificate chains to an uploaded bundle: OpenSSL's own chain builder decides.

Rules of this file:
- Judged at HTTP time against one bundle, never in the handshake.
- The chain comes from `X509Store`; that its members may serve TLS clients is read from the chain it built,
  by OpenSSL's own rules for the purpose sslclient, so that only public functions are used, but for one: OpenSSL
  before 4.0 leaves what it found in the thread's queue of errors, where the next TLS call takes it for its own.
- A bundle's certificates are all trusted to be there, but a chain must end in a self-signed one.

Proof: tests/emulator/test_verdict.py asks `openssl verify -purpose sslclient` the same questions.
Source: facts: edge-and-probes 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError

from cf_mtls.emulator.pem import load

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE = "NONE"
SUCCESS = "SUCCESS"

_NS_CERT_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
_NS_SSL_CLIENT, _NS_SSL_CA = 0x80, 0x04


@dataclass(frozen=True, slots=True)
class Judgement:
    """`ok`, and why not, in OpenSSL's words."""

    ok: bool
    reason: str = ""

    @property
    def text(self) -> str:
        """SUCCESS or FAILED:reason, as Cloudflare's tlsClientAuth writes it."""
        return SUCCESS if self.ok else f"FAILED:{self.reason}"


def judge(bundle: Sequence[bytes], leaf: bytes, sent: Sequence[bytes], at: float) -> Judgement:
    """Whether the leaf chains to the bundle then. All certificates are DER; at: seconds since 1970."""
    try:
        store = X509Store()
        for der in dict.fromkeys(bundle):
            store.add_cert(_openssl(der))
        store.set_time(datetime.fromtimestamp(at, UTC).replace(tzinfo=None))
        context = X509StoreContext(store, _openssl(leaf), [_openssl(der) for der in sent])
        chain = [c.to_cryptography() for c in context.get_verified_chain()]
    except X509StoreContextError as error:
        crypto._lib.ERR_clear_error()  # type: ignore[attr-defined]  # noqa: SLF001 - see the rules of this file
        return Judgement(ok=False, reason=str(error.errors[2]))
    except ValueError:
        return Judgement(ok=False, reason="certificate could not be parsed")
    return _fit(chain)


def _openssl(der: bytes) -> X509:
    return X509.from_cryptography(load(der))


def _fit(chain: Sequence[x509.Certificate]) -> Judgement:
    fit = all(_fit_for_clients(c, is_leaf=place == 0) for place, c in enumerate(chain))
    return Judgement(ok=True) if fit else Judgement(ok=False, reason="unsuitable certificate purpose")


def _fit_for_clients(certificate: x509.Certificate, *, is_leaf: bool) -> bool:
    """OpenSSL's purpose sslclient: extended usage for all, key usage for the leaf, Netscape type for both."""
    try:
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False
    for extension in extensions:
        match extension.value:
            case x509.ExtendedKeyUsage() as usages if ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
                return False
            case x509.KeyUsage() as usage if is_leaf and not (usage.digital_signature or usage.key_agreement):
                return False
            case x509.UnrecognizedExtension(oid=oid, value=value) if oid == _NS_CERT_TYPE:
                if not value[-1] & (_NS_SSL_CLIENT if is_leaf else _NS_SSL_CA):
                    return False
            case _:
                pass
    return True
