"""How the certificates of a CA chain fit together: who is a CA, what is missing, twice or out of order.

Rules of this file:
- A row is a thing that can be wrong. Dates, signatures and keys have their own file: `strength_rules`.

Source: facts, cloudflare-api 1.4 and edge-and-probes 2; RFC 5280 4.2.1.3, 4.2.1.9 and 6.1.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from cf_mtls.pki import kin, traits
from cf_mtls.pki.rules import Bundle, Rule, error, note, warning
from cf_mtls.pki.traits import short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.pki.pem import Certificate


def not_a_ca(bundle: Bundle) -> Iterator[str]:
    """Issuers without CA:TRUE; a version 1 root has its own row."""
    for c in bundle.authorities:
        if not c.is_ca:
            yield f"{short(c)} is there to sign others, but its Basic Constraints do not say CA:TRUE."


def leaf(bundle: Bundle) -> Iterator[str]:
    """Certificates of clients and servers."""
    for c in bundle.distinct:
        if c not in bundle.authorities:
            purposes = traits.purposes(c) or ()
            server = "serverAuth" in purposes and "clientAuth" not in purposes
            yield f"{short(c)} is the certificate of a {'server' if server else 'client'}, not of a CA."


def may_not_sign(bundle: Bundle) -> Iterator[str]:
    """CAs whose key usage leaves signing certificates out."""
    for c in bundle.authorities:
        usages = traits.usages(c)
        if c.is_ca and usages is not None and "keyCertSign" not in usages:
            yield f"The key of {short(c)} is for {', '.join(usages) or 'nothing'}."


def version_1(bundle: Bundle) -> Iterator[str]:
    """Old roots, which cannot say CA:TRUE."""
    for c in bundle.distinct:
        if c.is_ca and c.x509.version.name == "v1":
            yield f"{short(c)} has X.509 version 1, which has no Basic Constraints."


def _orphans(bundle: Bundle) -> list[Certificate]:
    return [c for c in bundle.distinct if c.is_ca and not c.is_self_issued and not bundle.parents[c]]


def _has_root(bundle: Bundle) -> bool:
    return any(c.is_self_issued for c in bundle.distinct)


def missing_root(bundle: Bundle) -> Iterator[str]:
    """The way up ends at a CA that somebody else signed, and there is no root at all."""
    if not _has_root(bundle):
        for c in _orphans(bundle):
            yield f"{short(c)} was issued by {c.issuer or '(no name)'}, which is not in the file."


def missing_intermediate(bundle: Bundle) -> Iterator[str]:
    """There is a root, and a CA whose way up to it is broken."""
    if _has_root(bundle):
        subjects = {kin.names(p.x509)[0] for p in bundle.distinct}
        for c in _orphans(bundle):
            named = kin.names(c.x509)[1] in subjects
            what = "of that name there is one with another key" if named else "which is not in the file"
            yield f"{short(c)} was issued by {c.issuer or '(no name)'}; {what}."


def path_length(bundle: Bundle) -> Iterator[str]:
    """More CAs below than Basic Constraints allow."""
    for c in bundle.distinct:
        allowed = traits.path_length(c)
        below = bundle.below[c]
        if c.is_ca and allowed is not None and below > allowed:
            yield f"{short(c)} allows {allowed} CA(s) below it (pathlen), and there are {below}."


def same_name(bundle: Bundle) -> Iterator[str]:
    """CAs of one name with different keys, where nothing points from what they sign to the right one."""
    named: dict[kin.NameKey, list[Certificate]] = {}
    for c in bundle.distinct:
        if c.is_ca:
            named.setdefault(kin.names(c.x509)[0], []).append(c)
    for name, namesakes in named.items():
        if len(namesakes) > 1:
            pointing = _is_pointed(bundle, name)
            for one, other in combinations(namesakes, 2):
                told_apart = pointing and all(kin.subject_key_id(c.x509) for c in (one, other))
                if not told_apart and not traits.same_key(one, other):
                    yield f"{short(one)} and {short(other)} have one name and two keys."


def _is_pointed(bundle: Bundle, name: kin.NameKey) -> bool:
    """Whether all that CAs of a name have signed say by which key."""
    signed = [c for c in bundle.distinct if not c.is_self_issued and kin.names(c.x509)[1] == name]
    return all(kin.authority_key_id(c.x509) for c in signed)


def no_client_auth(bundle: Bundle) -> Iterator[str]:
    """CAs whose extended key usage leaves clients out."""
    for c in bundle.distinct:
        purposes = traits.purposes(c)
        if c.is_ca and not c.is_self_issued and purposes is not None and "clientAuth" not in purposes:
            yield f"{short(c)} is for {', '.join(purposes)}."


def out_of_order(bundle: Bundle) -> Iterator[str]:
    """An issuer that stands before what it has signed."""
    place = {c: n for n, c in enumerate(bundle.distinct)}
    for child, above in bundle.parents.items():
        early = [p for p in above if place[p] < place[child] and child not in bundle.parents[p]]
        if early:
            yield f"{short(early[0])} stands before {short(child)}, which it has issued."


def duplicate(bundle: Bundle) -> Iterator[str]:
    """The same certificate again."""
    for c in bundle.distinct:
        times = bundle.found.count(c)
        if times > 1:
            yield f"{short(c)} is there {times} times."


UPWARDS = "Get the issuer's certificate from whoever runs the CA and put it in the file; the root comes last."

RULES: tuple[Rule[Bundle], ...] = (
    Rule(error("chain.not-a-ca", "an issuer is not a CA"), not_a_ca,
         "Issue it again with Basic Constraints CA:TRUE: Cloudflare asks for it."),
    Rule(error("chain.leaf", "a certificate that is no CA's stands among the CAs"), leaf,
         "Remove it: only CAs belong in the file, and everyone they have signed is let in."),
    Rule(error("chain.may-not-sign", "a CA's key may not sign certificates"), may_not_sign,
         "Issue the CA again with the key usage keyCertSign, or without key usage."),
    Rule(error("chain.version-1", "a CA has X.509 version 1"), version_1,
         "Make one of version 3 with Basic Constraints CA:TRUE, which Cloudflare asks for:\n"
         "    cf-mtls pki ca NAME"),
    Rule(error("chain.missing-root", "the root is missing"), missing_root, UPWARDS),
    Rule(error("chain.missing-intermediate", "an intermediate is missing"), missing_intermediate, UPWARDS),
    Rule(error("chain.path-length", "a CA forbids the CAs below it"), path_length,
         "Issue the upper CA again with a larger pathlen or none, or sign clients one level higher."),
    Rule(warning("chain.same-name", "two CAs cannot be told apart"), same_name,
         "OpenSSL tries only one of them. Issue with key identifiers on both sides, or rename one."),
    Rule(warning("chain.no-client-auth", "a CA is not for client certificates"), no_client_auth,
         "Servers refuse the clients below it (`openssl verify` does not): leave extended key usage out."),
    Rule(note("chain.out-of-order", "the file is out of order"), out_of_order,
         "The chain is put in order before it is used: issuing CA first, root last."),
    Rule(note("chain.duplicate", "a certificate is in the file twice"), duplicate, "It is used once."),
)  # fmt: skip
