"""What can be wrong with a client's certificate, alone or under the chain that shall let it in.

Rules of this file:
- OpenSSL judges; the rows only say what its codes mean for a client, and what it does not look at.
- What OpenSSL refuses is an error; what a TLS server or the client's own TLS library refuses is a warning,
  because nobody knows what Cloudflare's edge does with it.

Source: facts, edge-and-probes 2; codes: OpenSSL's x509_vfy.h; RFC 5280 4.2.1.10 (name constraints).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.ends import distance
from cf_mtls.pki import kin, traits
from cf_mtls.pki.chain import SSLCLIENT, Judgement, judge
from cf_mtls.pki.keys import CURVES
from cf_mtls.pki.rules import AGAIN, Bundle, Client, Rule, error, note, warning
from cf_mtls.pki.traits import short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cf_mtls.pki.pem import Certificate

UNKNOWN_ISSUER = {2, 18, 19, 20, 21}
CONSTRAINED = {47, 48}


def verdict(client: Client, purpose: str | None = None) -> Judgement | None:
    """OpenSSL's verdict under the bundle, None when there is no bundle."""
    if client.bundle is None:
        return None
    return judge(client.bundle.ders, client.certificate.der, at=client.at, purpose=purpose)


def _refused(client: Client, codes: set[int]) -> Judgement | None:
    found = verdict(client)
    return found if found is not None and found.code in codes else None


def unknown_issuer(client: Client) -> Iterator[str]:
    """Nobody in the bundle has issued it, or not all the way up."""
    if _refused(client, UNKNOWN_ISSUER):
        c = client.certificate
        yield f"{short(c)} was issued by {c.issuer or '(no name)'}; the chain leads from there to no root."


def constrained(client: Client) -> Iterator[str]:
    """A CA above it may not sign this name."""
    if found := _refused(client, CONSTRAINED):
        yield f"{short(client.certificate)}: {found.reason}."


def expired(client: Client) -> Iterator[str]:
    """Ended."""
    c = client.certificate
    if c.not_after < client.at:
        yield f"{short(c)} ended on {c.not_after:%Y-%m-%d %H:%M} UTC."


def not_yet_valid(client: Client) -> Iterator[str]:
    """Starts later."""
    c = client.certificate
    if c.not_before > client.at:
        yield f"{short(c)} begins on {c.not_before:%Y-%m-%d %H:%M} UTC."


def no_client_auth(client: Client) -> Iterator[str]:
    """It says what it is for, and clients are not among it; anyExtendedKeyUsage does not help."""
    purposes = traits.purposes(client.certificate)
    if purposes is not None and "clientAuth" not in purposes:
        yield f"{short(client.certificate)} is for {', '.join(purposes)}."


def no_signing(client: Client) -> Iterator[str]:
    """Its key may neither sign nor agree, so that it cannot take part in a handshake."""
    usages = traits.usages(client.certificate)
    if usages is not None and not {"digitalSignature", "keyAgreement"} & set(usages):
        yield f"The key of {short(client.certificate)} is for {', '.join(usages) or 'nothing'}."


def refused_by_servers(client: Client) -> Iterator[str]:
    """`openssl verify` says OK, a server says no, and not for the two reasons above."""
    plain, server = verdict(client), verdict(client, SSLCLIENT)
    if plain is None or server is None or not plain.ok or server.ok or server.depth == 0:
        return
    yield f"{short(client.certificate)}: {server} (at {server.subject or '(no subject)'})."


def unloadable(client: Client) -> Iterator[str]:
    """OpenSSL at security level 2, the usual one, does not even load it, nor does curl."""
    c = client.certificate
    bits, signature = traits.rsa_bits(c), traits.signature(c)
    if bits is not None and bits < 2048:
        yield f"{short(c)} has an RSA key of {bits} bits."
    if "SHA1" in signature or "MD5" in signature:
        yield f"{short(c)} is signed with {signature}."


def not_sent(client: Client) -> Iterator[str]:
    """Loaded, and then left out of the handshake without a word."""
    kind, _, curve = traits.key(client.certificate).partition(" ")
    if kind == "ECDSA" and curve not in CURVES:
        yield f"{short(client.certificate)} has a key on the curve {curve}."


def outlives(client: Client) -> Iterator[str]:
    """Its CA ends before it does."""
    c = client.certificate
    above = (
        [p for p in client.bundle.distinct if kin.may_have_issued(p.x509, c.x509)] if client.bundle else []
    )
    if above and c.not_after > max(p.not_after for p in above) and not c.is_self_issued:
        ends = max(above, key=lambda p: p.not_after)
        yield f"{short(c)} ends on {c.not_after:%Y-%m-%d}, its CA {short(ends)} on {ends.not_after:%Y-%m-%d}."


def ambiguous(client: Client) -> Iterator[str]:
    """It does not say which of two CAs of one name has signed it."""
    c = client.certificate
    if client.bundle is None or kin.authority_key_id(c.x509):
        return
    namesakes = [p for p in client.bundle.distinct if kin.same_name(p.x509.subject, c.x509.issuer)]
    if any(not traits.same_key(namesakes[0], other) for other in namesakes[1:]):
        yield f"{short(c)} has no authority key identifier, and {len(namesakes)} CAs are called {c.issuer}."


