"""Every code about certificates is set off by a certificate that deserves it, and by nothing else here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cf_mtls.pki import lint
from cf_mtls.pki.authority import Authority, root, self_signed
from cf_mtls.pki.chain import judge
from cf_mtls.pki.identity import load_identity
from cf_mtls.pki.keys import pkcs8
from cf_mtls.pki.lint import CODES, check_chain_file, lint_chain, lint_client, lint_clients_own, lint_strict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.pki.identity import Identity
    from cf_mtls.pki.pem import Certificate

DAY = timedelta(days=1)
CASES: dict[str, Callable[[datetime], Iterable[Diagnostic]]] = {}


def case(code: str) -> Callable[[Callable[[datetime], Iterable[Diagnostic]]], None]:
    """Registers the certificates that set off one code."""

    def register(make: Callable[[datetime], Iterable[Diagnostic]]) -> None:
        assert code not in CASES
        CASES[code] = make

    return register


def file(text: str, now: datetime) -> tuple[Diagnostic, ...]:
    """What is said about a chain file."""
    return check_chain_file(text.encode(), at=now)[1]


def chain(*members: Authority | Identity | Certificate, now: datetime) -> tuple[Diagnostic, ...]:
    """What is said about these certificates, in this order."""
    return lint_chain([getattr(m, "certificate", m) for m in members], at=now)


def client(authority: Authority, identity: Identity, now: datetime) -> tuple[Diagnostic, ...]:
    """What is said about a client under an authority's chain."""
    return lint_client(identity.certificate, authority.chain, at=now)


def loading(certificate: str, key: str, passphrase: bytes | None = None) -> tuple[Diagnostic, ...]:
    """What is said about a client's files."""
    return load_identity(certificate.encode(), key.encode(), passphrase)[1]


@case("pem.private-key")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root with its key pasted below."""
    authority = root("root", now=now)
    return file(authority.certificate.pem + authority.key_pem, now)


@case("pem.empty")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Nothing."""
    return file("\n", now)


@case("pem.not-pem")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Prose."""
    return file("the chain goes here", now)


@case("pem.broken-block")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root without its last line."""
    return file(root("root", now=now).certificate.pem.rpartition("-----END")[0], now)


@case("pem.undecodable")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root with one line lost."""
    lines = root("root", now=now).certificate.pem.splitlines()
    return file("\n".join([*lines[:2], *lines[3:]]), now)


@case("pem.foreign-block")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A signing request beside the root."""
    request = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"
    return file(root("root", now=now).certificate.pem + request, now)


@case("chain.no-ca")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A client's certificate in the place of its CA's."""
    return file(root("root", now=now).issue("ava", now=now).certificate_pem, now)


@case("chain.not-a-ca")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> issuer with CA:FALSE that says keyCertSign."""
    top = root("root", now=now)
    return chain(top.intermediate("issuing", now=now, ca=False), top, now=now)


@case("chain.leaf")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> server, both in the file."""
    top = root("root", now=now)
    return chain(top.issue("shop", now=now, extended_key_usages=("serverAuth",)), top, now=now)


@case("chain.may-not-sign")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root whose key usage is only cRLSign."""
    return chain(root("root", now=now, key_usages=("cRLSign",)), now=now)


@case("chain.version-1")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A version 1 root."""
    return chain(root("root", now=now, version=1), now=now)


@case("chain.missing-root")
def _(now: datetime) -> Iterable[Diagnostic]:
    """(root) -> intermediate, the root left out."""
    return chain(root("root", now=now).intermediate("issuing", now=now), now=now)


@case("chain.missing-intermediate")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> (middle) -> issuing, the middle left out."""
    top = root("root", now=now)
    middle = top.intermediate("middle", now=now, path_length=None)
    return chain(middle.intermediate("issuing", now=now), top, now=now)


