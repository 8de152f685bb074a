"""Reading PEM files: what comes back, in which order, and what is said about bad ones."""

from __future__ import annotations

import hashlib
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from cf_mtls.pki import blocks, pem
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.pem import Certificate, Chain, read_certificates, read_chain

if TYPE_CHECKING:
    from datetime import datetime


def codes(data: bytes) -> list[str]:
    """The codes of what is wrong with a chain file; asserts that an error means no chain."""
    chain, problems = read_chain(data)
    assert (chain is None) == bool(problems)
    return [p.code.code for p in problems]


def test_a_file_in_any_order_is_one_chain(now: datetime) -> None:
    """Root -> middle -> issuing: all six orders, and duplicates, give the documented order and one digest."""
    top = root("a root", now=now, path_length=None)
    middle = top.intermediate("b middle", now=now, path_length=1)
    issuing = middle.intermediate("c issuing", now=now)
    wanted = (issuing.certificate, middle.certificate, top.certificate)
    for order in permutations(wanted):
        chain, problems = read_chain("".join(c.pem for c in (*order, order[0])).encode())
        assert (chain, problems) == (Chain(wanted), ())
        assert chain is not None
        assert chain.certificates == wanted
        assert chain.sha256 == hashlib.sha256(b"".join(sorted(c.der for c in wanted))).hexdigest()


def test_cross_signed_authorities_have_one_order(now: datetime) -> None:
    """A signed by B and B signed by A: no root at all, still the same order both ways round."""
    a, b = root("a", now=now), root("b", now=now)
    a_by_b = b.intermediate("a", now=now, key=a.key).certificate
    b_by_a = a.intermediate("b", now=now, key=b.key).certificate
    assert Chain((a_by_b, b_by_a)).certificates == Chain((b_by_a, a_by_b)).certificates


def test_one_certificate_is_named_by_its_fingerprints(family: Authority) -> None:
    """The chain of one certificate has that certificate's SHA-256; MD5 is 32 hex digits."""
    certificate = family.certificate
    assert Chain((certificate,)).sha256 == certificate.sha256 == hashlib.sha256(certificate.der).hexdigest()
    assert Chain((certificate,)).md5s == (hashlib.md5(certificate.der, usedforsecurity=False).hexdigest(),)


def test_a_chain_knows_its_first_end(now: datetime) -> None:
    """The earliest end counts, whichever member it belongs to."""
    chain = root("root", now=now, days=100).intermediate("short", now=now, days=10).chain
    assert chain.expires_on == chain.certificates[0].not_after == min(chain.expirations)
    assert chain.expirations[1] > chain.expirations[0]


def test_a_chain_writes_what_it_reads(family: Authority) -> None:
    """The canonical PEM gives the same chain again and ends with a line break."""
    assert read_chain(family.chain.pem.encode()) == (family.chain, ())
    assert family.chain.pem.endswith("-----\n")


def test_an_empty_chain_cannot_be(family: Authority) -> None:
    """There is no chain of nothing."""
    with pytest.raises(ValueError, match="at least one"):
        Chain(())
    assert family.chain


def test_who_is_an_authority(family: Authority, now: datetime) -> None:
    """CA:TRUE is; a client is not; a version 1 certificate only when it signed itself, as old roots did."""
    old = root("old", now=now, version=1)
    assert family.certificate.is_ca
    assert not family.issue("ava", now=now).certificate.is_ca
    assert old.certificate.is_ca
    assert not old.issue("ava", now=now, version=1).certificate.is_ca


def test_names_and_moments_can_be_read(family: Authority, now: datetime) -> None:
    """Subject, issuer, common names and an aware validity, without any parsing by the caller."""
    certificate = family.issue("", now=now, subject="CN=ava,CN=fleet,O=Acme").certificate
    assert certificate.subject == "CN=ava,CN=fleet,O=Acme"
    assert certificate.issuer == "CN=test clients"
    assert sorted(certificate.common_names) == ["ava", "fleet"]
    assert certificate.not_before < now < certificate.not_after
    assert not certificate.is_self_issued


