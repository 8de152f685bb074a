"""CAs that leave a bundle while the root above them stays: whether their clients are out then.

Rules of this file:
- Whether the edge uses the certificates that a client sends is not known (facts, edge-and-probes 2). If it does, a
  client that sends its issuing CA gets in as long as a root above that one is trusted: taking the issuing CA out of the
  bundle is then no withdrawal. So it is never called one.
- Said of what is known or recorded; of a CA whose PEM is not here it is said that it cannot be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.model.marks import shown
from cf_mtls.model.resources import CaCertificate
from cf_mtls.pki.vouching import vouched_when_sent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.state import State

STILL_VOUCHED = Code(
    "certificate.still-vouched", Severity.WARNING, Fault.FILE, "a CA that is taken out is not withdrawn"
)
CANNOT_TELL = Code(
    "certificate.withdrawal-unseen", Severity.NOTE, Fault.FILE, "whether a CA is withdrawn cannot be told"
)
WAYS = (
    "What takes them out: a bundle without that root, where the account takes one; another root; or an exclude in the "
    "policies. To see it:\n    cf-mtls pki verify --chain OLD.pem --against NEW.pem CLIENT.pem"
)


def withdrawals(before: State, after: State, at: datetime) -> Iterator[Diagnostic]:
    """What is to be said of every CA that loses a hostname on which another one stands afterwards. at: aware."""
    for address, old in before.of(CaCertificate):
        there = after.get(address)
        kept = set(there.associated_hostnames) if isinstance(there, CaCertificate) else set[str]()
        for host in sorted(set(old.associated_hostnames) - kept):
            staying = [ca for _, ca in after.of(CaCertificate) if host in ca.associated_hostnames]
            yield from _on(host, old, staying, at)


def _on(host: str, old: CaCertificate, staying: list[CaCertificate], at: datetime) -> Iterator[Diagnostic]:
    if staying and old.pem is None:
        detail = (
            f"{host}: what {shown(old.name)} held is not known here, so whether a root that stays vouches for its "
            "clients cannot be told."
        )
        yield CANNOT_TELL.found(detail, "Put the PEM that was uploaded beside the plan's chain files.")
        return
    for new in staying:
        for taken in vouched_when_sent(old.pem or "", new.pem, at) if new.pem else ():
            detail = (
                f"{host}: clients of {taken.subject} that send its certificate along may get in as before, because "
                f"{shown(new.name)} holds a root above it."
            )
            yield STILL_VOUCHED.found(detail, WAYS)
