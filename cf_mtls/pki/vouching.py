"""Which CA bundles vouch for a client's certificate, as a TLS server would judge it.

Rules of this file:
- OpenSSL judges (`chain.judge`); nothing is decided here.
- Whether the edge uses the intermediates that a client sends is not known (facts, edge-and-probes 2), so it is asked
  for with them and without.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cf_mtls.pki.chain import SSLCLIENT, judge
from cf_mtls.pki.pem import read_certificates
from cf_mtls.pki.traits import same_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cf_mtls.model.people import Shown
    from cf_mtls.pki.pem import Certificate


@lru_cache(maxsize=4096)
def vouches(pem: str, shown: Shown, at: datetime, *, with_sent: bool) -> bool:
    """Whether a bundle alone accepts a client at an aware moment; with_sent: together with what the client sends."""
    sent = shown.sent if with_sent else ()
    return judge(_ders(pem), shown.leaf, sent, at, SSLCLIENT).ok


def vouches_for_all_of(old: str, new: str, at: datetime) -> bool:
    """Whether whoever the new bundle accepts is accepted by the old one too, once intermediates are sent along.

    So it is when each issuing certificate of the new one is accepted by the old one: the same root key, for instance.
    False also where the bundles do not decide it.
    """
    issuing = _ders(new)
    return all(
        judge(_ders(old), c.der, issuing, at).ok or any(same_key(c, other) for other in _certificates(old))
        for c in _certificates(new)
    )


def vouched_when_sent(old: str, new: str, at: datetime) -> tuple[Certificate, ...]:
    """The CAs of the old bundle that the new one lacks and yet accepts, once clients send them along.

    Not those whose key stays: a renewed CA is not meant to be withdrawn.
    """
    return taken_and_vouched(_certificates(old), _certificates(new), at)


def taken_and_vouched(
    old: Sequence[Certificate], new: Sequence[Certificate], at: datetime
) -> tuple[Certificate, ...]:
    """As `vouched_when_sent`, of certificates."""
    trusted, sent = [c.der for c in new], [c.der for c in old]
    return tuple(
        c
        for c in old
        if c.is_ca and not any(same_key(c, other) for other in new) and judge(trusted, c.der, sent, at).ok
    )


@lru_cache(maxsize=256)
def _certificates(pem: str) -> tuple[Certificate, ...]:
    return read_certificates(pem.encode("ascii"))[0]


def _ders(pem: str) -> tuple[bytes, ...]:
    return tuple(certificate.der for certificate in _certificates(pem))
