"""The use cases for people who have no CA: make one, issue to a fleet, pack a client for its device.

Rules of this file:
- Returns the files to write and says nothing; `vault.write` writes them, all or none.
- A CA's folder has one layout:

    chain.pem                 what is uploaded: issuing CA first, root last
    root.key                  kept offline once the issuing CA exists
    issuing.key               signs clients (absent when there is only a root)
    clients/NAME.pem, .key    one pair a client; NAME.p12 once exported
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Severity
from cf_mtls.pki import fleet
from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.identity import Identity, load_identity, load_key
from cf_mtls.pki.keys import generate, pkcs8, public_der
from cf_mtls.pki.pem import read_chain
from cf_mtls.pki.pkcs12 import export, holds
from cf_mtls.pki.requests import Request, alternative_names, file_stem
from cf_mtls.pki.vault import File, read
from cf_mtls.pki.words import meaning
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cf_mtls.pki.chain import Judgement
    from cf_mtls.pki.keys import PrivateKey, PublicKey
    from cf_mtls.pki.pem import Certificate
    from cf_mtls.pki.template import Overrides

NOT_THE_KEY = Code("pki.key-mismatch", Severity.ERROR, Fault.FILE, "the key is not that of the issuing CA")
NOT_ACCEPTED = Code("pki.not-accepted", Severity.ERROR, Fault.FILE, "the chain would not let a new client in")
SHORTENED = Code("pki.shortened", Severity.WARNING, Fault.INVOCATION, "clients end with their CA")
UNPROVEN = Code("pki.unproven-export", Severity.ERROR, Fault.US, "the PKCS#12 file does not open again")

CHAIN, ROOT_KEY, ISSUING_KEY, CLIENTS = "chain.pem", "root.key", "issuing.key", "clients"


@dataclass(frozen=True, slots=True)
class Made:
    """What a command made: the files to write, and what to say beside them."""

    files: tuple[File, ...]
    expires_on: datetime
    notes: tuple[Diagnostic, ...] = ()
    clients: tuple[tuple[str, Certificate], ...] = ()
    """Who was issued to, and what."""


def make_ca(
    folder: Path,
    name: str,
    *,
    now: datetime,
    days: int,
    key_type: str,
    with_intermediate: bool,
    passphrase: bytes | None,
) -> Made:
    """The files of a new CA. days: of the root, the issuing CA gets half. passphrase: None for plain keys."""
    top = root(f"{name} root", now=now, days=days, key_type=key_type)
    files = [File(folder / ROOT_KEY, pkcs8(top.key, passphrase).encode(), private=True)]
    authority = top
    if with_intermediate:
        authority = top.intermediate(f"{name} clients", now=now, days=days // 2, key_type=key_type)
        files.append(File(folder / ISSUING_KEY, pkcs8(authority.key, passphrase).encode(), private=True))
    files.append(File(folder / CHAIN, authority.chain.pem.encode()))
    return Made(tuple(files), authority.chain.expires_on)


def open_ca(chain_file: Path, key_file: Path, passphrase: bytes | None) -> Authority:
    """The CA of these files; the key must be that of the chain's first. Failure with every reason."""
    chain, problems = read_chain(read(chain_file))
    key = load_key(read(key_file), passphrase)
    if isinstance(key, Diagnostic):
        problems += (key,)
    if chain is None or isinstance(key, Diagnostic):
        raise Failure(problems)
    issuing = chain.certificates[0]
    if public_der(issuing.x509.public_key()) != public_der(key.public_key()):  # type: ignore[arg-type]
        raise Failure(
            [NOT_THE_KEY.found(f"{key_file} does not belong to {issuing.subject}, first in {chain_file}.")]
        )
    return Authority(issuing, key, chain.certificates[1:])