@pytest.mark.parametrize(
    "kind",
    ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_private_key_is_refused_before_anything_is_read(
    family: Authority, kind: str, encoding: str
) -> None:
    """Whole, cut short, in UTF-16, after a certificate and before garbage: one error, no byte repeated."""
    secret = "c2VjcmV0IGtleSBieXRlcw=="
    for key in (
        f"-----BEGIN {kind}-----\n{secret}\n-----END {kind}-----\n",
        f"-----BEGIN {kind}-----\n{secret}",
    ):
        data = (family.certificate.pem + key + "-----BEGIN CERTIFICATE-----\n!!").encode(encoding)
        chain, problems = read_chain(data)
        assert chain is None
        assert [p.code for p in problems] == [blocks.PRIVATE_KEY]
        assert secret[:8] not in repr(problems)
        assert read_certificates(data) == ((), problems)


def test_the_tail_of_a_private_key_is_refused_too() -> None:
    """A key whose first line was cut off still ends as a key."""
    assert codes(b"c2VjcmV0\n-----END RSA PRIVATE KEY-----\n") == ["pem.private-key"]


def test_nothing_at_all_is_said_so() -> None:
    """Empty, blank and a lone byte order mark are empty."""
    for data in (b"", b" \r\n\t", b"\xef\xbb\xbf", b"\xff\xfe\n\x00"):
        assert codes(data) == ["pem.empty"]


def test_der_is_recognised_and_its_command_given(family: Authority) -> None:
    """A binary certificate is not PEM; the fix is a command that makes it so."""
    _, problems = read_chain(family.certificate.der)
    assert [p.code for p in problems] == [blocks.NOT_PEM]
    assert problems[0].fix.startswith("    openssl x509 -inform DER")
    assert codes(b"hello") == ["pem.not-pem"]


def test_a_client_is_not_a_chain(family: Authority, now: datetime) -> None:
    """Root -> intermediate -> leaf, only the leaf given: there is no CA; its issuer is named."""
    leaf = family.issue("ava", now=now)
    _, problems = read_chain(leaf.certificate_pem.encode())
    assert [p.code for p in problems] == [pem.NO_CA]
    assert "CN=test clients" in problems[0].detail
    assert read_certificates(leaf.certificate_pem.encode()) == ((leaf.certificate,), ())


def test_every_broken_block_is_named_at_once(family: Authority) -> None:
    """Four bad blocks around a good one: four problems, each with the number of its block or its line."""
    good = family.certificate.pem
    bad = (
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"
        + good
        + "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
        + "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n"
        + "-----BEGIN CERTIFICATE-----\nMAA=\n"
    )
    certificates, problems = read_certificates(bad.encode())
    assert certificates == (family.certificate,)
    assert sorted(p.code.code for p in problems) == [
        "pem.broken-block",
        "pem.foreign-block",
        "pem.undecodable",
        "pem.undecodable",
    ]
    text = " ".join(p.detail for p in problems)
    assert "Block 1, which starts on line 1" in text
    assert "Block 3" in text
    assert "Block 4" in text
    assert "never ends" in text


BREAKAGES = {
    "glued": (lambda p: p.rstrip("\n") + p, "alone on their lines"),
    "escaped": (lambda p: p.replace("\n", "\\n"), r"\n"),
    "unopened": (lambda p: p.partition("\n")[2], "without having started"),
    "nested": (lambda p: p.partition("\n")[0] + "\n" + p, "another block starts"),
    "renamed": (lambda p: p.replace("END CERT", "END X509 CERT"), "ends as X509 CERTIFICATE"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_ways_to_break_a_file_are_told_apart(family: Authority, breakage: str) -> None:
    """Glued files, escaped line breaks and lost lines each say what happened."""
    change, words = BREAKAGES[breakage]
    _, problems = read_chain(change(family.certificate.pem).encode())
    assert {p.code for p in problems} == {blocks.BROKEN}
    assert words in problems[0].detail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_files_from_other_systems_are_read(family: Authority, encoding: str, line_break: str) -> None:
    """Byte order marks, UTF-16, CRLF, CR, indentation and comments change nothing."""
    text = "Bag Attributes: é\n" + family.chain.pem.replace("\n", "\n    ") + "# end"
    text = text.replace("\n", line_break)
    data = ("\ufeff" + text).encode("utf-16-be") if encoding == "utf-16-be-sig" else text.encode(encoding)
    assert read_chain(data) == (family.chain, ())


def test_a_certificate_with_a_negative_serial_number_is_read(family: Authority, now: datetime) -> None:
    """Some old CAs issued them; OpenSSL judges them, so they must not be lost in reading."""
    serial = 0x7FFFFFFFFFFFFFFF
    der = family.issue("ava", now=now, serial=serial).certificate.der
    odd = der.replace(serial.to_bytes(8, "big"), b"\x80" + b"\x00" * 7, 1)
    assert Certificate.from_der(odd).subject == "CN=ava"


def test_nothing_of_a_certificate_leaks_into_its_representation(family: Authority) -> None:
    """Representations are short: logs and assertion messages stay readable."""
    assert repr(family.chain).count("sha256") == 2
    assert len(repr(family.chain)) < 200
