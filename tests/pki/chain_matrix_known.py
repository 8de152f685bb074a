"""The 86 chains whose verdicts were first measured with several engines (facts: edge-and-probes 8)."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from chain_cases import DAY, EARLY, NOW, OVER, Case, key, line, row, special
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from cf_mtls.pki.authority import root, self_signed
from cf_mtls.pki.pem import read_certificates

R, RL, RIL = "root -> leaf", "root -> leaf", "root -> intermediate -> leaf"
ONE = [{}]
BARE = {"dns_names": ()}
CA_BITS = ("keyCertSign", "cRLSign")

# Which certificates are there, and in which order.
row("root-only", RL)
row("int+root (doc order)", RIL, mids=ONE)
row("root+int (reverse order)", RIL, mids=ONE, upload=[0, 1])
row("only int uploaded (no root)", RIL, mids=ONE, upload=[1])
row("int missing", RIL, mids=ONE, upload=[0])
row("int sent by client", RIL, mids=ONE, upload=[0], sent=[1])
row("int sent twice + root sent", RIL, mids=ONE, upload=[0], sent=[1, 1, 0])
row("4 levels, shuffled bundle", "root -> a -> b -> c -> leaf", mids=[{}, {}, {}], upload=[2, 0, 3, 1])
row("duplicate certs in bundle", RIL, mids=ONE, upload=[0, 1, 0, 1])

# Dates.
row("leaf expired", RL, leaf=OVER)
row("leaf not yet valid", RL, leaf=EARLY)
row("root expired", RL, top=OVER)
row("int expired", RIL, mids=[OVER])
row("leaf valid 100 years", RL, leaf={"not_after": NOW + 36500 * DAY})


def _renewed(*, expired_first: bool) -> Case:
    shared = key("ec256", 1)
    old, new = root("r", now=NOW, key=shared, **OVER), root("r", now=NOW, key=shared)
    both = (old, new) if expired_first else (new, old)
    return Case(tuple(a.certificate for a in both), new.issue("ava", now=NOW).certificate)


special("root renewed same key, expired first", "root (over), root (same key) -> leaf")(
    lambda: _renewed(expired_first=True)
)
special("root renewed same key, expired last", "root (same key) -> leaf, root (over)")(
    lambda: _renewed(expired_first=False)
)

# Who is a CA.
row("CA:FALSE leaf as issuer", "root -> CA:FALSE -> leaf", mids=[{"ca": False}])


@special("self-signed leaf, not in bundle", "leaf (by itself), another root trusted")
def _stranger() -> Case:
    return Case(line().all, self_signed("ava", now=NOW).certificate)


def _itself(*, ca: bool) -> Case:
    leaf = root("ava", now=NOW).certificate if ca else self_signed("ava", now=NOW).certificate
    return Case((leaf,), leaf)


special("self-signed CA:FALSE leaf = bundle", "leaf (by itself, trusted)")(lambda: _itself(ca=False))
special("self-signed CA:TRUE cert used as leaf", "root (by itself, trusted)")(lambda: _itself(ca=True))
row("leaf is CA:TRUE under root", RL, leaf={"ca": True})
row("root CA:FALSE self-signed as issuer", RL, top={"ca": False})
row("root without KeyUsage", RL, top={"key_usages": ()})
row("root BasicConstraints not critical", RL, top={"basic_constraints_critical": False})
row("root v3 without BasicConstraints", RL, top={"ca": None})
row("int KU without keyCertSign", RIL, mids=[{"key_usages": ("digitalSignature",)}])
row("int without BasicConstraints", RIL, mids=[{"ca": None, "key_usages": ()}])
row("leaf without BasicConstraints", RL, leaf={"ca": None})
row("root pathlen:0 with int", RIL, top={"path_length": 0}, mids=ONE)
row("int pathlen:0 violated", "root -> a (pathlen 0) -> b -> leaf", mids=[{"path_length": 0}, {}])
row("int pathlen:0 ok", RIL, mids=[{"path_length": 0}])

# What a certificate is for.
row("no EKU", RL, leaf={"extended_key_usages": ()})
row("EKU serverAuth only", RL, leaf={"extended_key_usages": ("serverAuth",)})
row("EKU client+server", RL, leaf={"extended_key_usages": ("clientAuth", "serverAuth")})
row("EKU any", RL, leaf={"extended_key_usages": ("any",)})
row("EKU emailProtection", RL, leaf={"extended_key_usages": ("emailProtection",)})
row("int EKU serverAuth only", RIL, mids=[{"extended_key_usages": ("serverAuth",)}])
row("leaf KU keyEncipherment only", RL, leaf={"key_usages": ("keyEncipherment",)})
row("leaf KU keyAgreement only", RL, leaf={"key_usages": ("keyAgreement",)})

# Keys and signatures.
RSA = {"key_type": "rsa2048"}
row("RSA 2048 SHA-256", RL, top=RSA, leaf=RSA)
row("RSA-PSS signature", RL, top={**RSA, "signature": "pss"}, leaf={"signature": "pss"})
row("RSA 1024 leaf", RL, leaf={"key_type": "rsa1024"})
row("RSA 1024 root", RL, top={"key_type": "rsa1024"})
row("ECDSA P-384 root+leaf", RL, top={"key_type": "ec384"}, leaf={"key_type": "ec384"})
row("ECDSA P-521 root+leaf", RL, top={"key_type": "ec521"}, leaf={"key_type": "ec521"})
row("secp256k1 leaf", RL, leaf={"key_type": "ec256k1"})
row("P-384 root, SHA-256 sig (mismatch)", RL, top={"key_type": "ec384"}, leaf={"signature": "sha256"})
row("Ed25519 leaf, EC root", RL, leaf={"key_type": "ed25519"})
row("Ed25519 root", RL, top={"key_type": "ed25519"})
row("SHA-1 signed leaf", RL, top=RSA, leaf={"signature": "sha1"})
row("MD5 signed leaf", RL, top=RSA, leaf={"signature": "md5"})
row("SHA-512 RSA leaf", RL, top=RSA, leaf={"signature": "sha512"})
row("ECDSA-SHA1 signed leaf", RL, leaf={"signature": "sha1"})
row("SHA-1 root", RL, top={**RSA, "signature": "sha1"})
row("SHA-1 signed int", RIL, mids=[{"signature": "sha1"}])

# Names of the leaf.
row("CN only, no SAN", RL, leaf=BARE)
row("CN only, no SAN, no EKU, no KU", RL, leaf={**BARE, "extended_key_usages": (), "key_usages": ()})
san = x509.SubjectAlternativeName([x509.DNSName("ava.example")]).public_bytes()
row(
    "empty subject, SAN present (non-crit)",
    RL,
    leaf={**BARE, "subject": "", "extra": (("2.5.29.17", False, san),)},
)
row("empty subject, no SAN", RL, leaf={**BARE, "subject": ""})
row("SAN e-mail only", RL, leaf={**BARE, "emails": ("ava@example.com",)})
row("SAN URI (SPIFFE) only", RL, leaf={**BARE, "uris": ("spiffe://example.com/ava",)})
row(
    "SAN dNSName '' (cfssl hosts:[\"\"])",
    RL,
    leaf={**BARE, "extra": (("2.5.29.17", False, b"\x30\x02\x82\x00"),)},
)

# Name constraints.
PERMIT = {"permitted": ("DNS:example.com",)}
row("name constraint DNS ok", RL, top=PERMIT, leaf={"dns_names": ("ava.example.com",)})
row("name constraint DNS violated", RL, top=PERMIT, leaf={"dns_names": ("ava.jeann.net",)})
row("name constraint DNS, CN-only leaf 'ava'", RL, top=PERMIT, leaf=BARE)
row(
    "name constraint DNS, CN-only leaf 'evil.example'",
    RL,
    top=PERMIT,
    leaf={**BARE, "subject": "CN=evil.example"},
)
row("int name constraint DNS violated", RIL, mids=[PERMIT], leaf={"dns_names": ("ava.jeann.net",)})
MAIL = {"permitted": ("email:example.com",)}
row("int NC e-mail ok", RIL, mids=[MAIL], leaf={**BARE, "emails": ("ava@example.com",)})
row("int NC e-mail violated", RIL, mids=[MAIL], leaf={**BARE, "emails": ("ava@jeann.net",)})
row(
    "int NC directoryName ok",
    RIL,
    mids=[{"permitted": ("dirName:O=fleet",)}],
    leaf={"subject": "CN=ava,O=fleet"},
)

# Key identifiers and namesakes.
row(
    "root no SKI, leaf no AKI",
    RL,
    top={"subject_key_identifier": False},
    leaf={"authority_key_identifier": False},
)
row("leaf no AKI", RL, leaf={"authority_key_identifier": False})
row("int no SKI", RIL, mids=[{"subject_key_identifier": False}])


@special("rogue root same DN other key", "root, (root of the same name) -> leaf")
def _rogue() -> Case:
    return Case(line().all, line().leaf)


def _namesakes(**leaf: bool) -> Case:
    first, second = root("r", now=NOW), root("r", now=NOW)
    return Case((first.certificate, second.certificate), second.issue("ava", now=NOW, **leaf).certificate)


special("two roots same DN, leaf by 2nd", "root, root of the same name -> leaf")(_namesakes)
special("two roots same DN, leaf by 2nd, no AKI", "root, root of the same name -> leaf without AKI")(
    lambda: _namesakes(authority_key_identifier=False)
)


def _typed(value: str, kind: _ASN1Type) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value, _type=kind)])


utf8, printable = _ASN1Type.UTF8String, _ASN1Type.PrintableString
row("DN string type differs (UTF8 vs Printable)", RL, top={"subject": _typed("case root", utf8)},
    leaf={"issuer": _typed("case root", printable)})  # fmt: skip
row("issuer DN case+space differs", RL, leaf={"issuer": _typed("Case   ROOT", utf8)})

# Extensions that nobody knows.
UNKNOWN = "1.3.6.1.4.1.55555.1"
row("leaf unknown critical ext", RL, leaf={"extra": ((UNKNOWN, True, b"\x05\x00"),)})
row("leaf unknown non-critical ext", RL, leaf={"extra": ((UNKNOWN, False, b"\x05\x00"),)})
row("root unknown critical ext", RL, top={"extra": ((UNKNOWN, True, b"\x05\x00"),)})

# Old and odd.
row("leaf serial 1", RL, leaf={"serial": 1})
row("v1 leaf (doc recipe openssl x509 -req)", RL, leaf={"version": 1})
row("v1 root", RL, top={"version": 1})
row("v1 int", RIL, mids=[{"version": 1}])

RECIPE = """
openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -subj /CN=root -days 9999
openssl req -newkey rsa:2048 -nodes -keyout int.key -out int.csr -subj /CN=int
openssl x509 -req -in int.csr -CA root.pem -CAkey root.key -CAcreateserial -out int.pem -extfile ca.cnf
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf
openssl x509 -req -in leaf.csr -CA int.pem -CAkey int.key -CAcreateserial -out leaf.pem -days 9999 -sha256
"""


@special("Cloudflare doc recipe (root,int,leaf)", "root -> intermediate -> v1 leaf, all by openssl")
def _recipe() -> Case:
    """The commands of Cloudflare's page; their clock is the machine's, so theirs is the moment."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "ca.cnf").write_text("basicConstraints=critical,CA:TRUE\n")
        for command in RECIPE.strip().splitlines():
            subprocess.run(command.split(), cwd=folder, capture_output=True, check=True)
        pems = [Path(folder, f"{name}.pem").read_bytes() for name in ("root", "int", "leaf")]
    top, middle, leaf = (read_certificates(pem)[0][0] for pem in pems)
    return Case((middle, top), leaf, at=leaf.not_before)
