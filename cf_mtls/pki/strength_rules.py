"""What can be wrong with each CA of a chain by itself: its dates, its signature, the size of its key.

Rules of this file:
- A row is a thing that can be wrong. Dates are compared with the moment that the caller gives.

Source: facts, cloudflare-api 1.4 (accepted signatures), edge-and-probes 2 (SHA-1, short keys, renewals).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.ends import counted, distance
from cf_mtls.pki import kin, traits
from cf_mtls.pki.rules import Bundle, Rule, error, note, warning
from cf_mtls.pki.traits import short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.pki.pem import Certificate

LISTED = {  # facts: cloudflare-api 1.4
    "SHA1-RSA", "SHA256-RSA", "SHA384-RSA", "SHA512-RSA",
    "ECDSA-SHA1", "ECDSA-SHA256", "ECDSA-SHA384", "ECDSA-SHA512",
}  # fmt: skip


def signature(bundle: Bundle) -> Iterator[str]:
    """Signatures, and keys whose signatures would be, outside Cloudflare's list."""
    for c in bundle.authorities:
        if traits.signature(c) not in LISTED:
            yield f"{short(c)} is signed with {traits.signature(c)}."
        elif c.is_ca and traits.key(c).startswith("Ed"):
            yield f"{short(c)} has an {traits.key(c)} key, so what it signs is signed with {traits.key(c)}."


def sha1(bundle: Bundle) -> Iterator[str]:
    """SHA-1 where it counts: on a root's own signature nobody looks."""
    for c in bundle.authorities:
        if "SHA1" in traits.signature(c) and not c.is_self_issued:
            yield f"{short(c)} is signed with {traits.signature(c)}."


def sha1_root(bundle: Bundle) -> Iterator[str]:
    """SHA-1 where it does not count."""
    for c in bundle.authorities:
        if "SHA1" in traits.signature(c) and c.is_self_issued:
            yield f"{short(c)} is signed with {traits.signature(c)}."


def weak_rsa(bundle: Bundle) -> Iterator[str]:
    """Small RSA keys."""
    for c in bundle.authorities:
        bits = traits.rsa_bits(c)
        if bits is not None and bits < 2048:
            yield f"{short(c)} has an RSA key of {bits} bits."


def _renewed(bundle: Bundle, old: Certificate) -> bool:
    """Whether a valid certificate of the same CA and key stands beside it; OpenSSL then takes that one."""
    return any(
        c.not_before <= bundle.at <= c.not_after
        and traits.same_key(c, old)
        and kin.same_name(c.x509.subject, old.x509.subject)
        for c in bundle.distinct
    )


def expired(bundle: Bundle) -> Iterator[str]:
    """Ended, and nothing took its place."""
    for c in bundle.authorities:
        if c.not_after < bundle.at and not _renewed(bundle, c):
            yield f"{short(c)} ended on {c.not_after:%Y-%m-%d %H:%M} UTC."


def superseded(bundle: Bundle) -> Iterator[str]:
    """Ended, with its renewal beside it."""
    for c in bundle.authorities:
        if c.not_after < bundle.at and _renewed(bundle, c):
            yield f"{short(c)} ended on {c.not_after:%Y-%m-%d %H:%M} UTC; its renewal is in the file."


def not_yet_valid(bundle: Bundle) -> Iterator[str]:
    """Starts later, and nothing stands in for it until then."""
    for c in bundle.authorities:
        if c.not_before > bundle.at and not _renewed(bundle, c):
            yield f"{short(c)} begins on {c.not_before:%Y-%m-%d %H:%M} UTC."


def expiring(bundle: Bundle) -> Iterator[str]:
    """Ends within the days asked for."""
    for c in bundle.authorities:
        if bundle.at <= c.not_after < bundle.at + bundle.soon:
            yield (
                f"{short(c)} ends on {c.not_after:%Y-%m-%d %H:%M} UTC, {distance(c.not_after, bundle.at)}; "
                f"{counted(bundle.soon.days, 'day')} asked for."
            )


def outlived(bundle: Bundle) -> Iterator[str]:
    """A CA that ends before every chance of what it has signed."""
    for child, above in bundle.parents.items():
        if above and not child.is_self_issued and max(p.not_after for p in above) < child.not_after:
            ends = max(above, key=lambda p: p.not_after)
            yield (
                f"{short(ends)} ends on {ends.not_after:%Y-%m-%d}, "
                f"before {short(child)}, which ends on {child.not_after:%Y-%m-%d}."
            )


LISTED_ONLY = "Issue it again with RSA or ECDSA and SHA-256 or better."
RENEW = "Make its successor and trust both during the change: the new chain beside the old one, then plan."

RULES: tuple[Rule[Bundle], ...] = (
    Rule(error("chain.signature", "Cloudflare does not accept the signature algorithm"), signature,
         LISTED_ONLY),
    Rule(error("chain.expired", "a CA has expired"), expired, RENEW),
    Rule(error("chain.not-yet-valid", "a CA is not valid yet"), not_yet_valid,
         "Wait, or mend the clock that it was made by; until then nobody it has signed is let in."),
    Rule(warning("chain.sha1", "a CA is signed with SHA-1"), sha1, LISTED_ONLY),
    Rule(warning("chain.weak-rsa", "an RSA key is shorter than 2048 bits"), weak_rsa,
         "Make a new CA; OpenSSL at its usual security level 2 refuses such keys."),
    Rule(warning("chain.expiring", "a CA expires soon"), expiring, RENEW),
    Rule(warning("chain.outlived", "a CA ends before what it has signed"), outlived,
         "From that day on nobody below it is let in, whatever their own dates: renew the upper CA in time."),
    Rule(note("chain.superseded", "an expired CA stands beside its renewal"), superseded,
         "It may be removed."),
    Rule(note("chain.sha1-root", "a root signed itself with SHA-1"), sha1_root,
         "Nothing depends on a root's own signature, and Cloudflare accepts it."),
)  # fmt: skip
