"""What to ask: targets and clients become probes.

Rules of this file:
- Every URL is asked without a certificate, then with each client, so that a refusal has a control beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.model.evidence import Expected, Probe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cf_mtls.model.evidence import Client, Target


def expect(targets: Iterable[Target], clients: Iterable[Client]) -> tuple[Probe, ...]:
    """The probes, by target and then by client, the one without a certificate first."""
    known = tuple(clients)
    return tuple(
        probe
        for target in targets
        for probe in (
            Probe(target, None, Expected.REFUSED),
            *(Probe(target, client, client.expected) for client in known),
        )
    )