def issue(
    authority: Authority,
    requests: Sequence[Request],
    folder: Path,
    *,
    now: datetime,
    days: int,
    key_type: str,
    passphrase: bytes | None,
) -> Made:
    """The files of these clients: certificate and issuers in .pem, and .key where the CA makes the key."""
    wanted, ends = now + timedelta(days=days), authority.chain.expires_on
    notes = (_shortened(ends, days),) if wanted > ends else ()
    made = [
        _client(authority, request, folder, now, min(wanted, ends), key_type, passphrase)
        for request in requests
    ]
    files = tuple(file for _, of_client in made for file in of_client)
    clients = tuple((r.name, certificate) for r, (certificate, _) in zip(requests, made, strict=True))
    return Made(files, min(wanted, ends), notes, clients)


def not_accepted(
    chain: Sequence[Certificate], clients: Sequence[tuple[str, Certificate]], at: datetime
) -> tuple[Diagnostic, ...]:
    """Why the chain would not let clients in when a TLS server asks: one problem for each reason; () when all get in.

    The verdict is that of `pki verify --purpose sslclient` on the leaf alone.
    """
    verdicts = [(c.name, c.server) for c in fleet.check(chain, clients, at=at)]
    reasons = dict.fromkeys((v.code, v.depth, v.subject if v.depth else "") for _, v in verdicts if not v.ok)
    return tuple(
        _one_reason(
            [(n, v) for n, v in verdicts if (v.code, v.depth, v.subject if v.depth else "") == reason]
        )
        for reason in reasons
    )


def _one_reason(refused: Sequence[tuple[str, Judgement]]) -> Diagnostic:
    name, verdict = refused[0]
    others = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    where = f" (at {verdict.subject})" if verdict.depth else ""
    detail = f"{name}{others}: {verdict}{where}. {meaning(verdict)} Nothing was written."
    return NOT_ACCEPTED.found(detail, "See each certificate of the chain:\n    cf-mtls pki inspect CHAIN")


def _client(
    authority: Authority,
    request: Request,
    folder: Path,
    now: datetime,
    ends: datetime,
    key_type: str,
    passphrase: bytes | None,
) -> tuple[Certificate, list[File]]:
    public, key = _keys(request, key_type)
    content: Overrides = {"not_after": ends, **alternative_names(request.name)}
    certificate = authority.certify(request.name, public, now=now, **content)
    between = [c for c in authority.chain.certificates if not c.is_self_issued]
    text = "".join(c.pem for c in (certificate, *between))
    files = [File(folder / f"{file_stem(request.name)}.pem", text.encode())]
    if key is not None:
        files.append(File(key_of(folder, request.name), pkcs8(key, passphrase).encode(), private=True))
    return certificate, files


def _keys(request: Request, key_type: str) -> tuple[PublicKey, PrivateKey | None]:
    """The client's key: theirs, of which we see the public half, or a new one."""
    if request.public is not None:
        return request.public, None
    key = generate(key_type)
    return key.public_key(), key


def _shortened(ends: datetime, days: int) -> Diagnostic:
    return SHORTENED.found(
        f"{days} days were asked for; the chain ends on {ends:%Y-%m-%d %H:%M} UTC, and they with it.",
        "Renew the CA in time, then issue again.",
    )


def key_of(folder: Path, name: str) -> Path:
    """Where a client's key is."""
    return folder / f"{file_stem(name)}.key"


def open_client(folder: Path, name: str, passphrase: bytes | None) -> Identity:
    """A client of the folder, by name. Failure with every reason."""
    certificate = folder / f"{file_stem(name)}.pem"
    identity, problems = load_identity(read(certificate), read(key_of(folder, name)), passphrase)
    if identity is None:
        raise Failure(problems)
    return identity


def pack(identity: Identity, folder: Path, name: str, passphrase: bytes, *, compat: bool) -> Made:
    """The PKCS#12 file of a client; call `prove` once it is written."""
    path = folder / f"{file_stem(name)}.p12"
    data = export(identity, name, passphrase, compat=compat)
    return Made((File(path, data, private=True),), identity.certificate.not_after)


def prove(path: Path, identity: Identity, passphrase: bytes) -> None:
    """Nothing when the written file opens and holds what it should. Failure otherwise."""
    if not holds(read(path), identity, passphrase):
        raise Failure(
            [UNPROVEN.found(f"{path} was written and could not be opened again.", "Do not use it.")]
        )
