"""What stands where while moves are made and taken back: the part of an account that a group's moves can change.

Rules of this file:
- It changes in place: a move costs as much as it touches, however large the account is.
- A move that the API would not take is not made; its rules are here and nowhere else.

Source: facts, cloudflare-api 1.7 (whether a hostname stands on one CA only, and whether a CA is taken beside its like,
is not known), 1.8 (an associated CA cannot be deleted), 3.5 (a domain is unique).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.plan import Phase
from cf_mtls.model.resources import AccessApplication, CaCertificate, Kind
from cf_mtls.planning.duplicates import NO_RIVALS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cf_mtls.access.scene import Trust
    from cf_mtls.model.resources import Address, Resource
    from cf_mtls.planning.duplicates import Rivals
    from cf_mtls.planning.moves import Move

NO_CA: Trust = frozenset()


class Board:
    """The applications at their addresses, and the CAs on every hostname."""

    def __init__(
        self, start: Iterable[tuple[Address, Resource]], *, one_ca: bool = False, rivals: Rivals = NO_RIVALS
    ) -> None:
        """start: what stands before the first move. one_ca: whether a hostname may stand on one CA only.

        rivals: for a CA that is to be uploaded, those beside which the account refuses it.
        """
        self._rivals = rivals
        self._applications: dict[Address, AccessApplication] = {}
        self._one_ca = one_ca
        self._trust: dict[str, Trust] = {}
        self._hosts: dict[Address, set[str]] = {}
        self._domains: dict[str, set[Address]] = {}
        for address, resource in start:
            if isinstance(resource, AccessApplication):
                self._place(address, resource)
            elif isinstance(resource, CaCertificate):
                self._hosts[address] = set()
                self._give(address, resource.associated_hostnames)

    def trust(self, host: str, after: Move | None = None) -> Trust:
        """The CAs that stand on a host now, or after a move that touches the host."""
        now = self._trust.get(host, NO_CA)
        if after is None or after.change.address.kind is not Kind.CERTIFICATE:
            return now
        moved = {after.change.address}
        return now - moved if after.phase is Phase.NARROW else now | moved

    def standing(self, addresses: Collection[Address], after: Move | None = None) -> list[Resource | None]:
        """The application at each address now, or after a move; None where none stands."""
        found: list[Resource | None] = [self._applications.get(address) for address in addresses]
        if after is not None and after.change.address.kind is Kind.APPLICATION:
            for place, address in enumerate(addresses):
                if address == after.change.address:
                    found[place] = after.change.after
        return found

    def takes(self, move: Move) -> bool:
        """Whether the API would take a move now."""
        address, after = move.change.address, move.change.after
        match move.phase:
            case Phase.UPLOAD:
                beside = self._rivals.get(address, frozenset())
                return self._is_free(move) and not beside & self._hosts.keys()
            case Phase.WIDEN:
                return address in self._hosts and self._is_free(move)
            case Phase.DELETE:
                return address in self._hosts and not self._hosts[address]
        if isinstance(after, AccessApplication):
            return all(self._domains.get(domain, set()) <= {address} for domain in after.domains)
        return True

    def _is_free(self, move: Move) -> bool:
        return not self._one_ca or all(self.trust(host) <= {move.change.address} for host in move.hosts)

    def make(self, move: Move) -> None:
        """Make a move."""
        address = move.change.address
        match move.phase:
            case Phase.UPLOAD:
                self._hosts[address] = set()
                self._give(address, move.hosts)
            case Phase.WIDEN:
                self._give(address, move.hosts)
            case Phase.NARROW:
                self._take(address, move.hosts)
            case Phase.DELETE:
                del self._hosts[address]
            case Phase.DEMAND | Phase.RELEASE:
                self._place(address, move.change.after)

    def unmake(self, move: Move) -> None:
        """Take back the last move that was made."""
        address = move.change.address
        match move.phase:
            case Phase.UPLOAD:
                self._take(address, move.hosts)
                del self._hosts[address]
            case Phase.WIDEN:
                self._take(address, move.hosts)
            case Phase.NARROW:
                self._give(address, move.hosts)
            case Phase.DELETE:
                self._hosts[address] = set()
            case Phase.DEMAND | Phase.RELEASE:
                self._place(address, move.change.before)

    def _give(self, address: Address, hosts: Iterable[str]) -> None:
        self._hosts[address].update(hosts)
        for host in hosts:
            self._trust[host] = self.trust(host) | {address}

    def _take(self, address: Address, hosts: Iterable[str]) -> None:
        self._hosts[address].difference_update(hosts)
        for host in hosts:
            self._trust[host] = self.trust(host) - {address}

    def _place(self, address: Address, there: Resource | None) -> None:
        """Put an application, or nothing, at an address."""
        old = self._applications.pop(address, None)
        for domain in old.domains if old else ():
            self._domains[domain].discard(address)
        if isinstance(there, AccessApplication):
            self._applications[address] = there
            for domain in there.domains:
                self._domains.setdefault(domain, set()).add(address)
