"""Which PEM file is which CA of the account.

Rules of this file:
- Pure: the files' bytes come in.
- A CA is a candidate by MD5 and end of validity, of any block of a chain: which one Cloudflare hashes is not
  known (facts 1.3). The first block is the likeliest, so it wins; then the shorter chain, then the path.
- Digits in a CA's name, which this program wrote when it uploaded it, must be those of the chain.
- One chain is one CA. A file that matches and cannot be used is told with its reason, never used.
- A file with a private key in it is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.marks import DIGITS, digits_of
from cf_mtls.pki.lint import check_chain_file
from cf_mtls.pki.pem import Certificate, Chain, read_certificates, read_chain
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from cf_mtls.model.resources import Address, CaCertificate


@dataclass(frozen=True, slots=True)
class Match:
    """A CA's chain: the file it came from, and which of its blocks (from 1) the account's fingerprint is."""

    path: str
    chain: Chain
    block: int


@dataclass(frozen=True, slots=True)
class Misfit:
    """A file that holds a CA's certificate and cannot be its chain, and why."""

    path: str
    why: str


def match(
    cas: Mapping[Address, CaCertificate], files: Mapping[str, bytes], at: datetime
) -> dict[Address, Match | Misfit]:
    """What was found for each CA; nothing for those that are in no file.

    files: path to bytes. at: an aware moment, for what has expired.
    """
    chains = {path: read_chain(data)[0] for path, data in sorted(files.items())}
    whole = {path: chain for path, chain in chains.items() if chain is not None}
    found: dict[Address, Match | Misfit] = {}
    taken: set[str] = set()
    for block, _, path, address in sorted(_pairs(cas, whole)):
        chain = whole[path]
        if address in found or chain.sha256 in taken:
            continue
        why = _unusable(chain, at)
        found[address] = Misfit(path, why) if why else Match(path, chain, block)
        taken |= set() if why else {chain.sha256}
    return {**dict(_parts(cas, files)), **found}


def _pairs(
    cas: Mapping[Address, CaCertificate], chains: Mapping[str, Chain]
) -> Iterator[tuple[int, int, str, Address]]:
    for path, chain in chains.items():
        for block, certificate in enumerate(chain.certificates, start=1):
            for address in _named(certificate, cas):
                if (digits_of(cas[address].name) or chain.sha256[:DIGITS]) == chain.sha256[:DIGITS]:
                    yield block, len(chain.certificates), path, address


def _named(certificate: Certificate, cas: Mapping[Address, CaCertificate]) -> Iterable[Address]:
    return [
        address
        for address, ca in cas.items()
        if certificate.md5 in ca.fingerprints and certificate.not_after in ca.expirations
    ]


def _unusable(chain: Chain, at: datetime) -> str:
    """Why a plan would refuse this chain, '' when it would not."""
    _, problems = check_chain_file(chain.pem.encode("ascii"), at=at)
    return next((f"{d.code.summary} [{d.code.code}]" for d in problems if d.is_error), "")


def _parts(
    cas: Mapping[Address, CaCertificate], files: Mapping[str, bytes]
) -> Iterator[tuple[Address, Misfit]]:
    """The CAs whose certificate stands in a file that is not a chain, with what is wrong with that file."""
    for path, data in sorted(files.items(), reverse=True):
        chain, problems = read_chain(data)
        certificates, _ = read_certificates(data)
        for certificate in certificates if chain is None else ():
            for address in _named(certificate, cas):
                yield address, Misfit(path, f"{problems[0].code.summary} [{problems[0].code.code}]")
