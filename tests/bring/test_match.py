"""Which file is which CA: by fingerprint and expiry, of any block, and never a wrong one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cf_mtls.bring.match import Match, Misfit, match
from cf_mtls.model.resources import Address, CaCertificate, Kind
from cf_mtls.pki.authority import root
from cf_mtls.pki.pem import Certificate
from tests.conftest import Pki

NOW = datetime.now(UTC)


def there(certificate: Certificate) -> tuple[Address, CaCertificate]:
    """A CA as the account shows it when it hashes this block."""
    found = CaCertificate("x", ("a.net",), (certificate.md5,), (certificate.not_after,), id="1")
    return Address(Kind.CERTIFICATE, certificate.md5), found


@pytest.mark.parametrize("block", [1, 2])
def test_a_chain_is_recognised_by_any_of_its_blocks(pki: Pki, block: int) -> None:
    """Whichever block Cloudflare hashes, the file is found, and the block is told."""
    chain = pki.clients.chain
    address, ca = there(chain.certificates[block - 1])
    found = match({address: ca}, {"x.pem": chain.pem.encode()}, NOW)
    assert found == {address: Match("x.pem", chain, block)}


def test_an_equal_fingerprint_with_another_expiry_is_not_taken(pki: Pki) -> None:
    """MD5 is a name and not a seal."""
    address, ca = there(pki.root.chain.certificates[0])
    other = replace(ca, expirations=(ca.expires_on + timedelta(days=1),))
    assert match({address: other}, {"x.pem": pki.root.chain.pem.encode()}, NOW) == {}


def test_a_root_and_the_chain_below_it_each_find_their_own_file(pki: Pki) -> None:
    """Two CAs that share a root: the first block wins, so neither takes the other's file, in any order of names."""
    cas = dict([there(pki.clients.chain.certificates[0]), there(pki.root.chain.certificates[0])])
    for names in (("a.pem", "b.pem"), ("b.pem", "a.pem")):
        files = dict(zip(names, (pki.clients.chain.pem.encode(), pki.root.chain.pem.encode()), strict=True))
        found = match(cas, files, NOW)
        chains = {address.key: m.chain for address, m in found.items() if isinstance(m, Match)}
        assert chains == {c.md5s[0]: c for c in (pki.clients.chain, pki.root.chain)}


def test_a_file_that_a_plan_would_refuse_is_told_and_not_used(pki: Pki) -> None:
    """Expired, or an intermediate without its root: the reason comes back with its code."""
    old = root("Old", now=NOW - timedelta(days=40), days=20).chain
    address, ca = there(old.certificates[0])
    found = match({address: ca}, {"old.pem": old.pem.encode()}, NOW)[address]
    assert isinstance(found, Misfit)
    assert "[chain.expired]" in found.why
    alone = pki.clients.chain.certificates[0]
    address, ca = there(alone)
    found = match({address: ca}, {"i.pem": alone.pem.encode()}, NOW)[address]
    assert isinstance(found, Misfit)
    assert "[chain.missing-root]" in found.why


def test_a_whole_file_is_preferred_to_a_broken_one(pki: Pki) -> None:
    """A damaged copy beside a good one does not hide it."""
    address, ca = there(pki.root.chain.certificates[0])
    good = pki.root.chain.pem
    files = {"a.pem": (good + "-----BEGIN CERTIFICATE-----\n").encode(), "b.pem": good.encode()}
    assert isinstance(match({address: ca}, files, NOW)[address], Match)


def test_nothing_is_taken_from_a_file_with_a_private_key(pki: Pki) -> None:
    """Not even the certificates beside it."""
    address, ca = there(pki.root.chain.certificates[0])
    assert match({address: ca}, {"x.pem": (pki.root.chain.pem + pki.jean.key_pem).encode()}, NOW) == {}
