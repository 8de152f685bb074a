"""Certificates as a tree: roots on top, below each what it has issued, and names where an issuer is missing.

Rules of this file:
- Every certificate stands in the tree once, whatever the file looked like and whoever signed whom.
- Issuers are told by names and key identifiers; whether the signatures hold is for `chain.judge`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.pki import kin
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cf_mtls.pki.pem import Certificate


@dataclass(frozen=True, slots=True)
class Node:
    """A certificate, or the name of one that is missing (certificate None), and what it has issued."""

    name: str
    certificate: Certificate | None
    children: tuple[Node, ...]


def tree(certificates: Sequence[Certificate]) -> tuple[Node, ...]:
    """The roots, then a missing issuer for each group of certificates that nobody here has issued."""
    distinct = tuple(dict.fromkeys(certificates))
    top_down = [distinct[i] for i in reversed(kin.ordered([c.x509 for c in distinct]))]
    parent = _parents(top_down)
    issued: dict[Certificate | None, list[Certificate]] = {}
    for certificate, above in parent.items():
        issued.setdefault(above, []).append(certificate)
    tops = issued.get(None, [])
    roots = [_node(c, issued) for c in tops if c.is_self_issued]
    missing = dict.fromkeys(c.issuer for c in tops if not c.is_self_issued)
    orphans = {name: [c for c in tops if c.issuer == name and not c.is_self_issued] for name in missing}
    return (*roots, *(Node(n, None, tuple(_node(c, issued) for c in group)) for n, group in orphans.items()))


def _parents(top_down: Sequence[Certificate]) -> dict[Certificate, Certificate | None]:
    """The one issuer under which each certificate is shown: the highest, so that no circle can arise."""
    return {
        c: next((p for p in top_down[:n] if kin.may_have_issued(p.x509, c.x509)), None)
        if not c.is_self_issued
        else None
        for n, c in enumerate(top_down)
    }


def _node(certificate: Certificate, issued: Mapping[Certificate | None, list[Certificate]]) -> Node:
    children = tuple([_node(c, issued) for c in issued.get(certificate, ())])
    return Node(certificate.subject, certificate, children)
