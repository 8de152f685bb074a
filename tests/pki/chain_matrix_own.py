"""More chains where verifiers are known to differ, or where a mistake of ours would hide."""

from __future__ import annotations

from datetime import timedelta

from chain_cases import DAY, EARLY, NOW, OVER, Case, key, line, row, special
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from cf_mtls.pki.authority import root, self_signed
from cf_mtls.pki.pem import Certificate

RL, RIL = "root -> leaf", "root -> intermediate -> leaf"
RABL = "root -> a -> b -> leaf"
SECOND = timedelta(seconds=1)

# Dates at their edges.
row("leaf ends in a second", RL, leaf={"not_after": NOW + SECOND})
row("leaf ended a second ago", RL, leaf={"not_after": NOW - SECOND})
row("leaf begins at this very second", RL, leaf={"not_before": NOW})
row("leaf begins in a second", RL, leaf={"not_before": NOW + SECOND})
row("root ends in the year 9999", RL, top={"not_after": NOW.replace(year=9999)})
row("root not yet valid", RL, top=EARLY)
row("int not yet valid", RIL, mids=[EARLY])
row("everything expired", RIL, top=OVER, mids=[OVER], leaf=OVER)

# What is trusted and what is only sent.
row("root sent, nothing else of it trusted", RIL, mids=[{}], upload=[1], sent=[0])
row("middle of three sent", RABL, mids=[{}, {}], upload=[0, 2], sent=[1])
row("both intermediates sent", RABL, mids=[{}, {}], upload=[0], sent=[2, 1])
row("lower intermediate missing", RABL, mids=[{}, {}], upload=[0, 1])
row("upper intermediate missing", RABL, mids=[{}, {}], upload=[0, 2])
row("12 levels", "root -> 12 intermediates -> leaf", mids=[{}] * 12)
row("99 levels", "root -> 99 intermediates -> leaf", mids=[{}] * 99)
row("105 levels", "root -> 105 intermediates -> leaf", mids=[{}] * 105)


@special("leaf trusted too", "root -> leaf, both trusted")
def _leaf_trusted() -> Case:
    made = line()
    return Case((*made.all, made.leaf), made.leaf)


@special("leaf alone trusted", "(root) -> leaf, the leaf trusted")
def _leaf_alone() -> Case:
    made = line()
    return Case((made.leaf,), made.leaf)


@special("untrusted root sent with its leaf", "another root trusted; root -> leaf, root sent")
def _foreign_root() -> Case:
    made = line()
    return Case(root("other", now=NOW).chain.certificates, made.leaf, made.all)


@special("self-signed leaf sent as its own issuer", "leaf (by itself), sent twice")
def _own_issuer() -> Case:
    leaf = self_signed("ava", now=NOW).certificate
    return Case(line().all, leaf, (leaf,))


# Renewals and cross-signing.
def _renewed(*, trusted: bool) -> Case:
    top, shared = root("r", now=NOW), key("ec256", 2)
    old = top.intermediate("i", now=NOW, key=shared, **OVER)
    new = top.intermediate("i", now=NOW, key=shared)
    leaf = new.issue("ava", now=NOW).certificate
    if trusted:
        return Case((old.certificate, new.certificate, top.certificate), leaf)
    return Case((old.certificate, top.certificate), leaf, (new.certificate,))


special("int renewed, expired one first", "root -> int (over), int (same key) -> leaf")(
    lambda: _renewed(trusted=True)
)
special("int renewed, valid one only sent", "root -> int (over) trusted, int (same key) sent -> leaf")(
    lambda: _renewed(trusted=False)
)


@special("cross-signed: the other root trusted", "old root -> new root's key -> leaf; old root trusted")
def _cross() -> Case:
    old, new = root("old", now=NOW), root("new", now=NOW)
    cross = old.intermediate("new", now=NOW, key=new.key)
    return Case((old.certificate,), new.issue("ava", now=NOW).certificate, (cross.certificate,))


@special("cross-signed: both ways up, one expired", "old root (over) and new root above one intermediate")
def _cross_expired() -> Case:
    old, new = root("old", now=NOW, **OVER), root("new", now=NOW)
    cross = old.intermediate("new", now=NOW, key=new.key)
    trusted = (old.certificate, cross.certificate, new.certificate)
    return Case(trusted, new.issue("ava", now=NOW).certificate)


