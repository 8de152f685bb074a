"""Plan files and certificates from disk.

Rules of this file:
- Paths in a plan file are relative to the plan file.
- A file is read whole or refused (`input_file`); what a plan file names must be a regular file.
- Client keys are opened, with the passphrase of the file or variable that is named for it, to see whether they belong
  to their certificate, and nothing of them is kept; `verify/` hands their paths to TLS.
"""

from __future__ import annotations

import os
from dataclasses import field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from cf_mtls.declare import yaml_text
from cf_mtls.declare.border import document
from cf_mtls.declare.document import ChainDocument, ClientDocument, Document
from cf_mtls.declare.values import UNKNOWN
from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Place, Severity, has_errors
from cf_mtls.input_file import (
    LARGEST_PLAN,
    LARGEST_REPORT,
    LARGEST_SECRET,
    NOT_REGULAR,
    TOO_LARGE,
    needed,
    read,
    too_large,
)
from cf_mtls.pki.blocks import holds_private_key
from cf_mtls.pki.identity import read_client_certificates
from cf_mtls.pki.pem import read_chain
from cf_mtls.pki.pkcs12 import check_files, is_pkcs12
from cf_mtls.pki.pkcs12 import load as load_pkcs12
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from cf_mtls.declare.yaml_text import Reading
    from cf_mtls.pki.pem import Certificate, Chain

NOT_TEXT = Code("file.not-text", Severity.ERROR, Fault.FILE, "a file is not UTF-8 text")
NONE_GIVEN = Code("file.none-given", Severity.ERROR, Fault.INVOCATION, "no plan file was named")

SUFFIXES = frozenset({".pem", ".crt", ".cer"})
"""How the name of a certificate file ends."""

MOST_FILES = 10_000
"""How many files of a folder are looked at."""

SAVED = Code(
    "file.saved-plan", Severity.ERROR, Fault.INVOCATION, "a saved plan stands where a plan file should"
)

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})

