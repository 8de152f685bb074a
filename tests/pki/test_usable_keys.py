"""A client certificate is issued only where its holder can use it, and *accepted* is the verdict that was asked for.

The oracle is Python's own `ssl` (the system's OpenSSL), client against server, with the files that the program wrote
and the key that real `openssl` made. It shares nothing with the library that issues.
"""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cryptography
import pytest

from cf_mtls.cli.main import run
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import load_identity
from cf_mtls.pki.template import Overrides

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = run(["pki", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


RSA = ("-algorithm", "RSA", "-pkeyopt")
EC = ("-algorithm", "EC", "-pkeyopt")
PSS = ("-algorithm", "RSA-PSS", "-pkeyopt")
READS_EXPLICIT = True if int(cryptography.__version__.partition(".")[0]) >= 50 else None
"""Older ones may refuse a named curve whose parameters are written out (46.0.0 does): then no certificate is issued."""

KINDS: dict[str, tuple[tuple[str, ...], bool | None]] = {
    "RSA 2048": ((*RSA, "rsa_keygen_bits:2048"), True),
    "RSA 3072": ((*RSA, "rsa_keygen_bits:3072"), True),
    "RSA 2047": ((*RSA, "rsa_keygen_bits:2047"), False),
    "RSA 1024": ((*RSA, "rsa_keygen_bits:1024"), False),
    "RSA-PSS 2048": ((*PSS, "rsa_keygen_bits:2048"), False),
    "RSA-PSS 2048 for SHA-256": (
        (*PSS, "rsa_keygen_bits:2048", "-pkeyopt", "rsa_pss_keygen_md:sha256", "-pkeyopt",
         "rsa_pss_keygen_mgf1_md:sha256", "-pkeyopt", "rsa_pss_keygen_saltlen:32"), False,
    ),
    "P-256": ((*EC, "ec_paramgen_curve:P-256"), True),
    "P-384": ((*EC, "ec_paramgen_curve:P-384"), True),
    "P-521": ((*EC, "ec_paramgen_curve:P-521"), True),
    "P-256, every parameter written out": (
        (*EC, "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"), READS_EXPLICIT),
    "P-224": ((*EC, "ec_paramgen_curve:P-224"), False),
    "secp256k1": ((*EC, "ec_paramgen_curve:secp256k1"), False),
    "brainpoolP256r1": ((*EC, "ec_paramgen_curve:brainpoolP256r1"), False),
    "brainpoolP384r1": ((*EC, "ec_paramgen_curve:brainpoolP384r1"), False),
    "Ed25519": (("-algorithm", "ED25519"), True),
    "Ed448": (("-algorithm", "ED448"), False),
}  # fmt: skip
"""What real openssl can make a request with, and whether a certificate is issued for it. Ed448: this program cannot
load such a key, so that it could prove nothing with it; DSA is tried apart, and TLS 1.3 has no signature for it."""


def handshake(chain: Path, certificate: Path, key: Path) -> str:
    """What a server that demands a certificate of this chain says of it: '' when it came and holds, else why not."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "edge.key",
            "-subj", "/CN=edge", "-out", "edge.pem")  # fmt: skip
    server.load_cert_chain("edge.pem", "edge.key")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(chain)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    server.minimum_version = client.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        client.load_cert_chain(certificate, key)
        pipes = [ssl.MemoryBIO() for _ in range(2)]
        ends = [server.wrap_bio(pipes[0], pipes[1], server_side=True), client.wrap_bio(pipes[1], pipes[0])]
        for _ in range(6):
            for end in ends:
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        return "" if ends[0].getpeercert() else "no certificate came"
    except (ssl.SSLError, OSError, ValueError) as error:
        return str(error)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_issued_for_a_request_can_be_used_by_its_holder(cli: Cli, kind: str) -> None:
    """Issued, or refused before anything is written; of what was issued a real handshake succeeds."""
    make, is_issued = KINDS[kind]
    cli("ca", "fleet", "--no-encrypt")
    openssl("genpkey", *make, "-out", "own.key")
    openssl("req", "-new", "-key", "own.key", "-subj", "/CN=ava", "-out", "ava.csr")
    code, _, err = cli("issue", "--csr", "ava.csr")
    made = Path("pki/clients/ava.pem")
    is_issued = made.exists() if is_issued is None else is_issued
    assert (code, made.exists(), "[pki.bad-request]" in err) == (
        0 if is_issued else 1,
        is_issued,
        not is_issued,
    ), err
    if is_issued:
        assert handshake(Path("pki/chain.pem"), made, Path("own.key")) == ""


def test_a_dsa_request_is_refused(cli: Cli) -> None:
    """TLS 1.3 has no signature for such keys."""
    cli("ca", "fleet", "--no-encrypt")
    openssl(
        "genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", "dsa.par"
    )
    openssl("genpkey", "-paramfile", "dsa.par", "-out", "own.key")
    openssl("req", "-new", "-key", "own.key", "-subj", "/CN=ava", "-out", "ava.csr")
    code, _, err = cli("issue", "--csr", "ava.csr")
    assert (code, "[pki.bad-request]" in err) == (1, True)


@pytest.mark.parametrize("padding", ["pss", "pkcs1"])
def test_a_request_may_be_signed_either_way(cli: Cli, padding: str) -> None:
    """The padding of the request's own signature says nothing about the key."""
    cli("ca", "fleet", "--no-encrypt")
    openssl("genpkey", *RSA, "rsa_keygen_bits:2048", "-out", "own.key")
    openssl("req", "-new", "-key", "own.key", "-subj", "/CN=ava", "-out", "ava.csr", "-sigopt",
            f"rsa_padding_mode:{padding}")  # fmt: skip
    assert cli("issue", "--csr", "ava.csr")[0] == 0
    assert handshake(Path("pki/chain.pem"), Path("pki/clients/ava.pem"), Path("own.key")) == ""


@pytest.mark.parametrize("curve", ["secp256k1", "P-224", "brainpoolP256r1"])
def test_a_key_that_is_not_sent_is_said_of_a_client(cli: Cli, curve: str) -> None:
    """Of a certificate made elsewhere: a real handshake brings no certificate, and `inspect` warns."""
    cli("ca", "fleet", "--no-encrypt")
    openssl("genpkey", *EC, f"ec_paramgen_curve:{curve}", "-out", "own.key")
    openssl("req", "-new", "-key", "own.key", "-subj", "/CN=ava", "-out", "ava.csr")
    openssl(
        "x509",
        "-req",
        "-in",
        "ava.csr",
        "-CA",
        "pki/chain.pem",
        "-CAkey",
        "pki/issuing.key",
        "-out",
        "ava.pem",
    )
    assert handshake(Path("pki/chain.pem"), Path("ava.pem"), Path("own.key"))
    assert "[client.not-sent]" in cli("inspect", "ava.pem")[2]


def test_a_client_with_an_rsa_pss_key_is_said_to_be_unsupported(cli: Cli) -> None:
    """Its key would be handed on as plain RSA, which does not belong to its certificate: said, and no crash later."""
    openssl("genpkey", *PSS, "rsa_keygen_bits:2048", "-out", "own.key")
    openssl("req", "-x509", "-new", "-key", "own.key", "-subj", "/CN=ava", "-out", "ava.pem")
    loaded, (problem,) = load_identity(Path("ava.pem").read_bytes(), Path("own.key").read_bytes())
    assert (loaded, problem.code.code) == (None, "identity.unsupported-key")
    assert "RSA-PSS 2048" in cli("inspect", "ava.pem")[1]


# What "accepted" rests on


def written(authority: Authority, folder: Path, chain: str | None = None) -> None:
    """A CA's folder as `pki ca` lays it out. chain: another text for its chain file."""
    folder.mkdir()
    (folder / "chain.pem").write_text(authority.chain.pem if chain is None else chain)
    (folder / "issuing.key").write_text(authority.key_pem)


CONSTRAINED = ("DNS:allowed.example",)
CASES: dict[str, tuple[Overrides, Overrides, str]] = {
    "name constraints of the root": ({"permitted": CONSTRAINED}, {}, "permitted subtree violation"),
    "name constraints of the issuing CA": ({}, {"permitted": CONSTRAINED}, "permitted subtree violation"),
    "excluded names": ({}, {"excluded": ("DNS:example.com",)}, "excluded subtree violation"),
    "path length of the root": ({"path_length": 0}, {}, "path length constraint exceeded"),
    "key usage of the issuing CA": ({}, {"key_usages": ("digitalSignature",)}, "invalid CA certificate"),
    "key usage of the root": ({"key_usages": ("digitalSignature",)}, {}, "invalid CA certificate"),
    "nothing is in the way": ({}, {}, ""),
    "constraints that leave room": ({"permitted": ("DNS:example.com",)}, {"path_length": None}, ""),
    "purpose of the issuing CA": (
        {},
        {"extended_key_usages": ("serverAuth",)},
        "unsuitable certificate purpose",
    ),
    "purpose of the root": ({"extended_key_usages": ("serverAuth",)}, {}, "unsuitable certificate purpose"),
    "no CA at all": ({}, {"ca": False}, "invalid CA certificate"),
}


def of_case(case: str, now: object) -> Authority:
    above, below, _ = CASES[case]
    return root("r", now=now, **above).intermediate("i", now=now, **below)  # type: ignore[arg-type]


def by_openssl(name: str) -> bool:
    """What real openssl says, as a TLS server asks, of a certificate that the CA of `pki/` would issue."""
    openssl("genpkey", *EC, "ec_paramgen_curve:P-256", "-out", "o.key")
    openssl("req", "-new", "-key", "o.key", "-subj", f"/CN={name}", "-out", "o.csr")
    Path("o.ext").write_text(
        f"subjectAltName=DNS:{name}\nextendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n"
    )
    openssl("x509", "-req", "-in", "o.csr", "-CA", "pki/chain.pem", "-CAkey", "pki/issuing.key", "-extfile", "o.ext",
            "-days", "10", "-out", "o.pem")  # fmt: skip
    words = [
        "openssl",
        "verify",
        "-no-CApath",
        "-no-CAstore",
        "-purpose",
        "sslclient",
        "-CAfile",
        "pki/chain.pem",
        "o.pem",
    ]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("case", CASES)
def test_accepted_is_said_only_of_what_openssl_accepts(cli: Cli, tmp_path: Path, case: str) -> None:
    """A CA whose constraints, path length, key usage or purpose refuse the client issues none, and says why."""
    written(of_case(case, datetime.now(UTC)), tmp_path / "pki")
    accepts = by_openssl("ava.example.com")
    code, out, err = cli("issue", "ava.example.com")
    assert accepts is (CASES[case][2] == "")
    assert ("accepted under" in err, code) == (accepts, 0 if accepts else 1)
    if not accepts:
        assert "[pki.not-accepted]" in err or "[chain." in err, err
        assert CASES[case][2] in err, err
        assert out == ""
        assert not (tmp_path / "pki/clients").exists()


def test_a_chain_without_its_root_is_said_to_refuse_the_client(cli: Cli, tmp_path: Path) -> None:
    """The issuing CA alone: nobody would be let in."""
    authority = root("r", now=datetime.now(UTC)).intermediate("i", now=datetime.now(UTC))
    written(authority, tmp_path / "pki", authority.certificate.pem)
    code, _, err = cli("issue", "ava")
    assert (code, "[pki.not-accepted]" in err, "accepted under" in err) == (1, True, False)
    assert "the chain ends before a root" in err


def test_a_fleet_that_is_refused_is_counted_and_not_repeated(cli: Cli, tmp_path: Path) -> None:
    """A hundred names with one reason make one message, which names the first and says how many."""
    written(of_case("name constraints of the root", datetime.now(UTC)), tmp_path / "pki")
    (tmp_path / "names").write_text(
        "".join(f"host-{n}.example.com\n" for n in range(100)) + "a.allowed.example\n"
    )
    code, _, err = cli("issue", "--list", "names")
    assert (code, err.count("[pki.not-accepted]"), "and 99 more" in err) == (1, 1, True)
    assert not (tmp_path / "pki/clients").exists()


def test_the_sentence_is_the_verdict_of_our_own_verify(cli: Cli) -> None:
    """What it names as the command says the same of the files that were written."""
    cli("ca", "fleet", "--no-encrypt")
    _, out, err = cli("issue", "ava", "ben")
    assert (
        "2 clients, accepted under pki/chain.pem as a TLS server asks (pki verify --purpose sslclient)."
        in err
    )
    files = [line for line in out.splitlines() if line.endswith(".pem")]
    assert cli("verify", "--purpose", "sslclient", "--chain", "pki/chain.pem", *files)[0] == 0
