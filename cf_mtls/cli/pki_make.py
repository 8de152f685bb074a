"""`cf-mtls pki ca`, `issue` and `export`: certificates for people who have none.

Rules of this file:
- Keys and passphrases never come as arguments, and are never printed.
- Output is a conversation: what was made, where it is, until when it holds, and what to do next.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cf_mtls.cli import console, passphrase
from cf_mtls.diagnostics import Code, Diagnostic, Exit, Failure, Fault, Place, Severity
from cf_mtls.report.terminal import plural

if TYPE_CHECKING:
    from cf_mtls.pki.authority import Authority
    from cf_mtls.pki.issuing import Made
    from cf_mtls.pki.requests import Request

NOBODY = Code("pki.nobody", Severity.ERROR, Fault.INVOCATION, "there is nobody to issue to")
ONE_REQUEST = Code("pki.one-request", Severity.ERROR, Fault.INVOCATION, "a request is for one client")
COMPAT = Code("pki.weak-export", Severity.WARNING, Fault.INVOCATION, "the PKCS#12 file is weakly encrypted")
PLAIN = Code("pki.plain-key", Severity.WARNING, Fault.INVOCATION, "the CA's keys are not encrypted")


class KeyType(Enum):
    """Kinds of keys whose signatures Cloudflare accepts (facts: cloudflare-api 1.4)."""

    EC256 = "ec256"
    EC384 = "ec384"
    EC521 = "ec521"
    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"


Folder = Annotated[Path, typer.Option("--ca", help="The CA's folder.")]
Key = Annotated[KeyType, typer.Option("--key-type", help="The kind of key.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
Variable = Annotated[
    str | None, typer.Option("--passphrase-env", help="Environment variable with the passphrase.")
]
PassFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help="File with the passphrase, first line.")
]
KeyVariable = Annotated[str | None, typer.Option("--client-passphrase-env", help="For the clients' keys.")]
KeyFile = Annotated[Path | None, typer.Option("--client-passphrase-file", help="For the clients' keys.")]

AS_ASKED = "as a TLS server asks (pki verify --purpose sslclient)"
FLAGS = "--passphrase-env or --passphrase-file"
CLIENT_FLAGS = "--client-passphrase-env or --client-passphrase-file"


def register(sub: typer.Typer) -> None:
    """Add the commands to `pki`."""
    sub.command()(ca)
    sub.command()(issue)
    sub.command()(export)


def ca(
    name: Annotated[str, typer.Argument(help="What the CA is called.")],
    folder: Folder = Path("pki"),
    key_type: Key = KeyType.EC256,
    days: Annotated[int, typer.Option(min=2, max=36500, help="How long the root holds.")] = 3650,
    intermediate: Annotated[bool, typer.Option(help="Sign clients with a CA below the root.")] = True,
    passphrase_env: Variable = None,
    passphrase_file: PassFile = None,
    encrypt: Annotated[bool, typer.Option(help="Encrypt the CA's keys.")] = True,
    force: Force = False,
) -> int:
    """Make a CA: a root, an issuing CA below it, and the chain to upload."""
    from cf_mtls.pki import issuing, vault
    from cf_mtls.pki.requests import bad_names

    _stop(bad_names([name]) or bad_names([f"{name} clients"]))
    secret = passphrase.given(passphrase_env, passphrase_file)
    if encrypt and secret is None:
        secret = passphrase.asked("the CA's keys", f"{FLAGS}, or --no-encrypt", twice=True)
    made = issuing.make_ca(
        folder,
        name,
        now=datetime.now(UTC),
        days=days,
        key_type=key_type.value,
        with_intermediate=intermediate,
        passphrase=secret if encrypt else None,
    )
    vault.write(made.files, force=force)
    _tell(made)
    if not encrypt:
        console.show(
            [PLAIN.found(f"Whoever reads {folder} can issue clients.", "Keep it on a machine of its own.")]
        )
    console.say(f"The chain to upload is {folder / issuing.CHAIN}.")
    if intermediate:
        console.say(f"Keep {folder / issuing.ROOT_KEY} offline: only a new issuing CA needs it.")
    return Exit.OK


def issue(
    names: Annotated[list[str] | None, typer.Argument(help="The clients' names.")] = None,
    folder: Folder = Path("pki"),
    chain: Annotated[Path | None, typer.Option(help="The CA's chain, when it has no such folder.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="The issuing CA's key, when it has no such folder.")
    ] = None,
    names_from: Annotated[Path | None, typer.Option("--list", help="A file of names, one a line.")] = None,
    csr: Annotated[Path | None, typer.Option(help="The request of a client that keeps its key.")] = None,
    days: Annotated[int, typer.Option(min=1, max=36500, help="How long the clients hold.")] = 365,
    key_type: Key = KeyType.EC256,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; clients in the CA's by default.")
    ] = None,
    passphrase_env: Variable = None,
    passphrase_file: PassFile = None,
    client_passphrase_env: KeyVariable = None,
    client_passphrase_file: KeyFile = None,
    force: Force = False,
) -> int:
    """Issue client certificates: clientAuth, with the name as common name and alternative name.

    Nothing is written when the chain would not let one of them in.
    """
    from cf_mtls.pki import issuing, vault

    requests = _requests(names or [], names_from, csr)
    key_file, chain_file = key or _issuing_key(folder), chain or folder / issuing.CHAIN
    authority = _open(chain_file, key_file, passphrase_env, passphrase_file)
    now = datetime.now(UTC)
    made = issuing.issue(
        authority,
        requests,
        out or folder / issuing.CLIENTS,
        now=now,
        days=days,
        key_type=key_type.value,
        passphrase=passphrase.given(client_passphrase_env, client_passphrase_file),
    )
    refused = issuing.not_accepted(authority.chain.certificates, made.clients, now)
    _stop([d.at(Place(str(chain_file))) for d in refused])
    vault.write(made.files, force=force)
    _tell(made)
    console.say(f"{plural(len(requests), 'client')}, accepted under {chain_file} {AS_ASKED}.")
    return Exit.OK


def export(
    name: Annotated[str, typer.Argument(help="The client's name, as it was issued.")],
    p12: Annotated[bool, typer.Option("--p12", help="Write PKCS#12, the only form so far.")],
    folder: Folder = Path("pki"),
    clients: Annotated[Path | None, typer.Option("--clients", help="Folder of the client's files.")] = None,
    compat: Annotated[bool, typer.Option("--compat", help="3DES and SHA-1, for old importers.")] = False,
    passphrase_env: Variable = None,
    passphrase_file: PassFile = None,
    client_passphrase_env: KeyVariable = None,
    client_passphrase_file: KeyFile = None,
    force: Force = False,
) -> int:
    """Pack a client's key, certificate and issuers into one encrypted file for its device."""
    from cf_mtls.pki import issuing, vault

    del p12  # asked for by name, so that another form can be added without a surprise
    where = clients or folder / issuing.CLIENTS
    opening = _secret_of(
        issuing.key_of(where, name), client_passphrase_env, client_passphrase_file, CLIENT_FLAGS
    )
    identity = issuing.open_client(where, name, opening)
    secret = passphrase.given(passphrase_env, passphrase_file)
    secret = secret or passphrase.asked(f"{name}'s PKCS#12 file", FLAGS, twice=True)
    made = issuing.pack(identity, where, name, secret, compat=compat)
    vault.write(made.files, force=force)
    issuing.prove(made.files[0].path, identity, secret)
    _tell(made)
    if compat:
        console.show([_weak(made.files[0].path)])
    console.say("It was opened again with its passphrase: key, certificate and issuers are in it.")
    return Exit.OK


