"""Who asks: what every witness can do, and one that many files share.

Rules of this file:
- A witness is any object of this shape; httpx, curl and the browser each have a file.
- Load is bounded where it is made: however many files are proven side by side, no more requests are under way.
"""

from __future__ import annotations

from threading import Semaphore
from typing import TYPE_CHECKING, Protocol

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from cf_mtls.model.evidence import Evidence, Probe
    from cf_mtls.pki.identity import Identity


class Witness(Protocol):
    """Whoever can ask a probe's question."""

    @property
    def name(self) -> str:
        """As reports call it."""

    @property
    def can(self) -> frozenset[int]:
        """The proofs that it can ask for."""

    @property
    def at_once(self) -> int:
        """How many requests it makes side by side."""

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        """What one probe saw. identity: what the probe shows, None for no certificate."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A witness that many files share: together they make no more requests side by side than one alone."""

    witness: Witness
    gate: Semaphore

    @property
    def name(self) -> str:
        """As the witness."""
        return self.witness.name

    @property
    def can(self) -> frozenset[int]:
        """As the witness."""
        return self.witness.can

    @property
    def at_once(self) -> int:
        """As the witness."""
        return self.witness.at_once

    def ask(self, probe: Probe, identity: Identity | None) -> Evidence:
        """As the witness, when it is this request's turn."""
        with self.gate:
            return self.witness.ask(probe, identity)


def shared(witness: Witness) -> Witness:
    """The witness for many files side by side."""
    return Shared(witness, Semaphore(witness.at_once))
