"""OpenSSL's verdict: right answers, right places, right moments. The whole matrix: test_differential."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cf_mtls.pki.authority import Authority, root, self_signed
from cf_mtls.pki.chain import Judgement, judge

DAY = timedelta(days=1)


def ders(authority: Authority) -> list[bytes]:
    """What is uploaded for an authority."""
    return [c.der for c in authority.chain.certificates]


def test_a_client_of_the_chain_is_fine(family: Authority, now: datetime) -> None:
    """Root -> intermediate -> leaf, root and intermediate trusted: OK either way of asking."""
    leaf = family.issue("ava", now=now).certificate
    for purpose in (None, "sslclient"):
        assert judge(ders(family), leaf.der, at=now, purpose=purpose) == Judgement(
            ok=True, code=0, depth=0, reason="ok", subject="CN=ava"
        )


def test_a_missing_intermediate_may_be_sent_by_the_client(family: Authority, now: datetime) -> None:
    """Root -> intermediate -> leaf, root trusted: code 20 at depth 0, fine when the client sends the rest."""
    leaf = family.issue("ava", now=now).certificate
    intermediate, top = ders(family)
    refused = judge([top], leaf.der, at=now)
    assert (refused.ok, refused.code, refused.depth, refused.subject) == (False, 20, 0, "CN=ava")
    assert judge([top], leaf.der, sent=[intermediate], at=now).ok


def test_an_intermediate_alone_is_no_anchor(family: Authority, now: datetime) -> None:
    """Root -> intermediate -> leaf, intermediate trusted: code 2 at depth 1, intermediate named."""
    leaf = family.issue("ava", now=now).certificate
    refused = judge(ders(family)[:1], leaf.der, at=now)
    assert (refused.code, refused.depth, refused.subject) == (2, 1, "CN=test clients")
    assert str(refused) == "error 2 at 1 depth lookup: unable to get issuer certificate"


def test_the_moment_decides(family: Authority, now: datetime) -> None:
    """A leaf of ten days: not yet, fine, over; the same moment in another time zone is the same moment."""
    leaf = family.issue("ava", now=now, not_before=now, not_after=now + 10 * DAY).certificate
    verdicts = [judge(ders(family), leaf.der, at=now + days * DAY).code for days in (-0.001, 5, 11)]
    assert verdicts == [9, 0, 10]
    far_east = (now + timedelta(hours=1)).astimezone(timezone(timedelta(hours=14)))
    assert judge(ders(family), leaf.der, at=far_east).ok


def test_no_moment_means_now() -> None:
    """Without a moment the system's clock decides, at each call and not once and for all."""
    authority = root("root", now=datetime.now(UTC))
    leaf = authority.issue("ava", now=datetime.now(UTC)).certificate
    gone = authority.issue("ava", now=datetime.now(UTC) - 9 * DAY, days=2).certificate
    assert judge(ders(authority), leaf.der).ok
    assert judge(ders(authority), gone.der).code == 10


def test_a_naive_moment_is_refused(family: Authority) -> None:
    """A moment without a time zone would be somebody's local time."""
    with pytest.raises(ValueError, match="time zone"):
        judge(ders(family), family.certificate.der, at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point


def test_only_a_server_asks_what_a_certificate_is_for(family: Authority, now: datetime) -> None:
    """A leaf for servers: `openssl verify` says OK, a TLS server does not (code 26). Holds the binding."""
    leaf = family.issue("ava", now=now, extended_key_usages=("serverAuth",)).certificate
    assert judge(ders(family), leaf.der, at=now).ok
    refused = judge(ders(family), leaf.der, at=now, purpose="sslclient")
    assert (refused.ok, refused.code, refused.depth) == (False, 26, 0)
    with pytest.raises(ValueError, match="unknown purpose"):
        judge(ders(family), leaf.der, at=now, purpose="sslserver")


def test_a_namesake_is_not_the_authority(family: Authority, now: datetime) -> None:
    """Another root and intermediate of the same names, other keys: refused, whatever the client sends."""
    rogue = root("test root", now=now).intermediate("test clients", now=now)
    leaf = rogue.issue("ava", now=now).certificate
    assert not judge(ders(family), leaf.der, at=now).ok
    assert not judge(ders(family), leaf.der, sent=ders(rogue), at=now).ok


def test_a_client_cannot_vouch_for_itself(family: Authority, now: datetime) -> None:
    """A self-signed leaf is refused with code 18, and accepted only where it is itself trusted."""
    leaf = self_signed("ava", now=now).certificate
    assert judge(ders(family), leaf.der, at=now).code == 18
    assert judge([leaf.der], leaf.der, at=now).ok


def test_bytes_that_openssl_cannot_read_are_refused(family: Authority, now: datetime) -> None:
    """Garbage as leaf, as sent, as trusted: never OK, never an exception."""
    leaf = family.issue("ava", now=now).certificate.der
    for trusted, subject, sent in (
        (ders(family), b"\x30\x00", []),
        (ders(family), leaf, [b""]),
        ([b"x", *ders(family)], leaf, []),
    ):
        assert not judge(trusted, subject, sent, at=now).ok


def test_trusting_nobody_accepts_nobody(family: Authority, now: datetime) -> None:
    """An empty list of CAs is not the system's list."""
    assert not judge([], family.issue("ava", now=now).certificate.der, at=now).ok