def _weak(path: Path) -> Diagnostic:
    return COMPAT.found(
        f"{path} is encrypted with 3DES and sealed with SHA-1, for importers that know nothing better.",
        "Use a long passphrase, import the file, and delete it.",
    )


def _requests(names: list[str], names_from: Path | None, csr: Path | None) -> list[Request]:
    """Who asks, from arguments, list and request. Failure with everything that is wrong."""
    from cf_mtls.pki.requests import Request, bad_names, read_names, read_request
    from cf_mtls.pki.vault import read

    if names_from:
        names = [*names, *read_names(read(names_from).decode("utf-8", errors="replace"))]
    if csr and len(names) > 1:
        raise Failure(
            [ONE_REQUEST.found(f"{len(names)} names were given beside {csr}.", "Give one name, or none.")]
        )
    if csr:
        found = read_request(read(csr), *names)
        if isinstance(found, Diagnostic):
            raise Failure([found.at(Place(str(csr)))])
        requests = [found]
    else:
        requests = [Request(name) for name in names]
    if not requests:
        raise Failure(
            [NOBODY.found("No NAME, --list or --csr was given, or the list is empty.", "Give a NAME.")]
        )
    _stop(bad_names([r.name for r in requests]))
    return requests


def _open(chain: Path, key: Path, variable: str | None, file: Path | None) -> Authority:
    from cf_mtls.pki import issuing

    return issuing.open_ca(chain, key, _secret_of(key, variable, file, FLAGS))


def _secret_of(key: Path, variable: str | None, file: Path | None, flags: str) -> bytes | None:
    """What opens a key file, asked for where it is needed and was not named; None when nothing is needed."""
    from cf_mtls.pki import identity, vault

    secret = passphrase.given(variable, file)
    if secret is None and identity.is_encrypted(vault.read(key)):
        secret = passphrase.asked(str(key), flags)
    return secret


def _issuing_key(folder: Path) -> Path:
    from cf_mtls.pki import issuing

    issuing_key = folder / issuing.ISSUING_KEY
    return issuing_key if issuing_key.exists() else folder / issuing.ROOT_KEY


def _stop(problems: tuple[Diagnostic, ...] | list[Diagnostic]) -> None:
    if problems:
        raise Failure(problems)


def _tell(made: Made) -> None:
    """The files on stdout, one a line; everything else is a message."""
    console.show(made.notes)
    for file in made.files:
        console.out(str(file.path))
    console.say(f"All hold until {made.expires_on:%Y-%m-%d %H:%M} UTC.")
