"""The certificates of a plan file: CA chains read, named and put on their hostnames.

Rules of this file:
- A CA is addressed by content: the SHA-256 over the set of its certificates; each bundle is declared once.
- The PEM of a CA that is only pinned may be nobody's: what the file recorded of it stands for it.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from cf_mtls.declare.document import ChainDocument
from cf_mtls.declare.values import UNKNOWN
from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.model.marks import application_name, certificate_name
from cf_mtls.model.resources import Address, CaCertificate, Contents, Kind
from cf_mtls.pki.lint import check_chain_file

if TYPE_CHECKING:
    from cf_mtls.declare.document import CertificateDocument
    from cf_mtls.declare.ledger import Ledger
    from cf_mtls.declare.yaml_text import Path
    from cf_mtls.pki.pem import Chain

SAME_CHAIN = Code("certificate.same-chain", Severity.ERROR, Fault.FILE, "the same CA chain is declared twice")
OVERDUE = Code("certificate.overdue", Severity.WARNING, Fault.FILE, "a CA is overdue for removal")
PIN_IN_LIST = Code(
    "certificate.pin-in-list", Severity.ERROR, Fault.FILE, "an id does not say which CA it pins"
)


class Trust:
    """The CAs that a plan file declares."""

    def __init__(self, ledger: Ledger) -> None:
        self.chains: dict[Address, Chain] = {}
        self.unknown: set[Address] = set()
        """Those whose PEM nobody has."""
        self._ledger = ledger
        for label, group in ledger.source.document.certificates.items():
            self._certificates(label, group)

    def _certificates(self, label: str, group: CertificateDocument) -> None:
        base: Path = ("certificates", label, "chain")
        listed = isinstance(group.chain, list)
        if listed and group.id:
            detail = "The chain is a list, so the id belongs to one of its items."
            self._ledger.problem(
                PIN_IN_LIST, ("certificates", label, "id"), detail, "Write the item as {file: …, id: …}."
            )
        hosts = tuple(sorted(set(group.associated_hostnames)))
        if group.chain == UNKNOWN:
            self._unknown(label, group, hosts, base)
            return
        for index, item in enumerate(group.chain if isinstance(group.chain, list) else [group.chain]):
            path: Path = (*base, index) if listed else base
            chain = self._chain(item.file if isinstance(item, ChainDocument) else item, path)
            pin = item.id if isinstance(item, ChainDocument) else None if listed else group.id
            if chain and isinstance(item, ChainDocument):
                self._overdue(item, path)
            if chain:
                self._certificate(label, chain, hosts, path, pin)

    def _unknown(self, label: str, group: CertificateDocument, hosts: tuple[str, ...], path: Path) -> None:
        """A CA that is in the account and whose PEM nobody has: what the file recorded of it."""
        fingerprint, ends = group.fingerprint or "", group.expires_on
        address = Address(Kind.CERTIFICATE, group.id or "")
        if ends is None or self._twice(address, path):  # the model has seen to it that there is an end
            return
        self.unknown.add(address)
        name = application_name(label, self._ledger.source.document.stack)
        self._ledger.add(
            address, CaCertificate(name, hosts, (fingerprint,), (ends.astimezone(UTC),), id=group.id), path
        )

    def _twice(self, address: Address, path: Path) -> bool:
        return self._ledger.has(SAME_CHAIN, address, path, "It", "Declare it once.")

    def _overdue(self, item: ChainDocument, path: Path) -> None:
        if item.until and item.until < self._ledger.at.date():
            days = (self._ledger.at.date() - item.until).days
            detail = f"{item.file} was to be gone after {item.until}, {days} days ago."
            self._ledger.problem(OVERDUE, path, detail, "Take it out of the list, plan and apply.")

    def _certificate(
        self, label: str, chain: Chain, hosts: tuple[str, ...], path: Path, pin: str | None
    ) -> None:
        address = Address(Kind.CERTIFICATE, chain.sha256)
        if self._twice(address, path):
            return
        self.chains[address] = chain
        name = certificate_name(label, chain.sha256, self._ledger.source.document.stack)
        resource = CaCertificate(
            name,
            hosts,
            chain.md5s,
            chain.expirations,
            chain.sha256,
            chain.pem,
            pin,
            contents=Contents.RECORDED if pin else Contents.KNOWN,
        )
        self._ledger.add(address, resource, path)

    def _chain(self, name: str, path: Path) -> Chain | None:
        data = self._ledger.source.chains[name]
        if isinstance(data, Diagnostic):
            self._ledger.placed(data, path)
            return None
        chain, problems = check_chain_file(data, at=self._ledger.at)
        for problem in problems:
            self._ledger.placed(problem, path)
        return chain
