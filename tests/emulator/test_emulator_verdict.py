"""The verdict against `openssl verify -purpose sslclient`, asked the same questions."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from emulator_kit import DAY, NOW, Pair, Pki, issue, save
from OpenSSL import SSL

from cf_mtls.emulator.pem import blocks_of, load
from cf_mtls.emulator.verdict import judge
from cf_mtls.pki import chain

if TYPE_CHECKING:
    from pathlib import Path

OPENSSL = shutil.which("openssl")


def key_usage(**on: bool) -> x509.KeyUsage:
    """A key usage with only these bits."""
    bits = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{b: on.get(b, False) for b in bits})


def _netscape(pair: Pair, issuer: Pair, bits: int) -> Pair:
    extension = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("2.16.840.1.113730.1.1"), bytes([3, 2, 0, bits])
    )
    c = pair.certificate
    builder = x509.CertificateBuilder(
        c.issuer, c.subject, c.public_key(), c.serial_number, c.not_valid_before_utc, c.not_valid_after_utc
    ).add_extension(extension, critical=False)
    return Pair(builder.sign(issuer.key, hashes.SHA256()), pair.key)


def cases(pki: Pki) -> dict[str, tuple[list[Pair], list[Pair], Pair]]:
    """Name to bundle, what the client sends beside its leaf, and the leaf."""
    root, mid = pki.root, pki.intermediate
    bundle = [mid, root]
    server_ca = issue("server-only CA", root, ca=True, usages=[Usage.SERVER_AUTH])
    signer = issue("Signer", root, ca=True, key_usage=key_usage(key_cert_sign=True))
    old_root = issue("Old", ca=True, since=NOW - 9 * DAY, until=NOW - DAY)
    found: dict[str, tuple[list[Pair], list[Pair], Pair]] = {
        kind: (bundle, [], pair) for kind, (pair, _) in pki.matrix().items() if pair
    }
    usages = {
        "no usage": {}, "any usage": {"usages": [Usage.ANY_EXTENDED_KEY_USAGE]},
        "email": {"usages": [Usage.EMAIL_PROTECTION]},
        "key encipherment only": {"key_usage": key_usage(key_encipherment=True)},
        "key agreement only": {"key_usage": key_usage(key_agreement=True)},
        "digital signature": {"key_usage": key_usage(digital_signature=True)},
        "leaf that is a CA": {"ca": True},
    }  # fmt: skip
    found |= {kind: (bundle, [], issue("fleet", mid, **given)) for kind, given in usages.items()}  # type: ignore[arg-type]
    found |= {
        "root and intermediate turned round": ([root, mid], [], pki.good),
        "duplicates": ([mid, root, mid, root], [], pki.good),
        "only the intermediate": ([mid], [], pki.good),
        "intermediate missing": ([root], [], pki.good),
        "intermediate sent": ([root], [mid], pki.good),
        "rogue intermediate sent": ([root], [pki.rogue], pki.good),
        "rogue chain sent whole": ([root], [pki.rogue, pki.rogue_root], pki.other_ca),
        "intermediate for servers only": ([server_ca, root], [], issue("fleet", server_ca)),
        "expired root": ([old_root], [], issue("fleet", old_root)),
        "self-signed leaf that is the bundle": ([pki.self_signed], [], pki.self_signed),
        "intermediate that may only sign": ([signer, root], [], issue("fleet", signer)),
        "netscape client": (bundle, [], _netscape(pki.good, mid, 0x80)),
        "netscape server": (bundle, [], _netscape(pki.good, mid, 0x40)),
    }
    return found


def _openssl(bundle: list[Pair], sent: list[Pair], leaf: Pair, folder: Path) -> bool:
    (folder / "ca.pem").write_text("".join(p.pem for p in bundle))
    (folder / "sent.pem").write_text("".join(p.pem for p in sent))
    (folder / "leaf.pem").write_text(leaf.pem)
    untrusted: list[Any] = ["-untrusted", folder / "sent.pem"] if sent else []
    command = [OPENSSL, "verify", "-purpose", "sslclient", "-CAfile", folder / "ca.pem", *untrusted]
    return subprocess.run([*command, folder / "leaf.pem"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")
def test_the_verdict_is_openssls(pki: Pki, tmp_path: Path) -> None:
    """On every case the same as `openssl verify -purpose sslclient`; both answers occur (facts: edge 2)."""
    ours, theirs = {}, {}
    for kind, (bundle, sent, leaf) in cases(pki).items():
        at = NOW.timestamp()
        ours[kind] = judge([p.der for p in bundle], leaf.der, [p.der for p in sent], at).ok
        theirs[kind] = _openssl(bundle, sent, leaf, tmp_path)
    assert ours == theirs
    assert len(ours) > 20
    assert {True, False} == set(ours.values())


@pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")
def test_the_documented_recipe_is_accepted(pki: Pki, tmp_path: Path) -> None:
    """Cloudflare's own `openssl x509 -req` without extensions makes a version 1 leaf; it is fine."""
    ca, key = save(pki.intermediate, tmp_path)
    new = [
        OPENSSL,
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=old",
        "-keyout",
        "k",
        "-out",
        "r",
    ]
    sign = [OPENSSL, "x509", "-req", "-in", "r", "-CA", ca, "-CAkey", key, "-CAcreateserial", "-out", "c"]
    for command in (new, sign):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    leaf = load((tmp_path / "c").read_bytes())
    assert leaf.version is x509.Version.v1
    bundle = [pki.intermediate.der, pki.root.der]
    assert judge(bundle, leaf.public_bytes(Encoding.DER), [], time.time() + 60).ok


