"""Chains and clients graded: every problem with a stable code, all at once.

Rules of this file:
- Every chain and certificate that the program touches goes through these functions.
- No error means: OpenSSL accepts the chain and the clients given, and Cloudflare's documents do too.
- The rows speak first; what OpenSSL refuses and no row has explained is said in OpenSSL's words.

Not proven here: what Cloudflare's edge does (see `verify`). Revocation is not looked at.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity, has_errors
from cf_mtls.pki import blocks, chain_rules, client_rules, identity, pem, strength_rules
from cf_mtls.pki.chain import judge
from cf_mtls.pki.pem import Chain, read_certificates, read_chain
from cf_mtls.pki.rules import Bundle, Client, Rule, apply, error
from cf_mtls.pki.strict import strict_reason
from cf_mtls.pki.traits import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from cf_mtls.pki.pem import Certificate


def _refused_chain(bundle: Bundle) -> Iterator[str]:
    """What OpenSSL finds when each certificate is judged by the whole file."""
    for c in bundle.distinct:
        if not c.not_before <= bundle.at <= c.not_after:
            continue  # the rows about dates know renewals
        # A root is judged by itself: among namesakes OpenSSL may try another one first.
        verdict = judge([c.der] if c.is_self_issued else bundle.ders, c.der, at=bundle.at)
        if not verdict.ok:
            yield f"{short(c)}: {verdict} (at {verdict.subject or '(no subject)'})."


def _refused_client(client: Client) -> Iterator[str]:
    """What OpenSSL finds when the client is judged by the chain."""
    verdict = client_rules.verdict(client)
    if verdict is not None and not verdict.ok:
        yield f"{short(client.certificate)}: {verdict} (at {verdict.subject or '(no subject)'})."


CHAIN_RULES = (*chain_rules.RULES, *strength_rules.RULES)

REFUSED_CHAIN: Rule[Bundle] = Rule(
    error("chain.refused", "OpenSSL refuses the chain"),
    _refused_chain,
    "See each certificate and its issuer:\n    cf-mtls pki inspect FILE",
)
REFUSED_CLIENT: Rule[Client] = Rule(
    error("client.refused", "OpenSSL refuses a client"),
    _refused_client,
    "See where and why:\n    cf-mtls pki verify --chain CHAIN CLIENT",
)

STRICT = Code("client.strict", Severity.NOTE, Fault.FILE, "a stricter verifier refuses a client")

CODES: tuple[Code, ...] = (
    blocks.PRIVATE_KEY, blocks.EMPTY, blocks.NOT_PEM, blocks.BROKEN, blocks.UNDECODABLE, blocks.FOREIGN,
    pem.NO_CA, *(rule.code for rule in (*CHAIN_RULES, REFUSED_CHAIN)),
    *(rule.code for rule in (*client_rules.RULES, REFUSED_CLIENT)),
    *(rule.code for rule in client_rules.SENT_RULES), STRICT,
    identity.NO_CERTIFICATE, identity.NO_KEY, identity.UNREADABLE, identity.UNSUPPORTED, identity.MISMATCH,
    identity.LOCKED, identity.WRONG,
)  # fmt: skip
"""Every code about certificates, in the order in which they are documented."""


def lint_chain(
    found: Chain | Sequence[Certificate],
    *,
    at: datetime,
    expiring_within_days: int = 30,
    clients: Sequence[Certificate] = (),
) -> tuple[Diagnostic, ...]:
    """Everything to say about a chain, then about each client under it.

    found: the certificates as the file has them (`read_certificates`), for order and duplicates to be seen.
    at: an aware moment. clients: those that must be let in.
    """
    certificates = found.certificates if isinstance(found, Chain) else tuple(found)
    bundle = Bundle(certificates, at, timedelta(days=expiring_within_days))
    of_clients = (d for c in clients for d in _of_client(Client(c, bundle, at, bundle.soon)))
    of_chain = apply(CHAIN_RULES, bundle)
    return (*of_chain, *(() if has_errors(of_chain) else apply([REFUSED_CHAIN], bundle)), *of_clients)


def lint_client(
    client: Certificate,
    found: Chain | Sequence[Certificate] | None,
    *,
    at: datetime,
    expiring_within_days: int = 30,
) -> tuple[Diagnostic, ...]:
    """Everything to say about one client; found: the chain that shall let it in, None to look at it alone."""
    soon = timedelta(days=expiring_within_days)
    certificates = found.certificates if isinstance(found, Chain) else tuple(found or ())
    bundle = Bundle(certificates, at, soon) if certificates else None
    return _of_client(Client(client, bundle, at, soon))


def is_clients_own(certificates: Sequence[Certificate]) -> bool:
    """Whether a file is what a client holds: its own certificate first, CAs only behind it."""
    return bool(certificates) and not certificates[0].is_ca and all(c.is_ca for c in certificates[1:])


def lint_clients_own(
    certificates: Sequence[Certificate], *, at: datetime, expiring_within_days: int = 30
) -> tuple[Diagnostic, ...]:
    """Everything to say about a client's file: the client, and what it would send along.

    certificates: as `is_clients_own`. With its root among them OpenSSL judges the client by the file; without one it is
    not said whether anybody would let it in.
    """
    client, *sent = certificates
    bundle = Bundle(tuple(certificates), at, timedelta(days=expiring_within_days))
    has_root = any(c.is_self_issued for c in client_rules.above_client(bundle))
    found = lint_client(client, sent if has_root else None, at=at, expiring_within_days=expiring_within_days)
    return (*found, *apply(client_rules.SENT_RULES, bundle))


def _of_client(client: Client) -> tuple[Diagnostic, ...]:
    found = apply(client_rules.RULES, client)
    return found if has_errors(found) else (*found, *apply([REFUSED_CLIENT], client))


def lint_strict(client: Certificate, found: Sequence[Certificate], *, at: datetime) -> tuple[Diagnostic, ...]:
    """A note when the strict verifier refuses a client; never more, because OpenSSL accepts such."""
    reason = strict_reason(client, found, at)
    return (STRICT.found(f"{short(client)}: {reason}."),) if reason else ()


def check_chain_file(
    data: bytes, *, at: datetime, expiring_within_days: int = 30, clients: Sequence[Certificate] = ()
) -> tuple[Chain | None, tuple[Diagnostic, ...]]:
    """The chain of a PEM file with everything to say about it; None when anything is an error."""
    chain, problems = read_chain(data)
    if chain is None:
        return None, problems
    certificates, _ = read_certificates(data)
    found = lint_chain(certificates, at=at, expiring_within_days=expiring_within_days, clients=clients)
    return (None if has_errors(found) else chain), found