UTF8_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Source:
    """A plan file as read: the document, its places, and the bytes of every file that it names."""

    path: Path
    reading: Reading
    document: Document
    chains: dict[str, bytes | Diagnostic] = field(default_factory=dict)
    """By the path as written in the plan file: the bytes, or why there are none."""
    clients: dict[str, bytes | Diagnostic] = field(default_factory=dict)
    """By the path as written: the bytes of each client certificate, or why there are none."""
    keys: dict[str, bool] = field(default_factory=dict)
    """By the path as written: whether each client's private key is there. Its bytes are not kept."""
    faults: dict[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    """By a client's name: what is wrong with its files, and what could not be checked for want of a passphrase."""
    shown: dict[str, tuple[Certificate, ...]] = field(default_factory=dict)
    """By a client's name: its certificate and what it sends along, () when they cannot be read."""

    def beside(self, name: str) -> Path:
        """The path of a file that the plan file names."""
        return self.path.parent / Path(name).expanduser()


def load(path: Path, variables: Mapping[str, str] = NO_VARIABLES) -> Source:
    """A plan file and the files it names.

    variables: by name, of the environment; only those are looked up that the file names for a passphrase.
    Raises Failure with every problem of the plan file itself; a missing certificate is left to `resolve`,
    so that it is reported together with what else is wrong.
    """
    source = alone(path)
    for name in chain_files(source.document):
        source.chains[name] = read(source.beside(name))
    for name, client in source.document.clients.items():
        source.clients[client.certificate] = read(source.beside(client.certificate))
        key = client.key or client.certificate
        source.keys[key] = os.access(source.beside(key), os.R_OK) and _may_hold_key(source, client)
        secret = _secret(source, client, variables)
        source.faults[name] = tuple(_faults(source, client, secret))
        source.shown[name] = _shown(source, client, secret)
    return source


def alone(path: Path) -> Source:
    """A plan file without the files it names. Raises Failure with every problem of it."""
    raw = needed(path, LARGEST_REPORT, pipes=True)
    if is_saved_plan(raw):
        fix = f"Look at it, and apply it, with:\n    cf-mtls show {path}\n    cf-mtls apply {path}"
        raise Failure([SAVED.found(f"{path} was written by `cf-mtls plan`.", fix, Place(str(path)))])
    if len(raw) > LARGEST_PLAN:
        raise Failure([too_large(path, LARGEST_PLAN)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"Byte {error.start} is not UTF-8."
        raise Failure([NOT_TEXT.found(detail, "Save it as UTF-8.", Place(str(path)))]) from None
    reading = yaml_text.read(text, str(path))
    found = document(reading)
    if found is None or has_errors(reading.diagnostics):
        raise Failure(sorted(reading.diagnostics, key=lambda d: d.place or Place("")))
    return Source(path, reading, found)


def _may_hold_key(source: Source, client: ClientDocument) -> bool:
    """False for a PEM file of the certificate alone, beside which no key is named."""
    shown = source.clients[client.certificate]
    alone = client.key is None and not is_pkcs12(client.certificate)
    return not (alone and isinstance(shown, bytes) and not holds_private_key(shown))


def _faults(source: Source, client: ClientDocument, secret: bytes | None) -> Iterator[Diagnostic]:
    """What is wrong with a client's files that are there. A file that is not there, or not readable, is no fault."""
    shown, held = source.clients[client.certificate], read(source.beside(client.key)) if client.key else None
    yield from (d for d in (shown, held) if isinstance(d, Diagnostic) and d.code in {TOO_LARGE, NOT_REGULAR})
    if isinstance(shown, Diagnostic) or isinstance(held, Diagnostic):
        return
    yield from check_files(shown, held, secret, is_packed=is_pkcs12(client.certificate))


def _shown(source: Source, client: ClientDocument, secret: bytes | None) -> tuple[Certificate, ...]:
    data = source.clients[client.certificate]
    if isinstance(data, Diagnostic):
        return ()
    if is_pkcs12(client.certificate):
        identity = load_pkcs12(data, None)[0] or (load_pkcs12(data, secret)[0] if secret else None)
        return (identity.certificate, *identity.sent) if identity else ()
    certificates, problems = read_client_certificates(data)
    return () if problems else certificates


def _secret(source: Source, client: ClientDocument, variables: Mapping[str, str]) -> bytes | None:
    """A client's passphrase: the variable's, or the first line of the file; None where none is named or at hand."""
    if client.passphrase_env:
        return variables.get(client.passphrase_env, "").encode("utf-8", "surrogateescape") or None
    found = read(source.beside(client.passphrase_file), LARGEST_SECRET) if client.passphrase_file else b""
    lines = b"" if isinstance(found, Diagnostic) else found
    return next(iter(lines.splitlines()), b"") or None


def is_saved_plan(raw: bytes) -> bool:
    """Whether a file is a plan that was saved, and no plan file, by its content alone; not whether it is a good one.

    A plan file may be JSON too, which is YAML. What begins with a brace and is cut off is judged by its words.
    """
    import json

    marks = ("cf_mtls", "format_version")
    if raw.removeprefix(UTF8_BOM).lstrip()[:1] != b"{":
        return False
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return any(f'"{mark}"'.encode("ascii") in raw for mark in marks)
    return isinstance(found, dict) and any(mark in found for mark in marks)


def chain_files(found: Document) -> list[str]:
    """The chain files that a document names, as written, in order; an unknown chain names none."""
    return [
        item.file if isinstance(item, ChainDocument) else item
        for group in found.certificates.values()
        if group.chain != UNKNOWN
        for item in (group.chain if isinstance(group.chain, list) else [group.chain])
    ]


def read_bytes(path: Path) -> bytes | Diagnostic:
    """The bytes of a file that was named on the command line, or the diagnostic that says why there are none."""
    return read(path, LARGEST_REPORT, pipes=True)


def chains_beside(folders: Iterable[Path], digits: Collection[str]) -> Iterator[Chain]:
    """The CA chains in these folders whose SHA-256 begins with any of these digits: of CAs that left the plan file.

    What cannot be read, holds a private key, or is no certificate file by its name is passed over.
    """
    if not digits:
        return
    for path in sorted(p for folder in folders for p in _certificate_files(folder)):
        data = read(path)
        chain = None if isinstance(data, Diagnostic) or holds_private_key(data) else read_chain(data)[0]
        if chain and chain.sha256.startswith(tuple(digits)):
            yield chain


def _certificate_files(folder: Path) -> list[Path]:
    try:
        listed = islice(folder.iterdir(), MOST_FILES)
        return [p for p in listed if p.suffix.lower() in SUFFIXES and p.is_file()]
    except OSError:
        return []


def choose(named: str | None, folder: Path) -> Path:
    """The plan file to use: the one named, else cf-mtls.yaml, else the only YAML file in plans/.

    Never searched for above `folder`: this tool can delete CAs.
    Raises Failure when that leaves none or several.
    """
    if named:
        return Path(named)
    if (folder / "cf-mtls.yaml").is_file():
        return Path("cf-mtls.yaml")
    plans = sorted(p for p in (folder / "plans").glob("*.y*ml") if p.suffix in {".yaml", ".yml"})
    if len(plans) == 1:
        return plans[0].relative_to(folder)
    if plans:
        names = "\n".join(f"    {p.relative_to(folder)}" for p in plans)
        raise Failure([NONE_GIVEN.found(f"There are several in plans/:\n{names}", "Name the one you mean.")])
    fix = "Name one, or write a first one and run:\n    cf-mtls plan plans/NAME.yaml"
    raise Failure([NONE_GIVEN.found("There is no cf-mtls.yaml here and nothing in plans/.", fix)])
