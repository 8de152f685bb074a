"""The certificates of a plan file: CA chains read, named and put on their hostnames.

Rules of this file:
- A CA is addressed by content: the SHA-256 over the set of its certificates; each bundle is declared once.
  One that is pinned is addressed by its id, so that its own bundle can be uploaded beside it to replace it.
- The PEM of a CA that is only pinned may be nobody's: what the file recorded of it stands for it.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from cf_mtls.declare.document import ChainDocument
from cf_mtls.declare.values import UNKNOWN
from cf_mtls.diagnostics import Code, Diagnostic, Fault, Severity
from cf_mtls.model.ends import counted
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
OTHER_CHAIN = Code(
    "certificate.other-chain", Severity.ERROR, Fault.FILE, "a chain file is not the bundle that was recorded"
)
UNRECORDED = Code(
    "certificate.unrecorded", Severity.WARNING, Fault.FILE, "nothing records the bundle of a pinned CA"
)
PIN_IN_LIST = Code(
    "certificate.pin-in-list", Severity.ERROR, Fault.FILE, "an id does not say which CA it pins"
)


def _items(group: CertificateDocument) -> list[ChainDocument]:
    """The chain files of a group, each with what is written beside it."""
    if isinstance(group.chain, str):
        return [ChainDocument(file=group.chain, id=group.id, sha256=group.sha256)]
    return [item if isinstance(item, ChainDocument) else ChainDocument(file=item) for item in group.chain]


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
        for index, item in enumerate(_items(group)):
            path: Path = (*base, index) if listed else base
            chain = self._chain(item.file, path)
            if chain:
                self._overdue(item, path)
                self._recorded(item, chain, path)
                self._certificate(label, chain, hosts, path, item)

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
            detail = f"{item.file} was to be gone after {item.until}, {counted(days, 'day')} ago."
            self._ledger.problem(OVERDUE, path, detail, "Take it out of the list, plan and apply.")

    def _recorded(self, item: ChainDocument, chain: Chain, path: Path) -> None:
        """What a pinned CA holds cannot be changed in place, so its chain file must stay what it was."""
        if item.sha256 and item.sha256 != chain.sha256:
            detail = (
                f"{item.file} holds the bundle {chain.sha256}; recorded is {item.sha256}. "
                "What a CA of the account holds cannot be changed: another bundle is another CA."
            )
            fix = (
                "Put the file back as it was, and add the new chain as an entry of its own, without id: and sha256:, "
                "on the same hostnames. Take the old entry out once the new CA is proven."
            )
            self._ledger.problem(OTHER_CHAIN, path, detail, fix)
        elif item.id and not item.sha256:
            detail = f"{item.file} stands beside the id {item.id}; if the file is changed, nobody notices."
            self._ledger.problem(
                UNRECORDED, path, detail, f"Write beside the id:\n    sha256: {chain.sha256}"
            )

    def _certificate(
        self, label: str, chain: Chain, hosts: tuple[str, ...], path: Path, item: ChainDocument
    ) -> None:
        address = Address(Kind.CERTIFICATE, item.id or chain.sha256)
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
            item.id,
            contents=Contents.RECORDED if item.id or item.sha256 else Contents.KNOWN,
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