def expiring(client: Client) -> Iterator[str]:
    """Ends within the days asked for."""
    c = client.certificate
    if client.at <= c.not_after < client.at + client.soon:
        yield f"{short(c)} ends on {c.not_after:%Y-%m-%d %H:%M} UTC, {distance(c.not_after, client.at)}."


def version_1(client: Client) -> Iterator[str]:
    """As `openssl x509 -req` without an extension file makes it."""
    if client.certificate.x509.version.name == "v1":
        yield f"{short(client.certificate)} has no extensions: it does not say what it is for."


RULES: tuple[Rule[Client], ...] = (
    Rule(error("client.unknown-issuer", "the chain does not hold a client's issuers"), unknown_issuer,
         "Add the missing intermediate or root to the chain, or issue the client from a CA of the chain."),
    Rule(error("client.name-constraint", "a CA may not sign a client of this name"), constrained,
         "Name constraints of a CA above it leave this name out. Issue it under another name or CA."),
    Rule(error("client.expired", "a client certificate has expired"), expired, AGAIN),
    Rule(error("client.not-yet-valid", "a client certificate is not valid yet"), not_yet_valid,
         "Wait, or mend the clock that it was made by."),
    Rule(warning("client.no-client-auth", "a client certificate is not for clients"), no_client_auth,
         "`openssl verify` does not mind; TLS servers refuse it. Issue it again with clientAuth:\n"
         "    cf-mtls pki issue NAME"),
    Rule(warning("client.no-signing", "a client's key may not sign"), no_signing,
         "`openssl verify` does not mind; TLS servers refuse it. Issue it again with digitalSignature:\n"
         "    cf-mtls pki issue NAME"),
    Rule(warning("client.refused-by-servers", "a TLS server would refuse a client"), refused_by_servers,
         "`openssl verify` does not mind; issue the CA named here again without extended key usage."),
    Rule(warning("client.unloadable", "curl and OpenSSL refuse to load a client certificate"), unloadable,
         "The client would fail before it connects (curl exit 58). Issue it again with a stronger key:\n"
         "    cf-mtls pki issue NAME"),
    Rule(warning("client.not-sent", "a client certificate is loaded and then not sent"), not_sent,
         "TLS 1.3 has no signature for this curve: it is as if there were no certificate. Issue it again:\n"
         "    cf-mtls pki issue NAME"),
    Rule(warning("client.outlives-ca", "a client certificate outlives its CA"), outlives,
         "From the CA's last day on the client is refused, whatever its own date: renew the CA in time."),
    Rule(warning("client.ambiguous-issuer", "a client does not say which CA signed it"), ambiguous,
         "OpenSSL tries only one of the CAs of that name. Issue it again with an authority key identifier:\n"
         "    cf-mtls pki issue NAME"),
    Rule(warning("client.expiring", "a client certificate expires soon"), expiring, AGAIN),
    Rule(note("client.version-1", "a client certificate has X.509 version 1"), version_1,
         "OpenSSL accepts it, stricter verifiers do not. A version 3 certificate comes from:\n"
         "    cf-mtls pki issue NAME"),
)  # fmt: skip

NO_SERVER_TAKES = frozenset({"client.no-client-auth", "client.no-signing", "client.not-sent"})
"""Warnings, because `openssl verify` does not mind; no TLS server lets such a client in, whatever CA it trusts."""


def above_client(bundle: Bundle) -> set[Certificate]:
    """Everything in a client's file that leads up from its first certificate."""
    above: set[Certificate] = set()
    next_up = {bundle.distinct[0]}
    while next_up:
        next_up = {p for c in next_up for p in bundle.parents[c]} - above
        above |= next_up
    return above


def sent_astray(bundle: Bundle) -> Iterator[str]:
    """Sent along, and above the client nowhere."""
    above = above_client(bundle)
    for c in bundle.distinct[1:]:
        if c not in above:
            yield f"{short(c)} has issued neither {short(bundle.distinct[0])} nor a CA above it."


def sent_out_of_date(bundle: Bundle) -> Iterator[str]:
    """Sent along, and past its end or before its beginning."""
    for c in bundle.distinct[1:]:
        if c.not_after < bundle.at:
            yield f"{short(c)} ended on {c.not_after:%Y-%m-%d %H:%M} UTC."
        if c.not_before > bundle.at:
            yield f"{short(c)} begins on {c.not_before:%Y-%m-%d %H:%M} UTC."


SENT_RULES: tuple[Rule[Bundle], ...] = (
    Rule(warning("client.sent-astray", "a client's file holds a CA that is not above the client"), sent_astray,
         "Servers pass over it: put the client's own issuing CA behind the client's certificate."),
    Rule(warning("client.sent-out-of-date", "a CA in a client's file is not valid now"), sent_out_of_date,
         "A server that relies on it refuses the client: get the CA's present certificate from whoever runs it."),
)  # fmt: skip
"""Rules about a client's own file: its certificate first, then what it sends along."""