def test_a_verdict_says_why(pki: Pki) -> None:
    """In OpenSSL's words, as Cloudflare's tlsClientAuth does."""
    bundle = [pki.intermediate.der, pki.root.der]
    text = judge(bundle, pki.expired.der, [], NOW.timestamp()).text
    assert text == "FAILED:certificate has expired"
    assert judge(bundle, pki.good.der, [], NOW.timestamp()).text == "SUCCESS"
    assert judge(bundle, b"\x30\x00", [], NOW.timestamp()).text == "FAILED:certificate could not be parsed"


def test_time_is_an_argument(pki: Pki) -> None:
    """The same certificate, before, within and after its life."""
    bundle = [pki.intermediate.der, pki.root.der]
    ats = [NOW - 5 * DAY, NOW, NOW + 99 * DAY]
    assert [judge(bundle, pki.good.der, [], at.timestamp()).ok for at in ats] == [False, True, False]


def test_blocks_keep_their_order(pki: Pki) -> None:
    """Text around the blocks and CRLF do not matter."""
    text = "# comment\r\n" + pki.chain.replace("\n", "\r\n") + "trailing"
    assert [b.der for b in blocks_of(text)] == [pki.intermediate.der, pki.root.der]


def test_a_refusal_leaves_nothing_for_the_next_tls_call(pki: Pki) -> None:
    """A connection in the same thread goes on as ever, and does not take a forged chain's errors for its own."""
    bundle = [pki.intermediate.der, pki.root.der]
    line = shaken(pki.good)
    for ask in (
        lambda: judge(bundle, pki.other_ca.der, [], NOW.timestamp()),
        lambda: chain.judge(bundle, pki.other_ca.der, [], NOW, chain.SSLCLIENT),
    ):
        assert not ask().ok
        with pytest.raises(SSL.WantReadError):
            line.recv(1)


def shaken(server: Pair) -> SSL.Connection:
    """A client's end of a TLS connection in memory, after its handshake."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(server.certificate)
    context.use_privatekey(server.key)
    one, other = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None), SSL.Connection(context, None)
    one.set_connect_state()
    other.set_accept_state()
    for here, there in ((one, other), (other, one)) * 3:
        with suppress(SSL.WantReadError):
            here.do_handshake()
        with suppress(SSL.WantReadError):
            there.bio_write(here.bio_read(65536))
    return one
