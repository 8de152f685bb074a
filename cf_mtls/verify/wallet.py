"""The declared clients, opened: every fault of a file is said before anything is sent.

Rules of this file:
- A passphrase comes from the caller, who is asked only when a file needs one; nothing here prompts.
- A client whose file is not here was reported when the plan was read, and is passed over.

Not checked: whether anyone would let it in.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cf_mtls import input_file
from cf_mtls.diagnostics import Diagnostic, Failure, Place
from cf_mtls.pki.identity import LOCKED, is_encrypted, load_identity
from cf_mtls.pki.pkcs12 import is_pkcs12, load
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from cf_mtls.model.people import Client
    from cf_mtls.pki.identity import Identity


@dataclass(frozen=True, slots=True)
class Wallet:
    """Who can be sent, by the client's name, and the clients as far as they could be opened."""

    identities: Mapping[str, Identity]
    clients: tuple[Client, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def open_all(clients: Iterable[Client], passphrase: Callable[[Client], bytes | None]) -> Wallet:
    """The wallet of these clients. passphrase: called for those whose file needs one; None when there is none."""
    identities: dict[str, Identity] = {}
    listed: list[Client] = []
    found: list[Diagnostic] = []
    for client in clients:
        identity, problems = _open(client, passphrase) if client.is_here else (None, ())
        if identity:
            identities[client.name] = identity
        listed.append(replace(client, is_here=identity is not None))
        found += problems
    return Wallet(identities, tuple(listed), tuple(found))


def _open(
    client: Client, passphrase: Callable[[Client], bytes | None]
) -> tuple[Identity | None, tuple[Diagnostic, ...]]:
    certificate, key = _bytes(client.certificate), _bytes(client.key or client.certificate)
    if isinstance(certificate, Diagnostic) or isinstance(key, Diagnostic):
        return None, tuple(x for x in dict.fromkeys((certificate, key)) if isinstance(x, Diagnostic))
    try:
        if is_pkcs12(client.certificate):
            identity, problems = load(certificate, None)
            if LOCKED in {problem.code for problem in problems}:
                identity, problems = load(certificate, passphrase(client))
        else:
            secret = passphrase(client) if is_encrypted(key) else None
            identity, problems = load_identity(certificate, key, secret)
    except Failure as failure:  # the place that was named holds no passphrase
        identity, problems = None, failure.diagnostics
    place = Place(client.key or client.certificate, path=f"client {client.name}")
    return identity, tuple(_helped(problem, client).at(problem.place or place) for problem in problems)


def _bytes(path: str) -> bytes | Diagnostic:
    return input_file.read(Path(path))


def _helped(problem: Diagnostic, client: Client) -> Diagnostic:
    """The problem with the way out that a plan file has."""
    if problem.code is not LOCKED:
        return problem
    fix = (
        "Write into the plan file where the passphrase comes from, for instance\n"
        f"    passphrase_env: {client.name.upper().replace('-', '_')}_PASSPHRASE"
    )
    return replace(problem, fix=fix)