@special("two CAs signed each other, no root", "a -> b, b -> a, a -> leaf")
def _circle() -> Case:
    a, b = root("a", now=NOW), root("b", now=NOW)
    a_by_b, b_by_a = b.intermediate("a", now=NOW, key=a.key), a.intermediate("b", now=NOW, key=b.key)
    return Case((a_by_b.certificate, b_by_a.certificate), a.issue("ava", now=NOW).certificate)


@special("rollover: self-issued CA below its namesake", "root -> root's name, new key -> leaf")
def _rollover() -> Case:
    old = root("r", now=NOW, path_length=0)
    new = old.intermediate("r", now=NOW)
    return Case(new.chain.certificates, new.issue("ava", now=NOW).certificate)


# Signatures that do not hold.
def broken(certificate: Certificate) -> Certificate:
    """The certificate with the last bit of its signature turned."""
    return Certificate.from_der(certificate.der[:-1] + bytes([certificate.der[-1] ^ 1]))


@special("leaf's signature broken", RL)
def _broken_leaf() -> Case:
    made = line()
    return Case(made.all, broken(made.leaf))


@special("int's signature broken", RIL)
def _broken_int() -> Case:
    made = line(mids=[{}])
    return Case((broken(made.all[1]), made.all[0]), made.leaf)


@special("root's own signature broken", RL)
def _broken_root() -> Case:
    made = line()
    return Case((broken(made.all[0]),), made.leaf)


@special("namesake with forged key identifier", "root; (namesake, same SKI) -> leaf")
def _forged() -> Case:
    real = root("r", now=NOW)
    digest = x509.SubjectKeyIdentifier.from_public_key(real.key.public_key())
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(digest).public_bytes()
    rogue = root("r", now=NOW, key_type="ec384")
    changes = {"authority_key_identifier": False, "extra": (("2.5.29.35", False, aki),)}
    return Case((real.certificate,), rogue.issue("ava", now=NOW, **changes).certificate)


@special("issuer's name, another kind of key", "root (RSA); (namesake, EC) -> leaf without AKI")
def _other_kind() -> Case:
    real = root("r", now=NOW, key=key("rsa2048", 0))
    leaf = root("r", now=NOW).issue("ava", now=NOW, authority_key_identifier=False)
    return Case((real.certificate,), leaf.certificate)


# Key identifiers.
def _aki(content: bytes) -> dict[str, object]:
    return {"authority_key_identifier": False, "extra": (("2.5.29.35", False, content),)}


ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "case root")])
BY_NAME = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(ISSUER)], 7).public_bytes()
row("AKI names another key", RL, leaf=_aki(b"\x30\x16\x80\x14" + b"\x11" * 20))
row("AKI by issuer and right serial", RL, top={"serial": 7}, leaf=_aki(BY_NAME))
row("AKI by issuer and wrong serial", RL, top={"serial": 8}, leaf=_aki(BY_NAME))
row("root's AKI names another key", RL, top=_aki(b"\x30\x16\x80\x14" + b"\x11" * 20))

# Who is a CA.
row("root v3 without any extension", RL, top={"ca": None, "key_usages": (), "subject_key_identifier": False})
row("root KU cRLSign only", RL, top={"key_usages": ("cRLSign",)})
row(
    "pathlen:1 with two ints below",
    "root (pathlen 1) -> a -> b -> leaf",
    top={"path_length": 1},
    mids=[{}, {}],
)
row("pathlen:1 with one int below", RIL, top={"path_length": 1}, mids=[{}])
row("v1 root, v1 leaf", RL, top={"version": 1}, leaf={"version": 1})
row("v1 leaf below an intermediate", RIL, mids=[{}], leaf={"version": 1})
SSL_CA = (("2.16.840.1.113730.1.1", False, b"\x03\x02\x02\x04"),)
row("int Netscape sslCA, no BasicConstraints", RIL, mids=[{"ca": None, "key_usages": (), "extra": SSL_CA}])
row("leaf subject is the root's", RL, leaf={"subject": "CN=case root"})

