"""What OpenSSL says about a client certificate: its own store, asked as `openssl verify` or as a server asks.

Rules of this file:
- The verdict is OpenSSL's. Nothing here decides; nothing here adds or takes away a reason.
- Only what is handed in is trusted. `openssl verify` also looks into the system's directories, unless
  told `-no-CApath -no-CAstore`.

Not checked: revocation, which Access does not enforce either.
Source: facts, edge-and-probes 2; agreement with the binary: tests/pki/test_differential.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from OpenSSL import crypto

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

OK = 0
UNSPECIFIED = 1
"""X509_V_ERR_UNSPECIFIED, given here for bytes that OpenSSL cannot decode."""

SSLCLIENT = "sslclient"


@dataclass(frozen=True, slots=True)
class Judgement:
    """OpenSSL's verdict: its error code and words, and where on the way up from the leaf (depth 0) it failed.

    subject is that of the certificate at that depth, untrusted text; of the leaf when all is well.
    """

    ok: bool
    code: int
    depth: int
    reason: str
    subject: str

    def __str__(self) -> str:
        """As `openssl verify` puts it."""
        return "OK" if self.ok else f"error {self.code} at {self.depth} depth lookup: {self.reason}"


def judge(
    trusted: Sequence[bytes],
    leaf: bytes,
    sent: Sequence[bytes] = (),
    at: datetime | None = None,
    purpose: str | None = None,
) -> Judgement:
    """The verdict on `leaf`, DER in.

    trusted: what `-CAfile` holds. sent: what `-untrusted` holds, or a client sends beside its leaf.
    at: an aware moment, None for now. purpose: None asks as `openssl verify` does, "sslclient" as a server.
    ValueError for a naive moment or an unknown purpose. Bytes that OpenSSL cannot decode are a refusal.
    """
    moment = _utc(at) if at else None
    try:
        store = _store(tuple(trusted), moment, purpose)
        certificate, between = _load(leaf), [_load(der) for der in sent]
    except crypto.Error:
        return Judgement(
            ok=False, code=UNSPECIFIED, depth=0, reason="certificate cannot be decoded", subject=""
        )
    try:
        crypto.X509StoreContext(store, certificate, between).verify_certificate()
    except crypto.X509StoreContextError as error:
        _forget_errors()
        code, depth, reason = error.errors
        return Judgement(ok=False, code=code, depth=depth, reason=reason, subject=_subject(error.certificate))
    return Judgement(ok=True, code=OK, depth=0, reason="ok", subject=_subject(certificate))


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return at.astimezone(UTC)


@lru_cache(maxsize=64)
def _store(trusted: tuple[bytes, ...], at: datetime | None, purpose: str | None) -> crypto.X509Store:
    store = crypto.X509Store()
    for der in trusted:
        store.add_cert(_load(der))
    if at is not None:
        store.set_time(at)
    if purpose is not None:
        _set_purpose(store, purpose)
    return store


def _set_purpose(store: crypto.X509Store, purpose: str) -> None:
    """Ask as a TLS server asks.

    pyOpenSSL offers no public way (as of 26.4): flags carry no purpose, and a handshake needs the
    client's private key, which nobody here has. A test holds the binding in place.
    """
    if purpose != SSLCLIENT:
        raise ValueError(f"unknown purpose: {purpose}")
    library = crypto._lib  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    if library.X509_STORE_set_purpose(store._store, library.X509_PURPOSE_SSL_CLIENT) != 1:  # noqa: SLF001
        raise ValueError(f"OpenSSL refused the purpose: {purpose}")


def _forget_errors() -> None:
    """OpenSSL before 4.0 leaves what a verification found in this thread's queue of errors, and the next TLS call of
    the thread takes it for its own. pyOpenSSL empties the queue only where a call of its own fails.
    """
    crypto._lib.ERR_clear_error()  # type: ignore[attr-defined]  # noqa: SLF001


def _load(der: bytes) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_ASN1, der)


def _subject(certificate: crypto.X509) -> str:
    try:
        return certificate.to_cryptography().subject.rfc4514_string()
    except Exception:  # noqa: BLE001 - one library reads what the other does not, and says so in many ways
        return ""