@case("chain.path-length")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root with pathlen 0 -> intermediate."""
    top = root("root", now=now, path_length=0)
    return chain(top.intermediate("issuing", now=now), top, now=now)


@case("chain.same-name")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Two roots of one name without key identifiers."""
    return chain(*(root("root", now=now, subject_key_identifier=False) for _ in range(2)), now=now)


@case("chain.no-client-auth")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> intermediate for servers."""
    top = root("root", now=now)
    return chain(top.intermediate("issuing", now=now, extended_key_usages=("serverAuth",)), top, now=now)


@case("chain.out-of-order")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root before intermediate."""
    top = root("root", now=now)
    return chain(top, top.intermediate("issuing", now=now), now=now)


@case("chain.duplicate")
def _(now: datetime) -> Iterable[Diagnostic]:
    """The root twice."""
    top = root("root", now=now)
    return chain(top, top, now=now)


@case("chain.signature")
def _(now: datetime) -> Iterable[Diagnostic]:
    """An Ed25519 root."""
    return chain(root("root", now=now, key_type="ed25519"), now=now)


@case("chain.expired")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root of yesterday."""
    return chain(root("root", now=now - 11 * DAY, days=10), now=now)


@case("chain.not-yet-valid")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root of tomorrow."""
    return chain(root("root", now=now + DAY), now=now)


@case("chain.sha1")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> intermediate signed with SHA-1."""
    top = root("root", now=now)
    return chain(top.intermediate("issuing", now=now, signature="sha1"), top, now=now)


@case("chain.weak-rsa")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root of 1024 bits."""
    return chain(root("root", now=now, key_type="rsa1024"), now=now)


@case("chain.expiring")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root with 29 days left."""
    return chain(root("root", now=now, days=29), now=now)


@case("chain.outlived")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root of 100 days -> intermediate of 200."""
    top = root("root", now=now, days=100)
    return chain(top.intermediate("issuing", now=now, days=200), top, now=now)


@case("chain.superseded")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root of last year beside its renewal with the same key."""
    old = root("root", now=now - 400 * DAY, days=300)
    return chain(old, root("root", now=now, key=old.key), now=now)


@case("chain.sha1-root")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A root that signed itself with SHA-1."""
    return chain(root("root", now=now, signature="sha1"), now=now)


@case("chain.refused")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root with a critical extension that nobody knows."""
    return chain(root("root", now=now, extra=(("1.2.3.4", True, b"\x05\x00"),)), now=now)


@case("client.unknown-issuer")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> intermediate -> leaf, only the root in the chain: the most common mistake of all."""
    top = root("root", now=now)
    return client(top, top.intermediate("issuing", now=now).issue("ava", now=now), now)


@case("client.name-constraint")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root for DNS:example.com -> leaf for jeann.net."""
    top = root("root", now=now, permitted=("DNS:example.com",))
    return client(top, top.issue("ava", now=now, dns_names=("jeann.net",)), now)


@case("client.expired")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf of yesterday."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, not_before=now - 9 * DAY, not_after=now - DAY), now)


@case("client.not-yet-valid")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf of tomorrow."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, not_before=now + DAY), now)


@case("client.refused")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf with a critical extension that nobody knows."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, extra=(("1.2.3.4", True, b"\x05\x00"),)), now)


@case("client.no-client-auth")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf for any purpose, which OpenSSL does not count as clientAuth."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, extended_key_usages=("any",)), now)


@case("client.no-signing")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf with keyEncipherment alone."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, key_usages=("keyEncipherment",)), now)


@case("client.refused-by-servers")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> intermediate for servers -> leaf."""
    authority = root("root", now=now).intermediate("issuing", now=now, extended_key_usages=("serverAuth",))
    return client(authority, authority.issue("ava", now=now), now)


@case("client.unloadable")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf of 1024 bits."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, key_type="rsa1024"), now)


@case("client.not-sent")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf on secp256k1."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, key_type="ec256k1"), now)


