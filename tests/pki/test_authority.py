"""Making certificates: right by default, exactly wrong on request."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta

import pytest

from cf_mtls.pki.authority import Authority, root, self_signed
from cf_mtls.pki.chain import judge
from cf_mtls.pki.keys import KEY_TYPES
from cf_mtls.pki.template import Overrides, Template

DAY = timedelta(days=1)

WRONG = {
    "expired": (lambda now: {"not_before": now - 9 * DAY, "not_after": now - 2 * DAY}, 10),
    "not yet valid": (lambda now: {"not_before": now + 2 * DAY, "not_after": now + 9 * DAY}, 9),
    "for servers": (lambda now: {"extended_key_usages": ("serverAuth",)}, 26),
    "for ciphers": (lambda now: {"key_usages": ("keyEncipherment",)}, 26),
    "strange": (lambda now: {"extra": (("1.2.3.4", True, b"\x05\x00"),)}, 34),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_override_makes_one_thing_wrong(family: Authority, now: datetime, case: str) -> None:
    """Root -> intermediate -> leaf with one change: OpenSSL finds exactly that change, at the leaf."""
    change, code = WRONG[case]
    leaf = family.issue("ava", now=now, **change(now)).certificate
    verdict = judge([c.der for c in family.chain.certificates], leaf.der, at=now, purpose="sslclient")
    assert (verdict.code, verdict.depth) == (code, 0)


@pytest.mark.parametrize("key_type", sorted(KEY_TYPES.keys() - {"rsa4096", "rsa3072"}))
def test_every_kind_of_key_signs_and_is_signed(now: datetime, key_type: str) -> None:
    """Root -> leaf, both of that kind: OpenSSL accepts it."""
    authority = root("root", now=now, key_type=key_type)
    leaf = authority.issue("ava", now=now, key=authority.key).certificate
    assert judge([authority.certificate.der], leaf.der, at=now).ok


def test_version_1_is_made_and_accepted_by_openssl(family: Authority, now: datetime) -> None:
    """Root -> intermediate -> v1 leaf, as Cloudflare's openssl recipe makes: no extensions, still OK."""
    leaf = family.issue("ava", now=now, version=1).certificate
    assert (leaf.x509.version.name, len(leaf.x509.extensions), leaf.subject) == ("v1", 0, "CN=ava")
    assert judge([c.der for c in family.chain.certificates], leaf.der, at=now).ok


@pytest.mark.parametrize(
    ("key_type", "signature"), [("rsa2048", "sha1"), ("rsa2048", "md5"), ("ec256", "sha1")]
)
def test_old_signatures_are_made_and_hold(now: datetime, key_type: str, signature: str) -> None:
    """Root -> leaf signed with an old hash: the signature is right, its algorithm is the old one."""
    authority = root("root", now=now, key_type=key_type)
    leaf = authority.issue("ava", now=now, signature=signature).certificate
    assert leaf.x509.signature_hash_algorithm is not None
    assert leaf.x509.signature_hash_algorithm.name == signature
    assert judge([authority.certificate.der], leaf.der, at=now).ok


def test_signatures_that_have_no_name_are_refused(now: datetime) -> None:
    """MD5 with ECDSA was never given an identifier; Ed25519 takes no hash."""
    for key_type in ("ec256", "ed25519"):
        with pytest.raises(ValueError, match=r"no ec signature|only RSA and ECDSA"):
            root("root", now=now, key_type=key_type).issue("ava", now=now, signature="md5")


def test_probabilistic_signatures_are_made(now: datetime) -> None:
    """Root -> leaf with RSA-PSS: OpenSSL accepts what Cloudflare's list leaves out."""
    authority = root("root", now=now, key_type="rsa2048", signature="pss")
    assert authority.certificate.x509.signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.10"
    assert judge([authority.certificate.der], authority.issue("ava", now=now).certificate.der, at=now).ok


def test_a_chain_is_what_must_be_uploaded(now: datetime) -> None:
    """Root -> middle -> issuing: the issuing one's chain holds all three, itself first."""
    top = root("root", now=now)
    issuing = top.intermediate("middle", now=now, path_length=1).intermediate("issuing", now=now)
    assert [c.subject for c in issuing.chain.certificates] == ["CN=issuing", "CN=middle", "CN=root"]
    assert top.chain.certificates == (top.certificate,)


def test_serial_numbers_are_random_unless_given(family: Authority, now: datetime) -> None:
    """Two clients of one name have different, long serial numbers."""
    serials = {family.issue("ava", now=now).certificate.x509.serial_number for _ in range(8)}
    assert len(serials) == 8
    assert max(serials).bit_length() > 64
    assert family.issue("ava", now=now, serial=1).certificate.x509.serial_number == 1


def test_a_namesake_shares_the_subject_only(now: datetime) -> None:
    """Two roots of one name: same subject, different keys."""
    one, other = root("root", now=now), root("root", now=now)
    assert one.certificate.subject == other.certificate.subject
    assert one.certificate != other.certificate


def test_overrides_and_template_are_one_list() -> None:
    """Every field of a certificate can be overridden by its name."""
    assert {f.name for f in fields(Template)} == Overrides.__optional_keys__


def test_unknown_words_are_refused(now: datetime) -> None:
    """A misspelt usage or key type must not make a certificate without it."""
    for wrong in (
        {"key_usages": ("digitalSigning",)},
        {"extended_key_usages": ("client",)},
        {"key_type": "dsa"},
    ):
        with pytest.raises(ValueError, match=r"."):
            self_signed("ava", now=now, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kind of name"):
        root("root", now=now, permitted=("example.com",))


def test_keys_stay_out_of_representations(family: Authority, now: datetime) -> None:
    """Neither the key's text nor the key object shows in what a log would print."""
    shown = repr(family) + repr(family.issue("ava", now=now))
    assert "key" not in shown.lower()
