"""No input makes the PEM reader raise, and no harmless change of a file changes what is read."""

from __future__ import annotations

import json
from functools import cache

from conftest import BUDGET, NOW
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cf_mtls.pki.authority import root
from cf_mtls.pki.blocks import PRIVATE_KEY
from cf_mtls.pki.chain import judge
from cf_mtls.pki.identity import load_identity
from cf_mtls.pki.lint import lint_chain, lint_strict
from cf_mtls.pki.pem import Certificate, Chain, read_certificates, read_chain
from cf_mtls.pki.tree import tree
from cf_mtls.report.pki import certificate_object
from cf_mtls.report.pki import tree as text_of
from cf_mtls.report.terminal import Paint

often = settings(max_examples=300 * BUDGET, deadline=None, suppress_health_check=[HealthCheck.too_slow])

LABELS = (
    "CERTIFICATE",
    "X509 CERTIFICATE",
    "TRUSTED CERTIFICATE",
    "CERTIFICATE REQUEST",
    "PUBLIC KEY",
    "",
    "É\x00",
)


@cache
def made() -> tuple[Certificate, ...]:
    """Root, intermediate, leaf."""
    authority = root("root", now=NOW).intermediate("issuing", now=NOW)
    leaf = authority.issue("ava", now=NOW).certificate
    return (*reversed(authority.chain.certificates), leaf)


def blocks() -> st.SearchStrategy[str]:
    """Good blocks, blocks of other labels, blocks with other bytes."""
    good = st.integers(0, 2).map(lambda i: made()[i].pem)
    body = st.one_of(st.text(max_size=40), st.binary(max_size=60).map(lambda b: b.hex()))
    odd = st.tuples(st.sampled_from(LABELS), body, st.sampled_from(LABELS)).map(
        lambda p: f"-----BEGIN {p[0]}-----\n{p[1]}\n-----END {p[2]}-----\n"
    )
    return st.one_of(good, odd, st.text(max_size=30))


def check(data: bytes) -> None:
    """What must hold of every answer, whatever was read."""
    chain, problems = read_chain(data)
    certificates, also = read_certificates(data)
    assert (chain is None) == bool(problems)
    assert set(also) <= set(problems)
    assert chain is None or set(chain.certificates) == set(certificates)
    assert all(p.code.summary and p.detail for p in problems)
    if PRIVATE_KEY in {p.code for p in problems}:
        assert (len(problems), certificates) == (1, ())
    for certificate in certificates:
        texts = (
            certificate.subject,
            certificate.issuer,
            certificate.pem,
            certificate.sha256,
            certificate.md5,
        )
        assert all(isinstance(text, str) for text in texts)
        assert certificate.not_before.tzinfo
        assert certificate.is_ca in {True, False}


@often
@given(st.binary(max_size=400))
def test_random_bytes_are_read_without_an_exception(data: bytes) -> None:
    """Noise."""
    check(data)


@often
@given(st.lists(blocks(), max_size=6), st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-8-sig"]))
def test_files_of_blocks_are_read_without_an_exception(parts: list[str], encoding: str) -> None:
    """Good blocks, bad blocks and text in any order and encoding."""
    check("".join(parts).encode(encoding, errors="surrogatepass"))


@often
@given(st.data())
def test_a_damaged_file_is_read_without_an_exception(data: st.DataObject) -> None:
    """A good chain cut short, with bytes changed, removed or put in anywhere."""
    file = bytearray("".join(c.pem for c in made()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(file) - 1, 0)))
        length, put = data.draw(st.integers(0, 3)), data.draw(st.binary(max_size=3))
        file[at : at + length] = put
    check(bytes(file[: data.draw(st.integers(0, len(file)))] if data.draw(st.booleans()) else file))


@often
@given(st.data())
def test_damaged_der_is_read_without_an_exception(data: st.DataObject) -> None:
    """Any byte of a certificate changed: it is refused, or can be asked, linted, drawn and judged."""
    der = bytearray(data.draw(st.sampled_from(made())).der)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        certificate = Certificate.from_der(bytes(der))
    except ValueError:
        return
    check(certificate.pem.encode())
    everything = [certificate, *made()]
    assert lint_chain(everything, at=NOW, clients=[certificate]) is not None
    assert lint_strict(certificate, made()[:2], at=NOW) is not None
    assert text_of(tree(everything), NOW, Paint())
    assert json.dumps(certificate_object(certificate, NOW))
    assert judge([c.der for c in made()[:2]], certificate.der, at=NOW).reason


@often
@given(
    st.permutations((0, 1)),
    st.lists(st.integers(0, 1), max_size=3),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.text(st.characters(exclude_characters="-", exclude_categories=["Cs"]), max_size=30),
    st.integers(0, 8),
)
def test_harmless_changes_read_as_the_same_chain(
    order: list[int], again: list[int], line_break: str, encoding: str, comment: str, indent: int
) -> None:
    """Order, duplicates, line breaks, byte order marks, comments, indentation: one chain, one digest."""
    parts = [made()[i].pem for i in (*order, *again)]
    text = f"{comment}\n" + f"\n{comment}\n".join(parts) + comment
    text = text.replace("\n", "\n" + " " * indent).replace("\n", line_break)
    assert read_chain(text.encode(encoding)) == (Chain(made()[:2]), ())


@often
@given(
    st.binary(max_size=200),
    st.sampled_from(["PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]),
    st.data(),
)
def test_a_private_key_is_always_the_only_answer(noise: bytes, kind: str, data: st.DataObject) -> None:
    """Wherever the marker stands, whatever is around it: one error and nothing read, nothing repeated."""
    marker = f"-----{data.draw(st.sampled_from(['BEGIN', 'END']))} {kind}-----".encode()
    secret = b"U0VDUkVUU0VDUkVU"
    file = noise + b"\n" + marker + b"\n" + secret + b"\n" + noise + made()[0].pem.encode()
    chain, problems = read_chain(file)
    assert chain is None
    assert [p.code for p in problems] == [PRIVATE_KEY]
    assert secret.decode() not in repr(problems)
    check(file)


@often
@given(st.binary(max_size=300), st.binary(max_size=300), st.one_of(st.none(), st.binary(max_size=20)))
def test_loading_an_identity_never_raises(certificate: bytes, key: bytes, passphrase: bytes | None) -> None:
    """Noise as certificate, key and passphrase, with and without the markers of a key around it."""
    wrapped = b"-----BEGIN PRIVATE KEY-----\n" + key.hex().encode() + b"\n-----END PRIVATE KEY-----\n"
    for text in (key, wrapped, wrapped.replace(b"PRIVATE", b"ENCRYPTED PRIVATE")):
        loaded, problems = load_identity(certificate, text, passphrase)
        assert loaded is None
        assert problems