@case("client.outlives-ca")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root of 100 days -> leaf of 365."""
    top = root("root", now=now, days=100)
    return client(top, top.issue("ava", now=now), now)


@case("client.ambiguous-issuer")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Two roots of one name, leaf of the first without authority key identifier."""
    one, other = root("root", now=now), root("root", now=now)
    leaf = one.issue("ava", now=now, authority_key_identifier=False)
    return lint_client(leaf.certificate, [one.certificate, other.certificate], at=now)


@case("client.expiring")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf with 29 days left."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, days=29), now)


@case("client.version-1")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> version 1 leaf, as Cloudflare's openssl recipe makes it."""
    top = root("root", now=now)
    return client(top, top.issue("ava", now=now, version=1), now)


@case("client.strict")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf with a common name only."""
    top = root("root", now=now)
    return lint_strict(top.issue("ava", now=now).certificate, top.chain.certificates, at=now)


@case("client.sent-astray")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Root -> leaf, with another root behind it in the file."""
    top, other = root("root", now=now), root("other", now=now)
    return lint_clients_own([top.issue("ava", now=now).certificate, other.certificate], at=now)


@case("client.sent-out-of-date")
def _(now: datetime) -> Iterable[Diagnostic]:
    """(Root) -> issuing CA that ended yesterday -> leaf, with the issuing CA behind it in the file."""
    issuing = root("root", now=now).intermediate("issuing", now=now - 30 * DAY, days=29)
    return lint_clients_own([issuing.issue("ava", now=now).certificate, issuing.certificate], at=now)


@case("identity.no-certificate")
def _(now: datetime) -> Iterable[Diagnostic]:
    """The key's file given twice."""
    ava = self_signed("ava", now=now)
    return loading(ava.key_pem, ava.key_pem)


@case("identity.no-key")
def _(now: datetime) -> Iterable[Diagnostic]:
    """The certificate's file given twice."""
    ava = self_signed("ava", now=now)
    return loading(ava.certificate_pem, ava.certificate_pem)


@case("identity.unreadable-key")
def _(now: datetime) -> Iterable[Diagnostic]:
    """A key without its last line."""
    ava = self_signed("ava", now=now)
    return loading(ava.certificate_pem, ava.key_pem.rpartition("-----END")[0])


@case("identity.unsupported-key")
def _(now: datetime) -> Iterable[Diagnostic]:
    """An X25519 key, which cannot sign."""
    body = "MC4CAQAwBQYDK2VuBCIEI" + "A" * 43  # PKCS#8 frame around 32 zero bytes
    key = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    return loading(self_signed("ava", now=now).certificate_pem, key)


@case("identity.key-mismatch")
def _(now: datetime) -> Iterable[Diagnostic]:
    """Ava's certificate, Ben's key."""
    return loading(self_signed("ava", now=now).certificate_pem, self_signed("ben", now=now).key_pem)


@case("identity.passphrase-missing")
def _(now: datetime) -> Iterable[Diagnostic]:
    """An encrypted key, no passphrase."""
    ava = self_signed("ava", now=now)
    return loading(ava.certificate_pem, pkcs8(ava.key, b"s3same"))


@case("identity.passphrase-wrong")
def _(now: datetime) -> Iterable[Diagnostic]:
    """An encrypted key, another passphrase."""
    ava = self_signed("ava", now=now)
    return loading(ava.certificate_pem, pkcs8(ava.key, b"s3same"), b"sesame")


def test_every_code_has_its_case() -> None:
    """No code without a certificate that sets it off, none twice."""
    assert sorted(CASES) == sorted(c.code for c in CODES)
    assert len({c.code for c in CODES}) == len(CODES)


@pytest.mark.parametrize("code", CASES)
def test_the_case_sets_off_its_code_and_no_other(now: datetime, code: str) -> None:
    """Exactly one finding, with a sentence of detail."""
    (found,) = CASES[code](now)
    assert found.code.code == code
    assert found.detail.strip().endswith(".")


