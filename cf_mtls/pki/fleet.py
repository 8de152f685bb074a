"""Many clients at once: the verdict on each, and what a change of chain would do to them.

Rules of this file:
- Every client is judged twice, as `openssl verify` asks and as a TLS server asks; which of the two counts
  is the caller's choice.
- A client that was never accepted cannot stop being accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.pki.chain import SSLCLIENT, Judgement, judge
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cf_mtls.pki.pem import Certificate


@dataclass(frozen=True, slots=True)
class Checked:
    """One client and the two verdicts on it. name: its file, as it was given."""

    name: str
    certificate: Certificate
    plain: Judgement
    server: Judgement

    def verdict(self, purpose: str | None) -> Judgement:
        """The verdict for a purpose: None for `openssl verify`, "sslclient" for a server's."""
        return self.server if purpose else self.plain


@dataclass(frozen=True, slots=True)
class Change:
    """One client before and after a change of chain."""

    before: Checked
    after: Checked

    def stops(self, purpose: str | None) -> bool:
        """Whether it is accepted before and not after."""
        return self.before.verdict(purpose).ok and not self.after.verdict(purpose).ok

    def starts(self, purpose: str | None) -> bool:
        """Whether it is accepted after and not before."""
        return self.after.verdict(purpose).ok and not self.before.verdict(purpose).ok


def check(
    trusted: Sequence[Certificate],
    clients: Sequence[tuple[str, Certificate]],
    *,
    sent: Sequence[Certificate] = (),
    at: datetime,
) -> tuple[Checked, ...]:
    """The verdicts on each client, in their order. trusted: all that is uploaded. sent: what comes along."""
    anchors, between = [c.der for c in trusted], [c.der for c in sent]
    return tuple(
        Checked(
            name,
            certificate,
            judge(anchors, certificate.der, between, at),
            judge(anchors, certificate.der, between, at, SSLCLIENT),
        )
        for name, certificate in clients
    )


def compare(
    old: Sequence[Certificate],
    new: Sequence[Certificate],
    clients: Sequence[tuple[str, Certificate]],
    *,
    sent: Sequence[Certificate] = (),
    at: datetime,
) -> tuple[Change, ...]:
    """Each client under the old chain and under the new one, in their order."""
    before = check(old, clients, sent=sent, at=at)
    return tuple(Change(*pair) for pair in zip(before, check(new, clients, sent=sent, at=at), strict=True))
