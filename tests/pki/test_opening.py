"""What opening a key file may take: its rounds are counted first, and a panic of the library is a damaged file."""

from __future__ import annotations

import base64
import re
import shutil
import struct
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import pkcs12 as library

from cf_mtls.diagnostics import Diagnostic
from cf_mtls.pki import pkcs12
from cf_mtls.pki.authority import root
from cf_mtls.pki.identity import WRONG, load_identity
from cf_mtls.pki.keys import generate
from cf_mtls.pki.opening import MOST, TOO_MUCH, _unpacked, decoding, rounds, too_much
from cf_mtls.pki.requests import read_request

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="the openssl binary is not installed")

NOW = datetime(2026, 6, 1, tzinfo=UTC)
JEAN = root("CA", now=NOW).issue("jean", now=NOW)


def openssl(folder: Path, *words: str) -> bytes:
    (folder / "key.pem").write_text(JEAN.key_pem)
    (folder / "cert.pem").write_text(JEAN.certificate_pem)
    command = ["openssl", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout


PKCS8 = ("pkcs8", "-topk8", "-in", "key.pem", "-passout", "pass:pw")
PKCS12 = ("pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem", "-passout", "pass:pw")


@needs_openssl
@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ((*PKCS8, "-iter", "1234"), 1234),
        ((*PKCS8, "-iter", "1234", "-v2prf", "hmacWithSHA512"), 1234),
        ((*PKCS8, "-iter", "1234", "-v1", "PBE-SHA1-3DES"), 1234),
        ((*PKCS8, "-scrypt", "-scrypt_N", "1024", "-scrypt_r", "4", "-scrypt_p", "2"), 3 * 1024 * 4 * 2),
        ((*PKCS12, "-iter", "1234"), 3 * 1234),  # the certificates, the key, the MAC
        ((*PKCS12, "-iter", "1234", "-nomaciter"), 2 * 1234),
        ((*PKCS12, "-iter", "1234", "-certpbe", "NONE"), 2 * 1234),
        ((*PKCS12, "-iter", "1234", "-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES"), 3 * 1234),
        ((*PKCS12, "-keypbe", "NONE", "-certpbe", "NONE", "-nomac"), 0),
    ],
)
def test_the_rounds_that_openssl_wrote_are_counted(
    tmp_path: Path, words: tuple[str, ...], asked: int
) -> None:
    """In every form that it writes."""
    assert rounds(_unpacked(openssl(tmp_path, *words))) == asked


