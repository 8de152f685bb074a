"""OpenSSL's verdicts in plain words: what the code means for whoever runs the CA, and what to look at.

Rules of this file:
- A row per code that a chain of ours can meet; every other code keeps OpenSSL's own words.

Source: openssl-verification-options(1), x509_vfy.h; facts, edge-and-probes 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cf_mtls.pki.chain import Judgement

WORDS = {
    2: "Its issuer is not among the trusted certificates: the chain ends before a root.",
    7: "The issuer of that name has another key, or the certificate was changed after it was signed.",
    9: "It is not valid yet at that moment.",
    10: "It had ended by that moment.",
    18: "It signed itself, and it is not among the trusted certificates.",
    19: "The client sent the root itself, and that root is not among the trusted certificates.",
    20: "Nobody trusted has issued it: an intermediate is missing, or it belongs to another CA.",
    21: "Nobody trusted has issued it, and it came alone.",
    25: "A CA above it allows fewer CAs below itself than there are (pathlen).",
    26: "It says what it is for, and TLS clients are not among it.",
    34: "It carries a critical extension that OpenSSL does not know.",
    41: "One of its fields has a form that OpenSSL refuses.",
    47: "A CA above it permits other names only (name constraints).",
    48: "A CA above it excludes this name (name constraints).",
    53: "Its name constraints have a form that OpenSSL does not know.",
    79: "It signed the one below, and it is not a CA.",
}


def meaning(judgement: Judgement) -> str:
    """What the verdict means, '' when OK or when OpenSSL's words are all there is."""
    return WORDS.get(judgement.code, "")
