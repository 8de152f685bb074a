"""The keys of declared CAs that lie beside their chain files: with one, a client with an undeclared name can be made.

Rules of this file:
- Only unencrypted PEM keys named `*.key`, few and small; nothing is asked for, nothing is said of what is no such key.
- A key is used in memory and never written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls import input_file
from cf_mtls.declare.files import read_bytes
from cf_mtls.model.resources import CaCertificate
from cf_mtls.pki.authority import Authority
from cf_mtls.pki.identity import is_encrypted, load_identity
from cf_mtls.pki.pem import read_certificates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cf_mtls.model.state import State
    from cf_mtls.pki.pem import Certificate

MOST = 20
"""Keys that are looked at in a folder."""


def authorities(folders: Iterable[Path], state: State) -> tuple[Authority, ...]:
    """The CAs of a declared state whose key is in one of these folders."""
    cas = [
        certificate
        for _, ca in state.of(CaCertificate)
        for certificate in (read_certificates(ca.pem.encode("ascii"))[0] if ca.pem else ())
        if certificate.is_ca
    ]
    return tuple(found for folder in folders for key in _keys(folder) for found in _fitting(cas, key))


def _keys(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("*.key"))[:MOST]:
        data = read_bytes(path) if input_file.is_there(path) else None
        if isinstance(data, bytes) and not is_encrypted(data):
            yield data


def _fitting(cas: Iterable[Certificate], key: bytes) -> Iterator[Authority]:
    for certificate in cas:
        identity, _ = load_identity(certificate.pem.encode("ascii"), key)
        if identity:
            yield Authority(certificate, identity.key)