@needs_openssl
def test_what_asks_for_too_many_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    """A key and a PKCS#12 file, in less time than the rounds would take, and one below the limit is opened."""
    key = openssl(tmp_path, *PKCS8, "-iter", "1500000")
    bad = patched(_unpacked(key), 1_500_000, 2**31 - 1)
    pem = (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        + base64.encodebytes(bad)
        + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    began = time.process_time()
    identity, problems = load_identity(JEAN.certificate_pem.encode(), pem, b"pw")
    assert identity is None
    assert [p.code.code for p in problems] == ["identity.too-many-rounds"]
    assert "2,147,483,647" in problems[0].detail
    assert time.process_time() - began < 1
    assert load_identity(JEAN.certificate_pem.encode(), key, b"pw")[0] is not None


def test_the_sum_of_all_derivations_counts() -> None:
    """Each of the three below the limit, together above it."""
    each = MOST // 3 + 1
    how = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(each)
        .key_cert_algorithm(library.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(b"pw")
    )
    certificate = JEAN.certificate.x509
    data = library.serialize_key_and_certificates(b"jean", JEAN.key, certificate, None, how)
    identity, problems = pkcs12.load(data, b"pw")
    said = rounds(data) > MOST
    assert (identity is None) is said
    assert [p.code for p in problems] == ([TOO_MUCH] if said else [])
    assert rounds(data) >= 2 * each


def test_what_needs_no_work_is_opened() -> None:
    """Keys without a passphrase, and files that are something else, ask for none."""
    assert rounds(_unpacked(JEAN.key_pem.encode())) == 0
    assert rounds(JEAN.certificate.der) == 0
    assert too_much(b"") is None
    assert too_much(b"-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\nabc\n-----END X-----\n") is None


def test_what_is_encrypted_is_not_taken_for_numbers() -> None:
    """Of random bytes in the place of the encrypted key none looks like more work."""
    random = Random(1)
    salt = b"\x30\x0e\x04\x08saltsalt\x02\x02\x08\x00"
    for _ in range(20_000):
        inner = random.choice((b"\x30", b"\x24", b"")) + random.randbytes(40)
        assert (
            rounds(
                b"\x30" + bytes([len(salt) + 2 + len(inner)]) + salt + b"\x04" + bytes([len(inner)]) + inner
            )
            == 2048
        )


def test_indefinite_lengths_and_strings_in_pieces_are_read() -> None:
    """BER, as old Windows and NSS wrote it (X.690 8.1.3.6, 8.7.3)."""
    numbers = b"\x30\x0e\x04\x08saltsalt\x02\x02\x08\x00"
    pieces = b"\x24\x80" + b"".join(b"\x04\x01" + bytes([b]) for b in numbers) + b"\x00\x00"
    assert rounds(b"\x30\x80\x02\x01\x03" + pieces + b"\x00\x00") == 2048
    assert rounds(b"\x30\x80" * 3 + numbers + b"\x00\x00" * 3) == 2048
    assert rounds(b"\x30\x80" * 30_000) == 0


def test_a_file_on_which_the_library_panics_is_damaged() -> None:
    """Seen: a key as OpenSSL once encrypted it, with an initialization vector that is too short."""
    how = BestAvailableEncryption(b"pw")
    pem = generate("rsa2048").private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, how)
    cut = re.sub(rb"(DEK-Info: [^,]+,[0-9A-F]{4})[0-9A-F]+", rb"\1", pem)
    assert cut != pem
    identity, problems = load_identity(JEAN.certificate_pem.encode(), cut, b"pw")
    assert identity is None
    assert [p.code for p in problems] == [WRONG]


@pytest.mark.parametrize(
    ("kind", "becomes"),
    [
        (KeyboardInterrupt, KeyboardInterrupt),
        (SystemExit, SystemExit),
        (UnsupportedAlgorithm, UnsupportedAlgorithm),
        (ValueError, ValueError),
        (LookupError, ValueError),
        (type("PanicException", (BaseException,), {}), ValueError),
    ],
)
def test_what_the_library_may_raise_is_one_of_three(
    kind: type[BaseException], becomes: type[BaseException]
) -> None:
    """Ctrl-C stays what it is."""
    with pytest.raises(becomes) as found, decoding():
        raise kind("as it was")
    assert type(found.value) is becomes


def test_a_request_of_another_version_is_refused() -> None:
    """RFC 2986 4.1: there is one version, and the library has an exception of its own for others."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(JEAN.certificate.x509.subject)
    der = builder.sign(JEAN.key, hashes.SHA256()).public_bytes(Encoding.DER)
    at = der.index(b"\x02\x01\x00")
    other = base64.encodebytes(der[:at] + b"\x02\x01\x02" + der[at + 3 :])
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + other + b"-----END CERTIFICATE REQUEST-----\n"
    assert isinstance(read_request(pem), Diagnostic)


def patched(data: bytes, old: int, new: int) -> bytes:
    """A number of three bytes as one of four: every length around it one more."""
    inner = b"\x02\x03" + old.to_bytes(3)
    at = data.index(inner)
    made = data[:at] + b"\x02\x04" + struct.pack(">I", new) + data[at + 5 :]
    return longer(made, at)


def longer(data: bytes, at: int) -> bytes:
    """One added to the length of every value that begins before a place and reaches behind it."""
    made, place = bytearray(data), 0
    while place < at:
        size = made[place + 1]
        head = 2 + (size & 0x7F if size > 0x80 else 0)
        length = int.from_bytes(made[place + 2 : place + head]) if size > 0x80 else size
        if place + head + length > at:  # it reaches over: grow it and go in
            if size > 0x80:
                made[place + 2 : place + head] = (length + 1).to_bytes(size & 0x7F)
            else:
                made[place + 1] = size + 1
            place += head
        else:
            place += head + length
    return bytes(made)
