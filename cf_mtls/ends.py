"""When what a stack needs ends: each certificate of its CAs and of its clients' files, and its token.

Rules of this file:
- A file's certificates are all looked at, for a client is refused when any that it needs has ended.
- What cannot be seen is said, never taken for something that lasts: a file that is not here, or that nothing opens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cf_mtls import input_file
from cf_mtls.diagnostics import Code, Diagnostic, Fault, Place, Severity
from cf_mtls.model.ends import End
from cf_mtls.model.resources import CaCertificate
from cf_mtls.pki.identity import read_client_certificates
from cf_mtls.pki.pem import read_certificates
from cf_mtls.pki.pkcs12 import is_pkcs12, load
from cf_mtls.pki.traits import short
from cf_mtls.quick import dataclass
from cf_mtls.verify.wallet import open_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cf_mtls.declare.resolve import Stack
    from cf_mtls.model.people import Client
    from cf_mtls.pki.pem import Certificate

    Passphrase = Callable[[Client], bytes | None]

UNKNOWN = Code("drift.end-unknown", Severity.NOTE, Fault.FILE, "when a client ends is not known")


@dataclass(frozen=True, slots=True)
class Ends:
    """What ends when, and what is to be said of the clients of which nobody knows."""

    known: tuple[End, ...] = ()
    unknown: tuple[tuple[str, Diagnostic], ...] = ()
    """By the client's name."""


def ends_of(stack: Stack, passphrase: Passphrase) -> Ends:
    """Of the CAs and clients that a stack declares. passphrase: of a client whose file needs one; None for none."""
    known = [
        End(str(address), certificate.not_after, short(certificate))
        for address, ca in stack.state.of(CaCertificate)
        for certificate in (read_certificates(ca.pem.encode("ascii"))[0] if ca.pem else ())
    ]
    unknown: list[tuple[str, Diagnostic]] = []
    for client in stack.clients:
        found = _certificates(client, passphrase)
        if isinstance(found, str):
            detail = f"{client.name}: {found}"
            unknown.append((client.name, UNKNOWN.found(detail, place=Place(client.certificate))))
        else:
            known += _of_client(client.name, found)
    return Ends(tuple(known), tuple(unknown))


def _of_client(name: str, certificates: Iterable[Certificate]) -> list[End]:
    """The client's own certificate first; those that it sends along by their subject."""
    leaf, *others = certificates
    along = [End(f"client/{name}", c.not_after, f"{short(c)}, which it sends,") for c in others]
    return [End(f"client/{name}", leaf.not_after), *along]


def _certificates(client: Client, passphrase: Passphrase) -> tuple[Certificate, ...] | str:
    """The certificates of a client's file, or why they cannot be seen."""
    data = input_file.read(Path(client.certificate))
    if isinstance(data, Diagnostic):
        return data.detail
    if not is_pkcs12(client.certificate):
        certificates, problems = read_client_certificates(data)
        return certificates or " ".join(problem.detail for problem in problems) or "it holds no certificate."
    identity, problems = load(data, None)
    if identity is None and (client.passphrase_env or client.passphrase_file):
        wallet = open_all([client], passphrase)
        identity, problems = wallet.identities.get(client.name), wallet.diagnostics or problems
    if identity is None:
        return " ".join(problem.detail for problem in problems) or "it could not be opened."
    return (identity.certificate, *identity.sent)
