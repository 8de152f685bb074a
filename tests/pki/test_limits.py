"""What a PEM file may hold, and that it is gone through once: each of these would never end otherwise."""

from __future__ import annotations

import re
from random import Random

import pytest
from conftest import BUDGET, NOW

from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.blocks import MOST_BLOCKS, TOO_MANY, holds_private_key, read_blocks
from cf_mtls.pki.identity import load_identity, load_key, read_client_certificates
from cf_mtls.pki.kin import heights, ordered
from cf_mtls.pki.lint import lint_chain
from cf_mtls.pki.pem import Certificate, Chain, read_certificates, read_chain
from cf_mtls.pki.tree import tree
from cf_mtls.report.pki import tree as tree_text
from cf_mtls.report.terminal import Paint

KEY = re.compile(rb"-{2,}\s*(?:BEGIN|END)[^\r\n]*PRIVATE\s+KEY", re.IGNORECASE)
"""What a private key's marker is, in one expression; it goes back too often to be used."""

BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)

SIZE = 2_000_000
LONG = {
    "dashes": b"-" * SIZE,
    "markers in one line": b"--BEGIN" * (SIZE // 7),
    "markers and keys": b"--BEGI PRIVATE KEY" * (SIZE // 18),
    "spaces": b"--" + b" " * SIZE,
    "PRIVATE and spaces": b"PRIVATE" + b" " * SIZE,
    "keys that never end": b"-----BEGIN A PRIVATE KEY-----\n" * (SIZE // 30),
    "ends that never began": b"-----END A PRIVATE KEY-----\n" * (SIZE // 28),
    "a long label": b"-----BEGIN " + b"A" * SIZE,
    "empty lines": b"\n" * SIZE,
    "blocks": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * (SIZE // 60),
    "begins": b"-----BEGIN CERTIFICATE-----\n" * (SIZE // 28),
    "one line of blocks": b"-----BEGIN X----------END X-----" * (SIZE // 32),
}


@pytest.mark.parametrize("what", LONG)
def test_a_long_file_is_gone_through_once(what: str) -> None:
    """Two megabytes of what makes a careless reader look again and again; both readers, and the keys'."""
    read_blocks(LONG[what])
    read_client_certificates(LONG[what])
    load_key(LONG[what])


def test_a_private_key_is_found_wherever_it_was() -> None:
    """The scanner against the expression, on short texts of the pieces that matter."""
    random, found = Random(3), 0
    pieces = (
        b"-",
        b"--",
        b"BEGIN",
        b"End",
        b" ",
        b"\n",
        b"\r",
        b"PRIVATE",
        b"private",
        b"KEY",
        b"x",
        b"-----",
    )
    for _ in range(20_000 * BUDGET):
        text = b"".join(random.choices(pieces, k=random.randint(1, 12)))
        expected = bool(KEY.search(text))
        assert holds_private_key(text) is expected, text
        found += expected
    assert found > 20 * BUDGET


def test_key_blocks_are_cut_out_as_before() -> None:
    """Whatever stands around, within or between them."""
    random = Random(4)
    pieces = [f"-----{w} {label}-----\n".encode() for w in ("BEGIN", "END")
              for label in ("PRIVATE KEY", "RSA PRIVATE KEY", "CERTIFICATE")]  # fmt: skip
    for _ in range(5_000 * BUDGET):
        text = b"".join(random.choices([*pieces, b"AAAA\n", b"x"], k=random.randint(1, 10)))
        rest = BLOCK.sub(b"", text)
        expected = ((), ()) if rest != text and b"-----BEGIN" not in rest else read_certificates(rest)
        assert read_client_certificates(text)[0] == expected[0]
        loaded = load_key(text)
        assert ("no-key" in getattr(loaded, "code").code) == (not KEY.search(text))  # noqa: B009


@pytest.fixture(scope="module")
def line() -> list[Certificate]:
    """A root and as many CAs as a file may hold, each below the one before."""
    authority: Authority = root("CA", now=NOW)
    found = [authority.certificate]
    while len(found) < MOST_BLOCKS:
        authority = authority.intermediate(f"CA {len(found)}", now=NOW, path_length=None)
        found.append(authority.certificate)
    return found


def test_as_many_as_may_be_are_read_and_one_more_is_refused(line: list[Certificate]) -> None:
    """The limit is said; and what is within it is read, ordered, judged and shown, however deep."""
    whole = "".join(c.pem for c in line).encode()
    chain, problems = read_chain(whole)
    assert problems == ()
    assert chain is not None
    assert len(chain.certificates) == MOST_BLOCKS
    assert len(tree_text(tree(line), NOW, Paint()).splitlines()) > MOST_BLOCKS
    lint_chain(line, at=NOW)
    chain, (problem,) = read_chain(whole + line[0].pem.encode())
    assert (chain, problem.code) == (None, TOO_MANY)
    assert str(MOST_BLOCKS) in problem.detail
    assert [d.code for d in load_identity(whole * 70, b"")[1]][:1] == [TOO_MANY]


def test_twenty_thousand_cas_are_refused_by_their_number() -> None:
    """Without a word it ran for half a minute; now nothing of them is decoded."""
    one = root("CA", now=NOW).certificate.pem.encode()
    (problem,) = read_certificates(one * 20_000)[1]
    assert problem.code.code == "pem.too-many-blocks"


def test_the_order_is_from_the_bottom_to_the_root(line: list[Certificate]) -> None:
    """Whatever the order in the file."""
    some = line[:40]
    Random(1).shuffle(some)
    assert Chain(tuple(some)).certificates == tuple(reversed(line[:40]))


def test_cas_of_one_name_are_judged() -> None:
    """As many as may be, each with a key of its own: every pair is said, and it ends."""
    lines = [root("CA", now=NOW, subject_key_identifier=False).certificate for _ in range(60)]
    said = [d for d in lint_chain(lines, at=NOW) if d.code.code == "chain.same-name"]
    assert len(said) == 60 * 59 / 2


def test_cas_that_sign_each_other_have_an_order() -> None:
    """Thirty CAs of one name, none of them a root, each of which may have issued every other."""
    ours = [root(f"name {n % 2}", now=NOW) for n in range(2)]
    circle = [
        ours[n % 2].intermediate(f"name {(n + 1) % 2}", now=NOW, authority_key_identifier=False).certificate
        for n in range(30)
    ]
    found = [c.x509 for c in circle]
    assert sorted(ordered(found)) == list(range(30))
    assert max(heights(found)) > 0
    assert heights(found) == tuple(reversed(heights(list(reversed(found)))))
    assert tree(circle)
    lint_chain(circle, at=NOW)