# What a certificate is for.
row("EKU clientAuth and an unknown one", RL, leaf={"extended_key_usages": ("clientAuth", "1.2.3.4")})
row("EKU unknown only", RL, leaf={"extended_key_usages": ("1.2.3.4",)})
row("int EKU clientAuth", RIL, mids=[{"extended_key_usages": ("clientAuth",)}])
row("int EKU any", RIL, mids=[{"extended_key_usages": ("any",)}])
row("root EKU serverAuth only", RL, top={"extended_key_usages": ("serverAuth",)})
row("leaf KU contentCommitment only", RL, leaf={"key_usages": ("contentCommitment",)})
row("leaf KU keyCertSign only", RL, leaf={"key_usages": ("keyCertSign",)})
row("leaf KU without any bit", RL, leaf={"key_usages": (), "extra": (("2.5.29.15", True, b"\x03\x01\x00"),)})
NS_SERVER = (("2.16.840.1.113730.1.1", False, b"\x03\x02\x06\x40"),)
NS_CLIENT = (("2.16.840.1.113730.1.1", False, b"\x03\x02\x07\x80"),)
row("leaf Netscape sslServer", RL, leaf={"extended_key_usages": (), "extra": NS_SERVER})
row("leaf Netscape sslClient", RL, leaf={"extended_key_usages": (), "extra": NS_CLIENT})

# Name constraints.
row("NC excluded DNS violated", RL, top={"excluded": ("DNS:example",)})
row("NC excluded DNS elsewhere", RL, top={"excluded": ("DNS:jeann.net",)})
row("NC DNS in capitals", RL, top={"permitted": ("DNS:EXAMPLE",)}, leaf={"dns_names": ("Ava.Example",)})
row(
    "NC directoryName violated",
    RL,
    top={"permitted": ("dirName:O=fleet",)},
    leaf={"subject": "CN=ava,O=other"},
)
row(
    "NC excluded directoryName",
    RL,
    top={"excluded": ("dirName:O=fleet",)},
    leaf={"subject": "CN=ava,O=fleet"},
)
URI = {"dns_names": (), "uris": ("https://ava.example/x",)}
row("NC URI ok", RL, top={"permitted": ("URI:.example",)}, leaf=URI)
row("NC URI violated", RL, top={"permitted": ("URI:.jeann.net",)}, leaf=URI)
row("NC permits at the root, excludes below", RIL, top={"permitted": ("DNS:example",)},
    mids=[{"excluded": ("DNS:ava.example",)}])  # fmt: skip

# Extensions that change the rules.
NULL = b"\x05\x00"
row("int unknown critical ext", RIL, mids=[{"extra": (("1.3.6.1.4.1.55555.1", True, NULL),)}])
POLICY = b"\x30\x06\x30\x04\x06\x02\x2a\x03"
row("leaf critical policies", RL, leaf={"extra": (("2.5.29.32", True, POLICY),)})
EXPLICIT = b"\x30\x03\x80\x01\x00"  # requireExplicitPolicy 0
row("int requires an explicit policy, none given", RIL, mids=[{"extra": (("2.5.29.36", True, EXPLICIT),)}])
PROXY = b"\x30\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x15\x01"
row("proxy certificate", RL, leaf={"dns_names": (), "extra": (("1.3.6.1.5.5.7.1.14", True, PROXY),)})

# Keys, signatures, numbers, names.
row(
    "RSA root, EC int, Ed25519 leaf",
    RIL,
    top={"key_type": "rsa2048"},
    mids=[{}],
    leaf={"key_type": "ed25519"},
)
row("Ed25519 everywhere", RIL, top={"key_type": "ed25519"}, mids=[{"key_type": "ed25519"}],
    leaf={"key_type": "ed25519"})  # fmt: skip
row("RSA 1024 int", RIL, mids=[{"key_type": "rsa1024"}])
row("MD5 root", RL, top={"key_type": "rsa2048", "signature": "md5"})
row("serial of 20 bytes", RL, leaf={"serial": 2**158 + 1})
ORDERED, TURNED = (x509.Name.from_rfc4514_string(text) for text in ("CN=a,O=b", "O=b,CN=a"))
row("issuer DN in another order", RL, top={"subject": ORDERED}, leaf={"issuer": TURNED})
BMP = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "case root", _type=_ASN1Type.BMPString)])
row("issuer DN as BMPString", RL, leaf={"issuer": BMP})
ACCENT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Éva")])
LOWER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "éva")])
row("issuer DN differs in an accented capital", RL, top={"subject": ACCENT}, leaf={"issuer": LOWER})
row("leaf valid for a second", RL, leaf={"not_before": NOW, "not_after": NOW + SECOND})
row("leaf older than its CA", RL, leaf={"not_before": NOW - 999 * DAY})