def test_a_good_chain_and_client_say_nothing(family: Authority, now: datetime) -> None:
    """Root -> intermediate -> leaf in the documented order: silence, also without any client."""
    leaf = family.issue("ava", now=now).certificate
    assert lint_chain(family.chain, at=now, clients=[leaf]) == ()
    assert check_chain_file(family.chain.pem.encode(), at=now) == (family.chain, ())


def test_an_error_leaves_no_chain_a_warning_does(family: Authority, now: datetime) -> None:
    """A chain with an error cannot be planned; one with warnings can."""
    top = root("root", now=now, days=10)
    assert check_chain_file(top.chain.pem.encode(), at=now)[0] == top.chain
    assert check_chain_file(top.chain.pem.encode(), at=now + 20 * DAY)[0] is None


def test_clients_are_linted_with_their_chain(family: Authority, now: datetime) -> None:
    """A client of another CA among good ones: one error, which names the client."""
    good, stranger = family.issue("ava", now=now), root("elsewhere", now=now).issue("ben", now=now)
    (found,) = lint_chain(family.chain, at=now, clients=[good.certificate, stranger.certificate])
    assert found.code.code == "client.unknown-issuer"
    assert "CN=ben" in found.detail
    assert "CN=elsewhere" in found.detail


def test_a_client_alone_is_looked_at_without_a_chain(now: datetime) -> None:
    """No chain: no verdict, but dates, key and purpose are still seen."""
    ava = self_signed("ava", now=now, extended_key_usages=("serverAuth",), days=5).certificate
    assert [d.code.code for d in lint_client(ava, None, at=now)] == [
        "client.no-client-auth",
        "client.expiring",
    ]


def test_soon_is_what_the_caller_says(family: Authority, now: datetime) -> None:
    """31 days left: silent at 30, a warning at 60."""
    top = root("root", now=now, days=31)
    assert lint_chain(top.chain, at=now) == ()
    assert [d.code.code for d in lint_chain(top.chain, at=now, expiring_within_days=60)] == ["chain.expiring"]


def test_key_identifiers_tell_namesakes_apart(now: datetime) -> None:
    """Two roots of one name with identifiers, as a rotation makes them: silence, and OpenSSL agrees."""
    old, new = root("root", now=now), root("root", now=now)
    both = [new.certificate, old.certificate]
    for authority in (old, new):
        leaf = authority.issue("ava", now=now).certificate
        assert lint_chain(both, at=now, clients=[leaf]) == ()
        assert judge([c.der for c in both], leaf.der, at=now).ok


def test_path_lengths_count_authorities_only(now: datetime) -> None:
    """Root pathlen 1 -> middle pathlen 0 -> (client): allowed; one more CA below middle: not."""
    top = root("root", now=now, path_length=1)
    middle = top.intermediate("middle", now=now)
    assert chain(middle, top, now=now) == ()
    low = middle.intermediate("low", now=now)
    found = chain(low, middle, top, now=now)
    assert [d.code.code for d in found] == ["chain.path-length", "chain.path-length"]
    leaf = low.issue("ava", now=now).certificate
    assert judge([c.der for c in low.chain.certificates], leaf.der, at=now).code == 25


def test_the_strict_verifier_accepts_what_the_web_would(now: datetime) -> None:
    """Root -> leaf with a DNS name: nothing to say; without any root there is nothing to trust."""
    top = root("root", now=now)
    leaf = top.issue("ava", now=now, dns_names=("ava.example",)).certificate
    assert lint_strict(leaf, top.chain.certificates, at=now) == ()
    assert "no root" in lint_strict(leaf, [], at=now)[0].detail


def test_fixes_show_commands_alone_on_indented_lines() -> None:
    """A command in a fix can be copied: four spaces, nothing else on the line."""
    rules = (*lint.CHAIN_RULES, lint.REFUSED_CHAIN, lint.REFUSED_CLIENT)
    commands = [line for r in rules for line in r.fix.splitlines() if "cf-mtls" in line]
    assert commands
    assert all(line.startswith("    cf-mtls ") for line in commands)
