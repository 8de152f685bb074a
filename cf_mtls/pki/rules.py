"""What every lint rule is: a code, a finder and a fix; and what finders look at.

Rules of this file:
- A rule is a row. Its finder yields one sentence per finding; its fix is one fixed text.
- Finders never raise and never read a clock.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.pki import kin, traits
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime, timedelta

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.pki.pem import Certificate

T = TypeVar("T")

AGAIN = "Issue it again:\n    cf-mtls pki issue NAME"


def error(code: str, summary: str) -> Code:
    """What Cloudflare refuses or OpenSSL would not accept."""
    return Code(code, Severity.ERROR, Fault.FILE, summary)


def warning(code: str, summary: str) -> Code:
    """What will bite some day or somewhere."""
    return Code(code, Severity.WARNING, Fault.FILE, summary)


def note(code: str, summary: str) -> Code:
    """What is good to know."""
    return Code(code, Severity.NOTE, Fault.FILE, summary)


@dataclass(frozen=True)
class Bundle:
    """The certificates of one chain as they stand in the file, the moment asked about, and what is soon."""

    found: tuple[Certificate, ...]
    at: datetime
    soon: timedelta

    @cached_property
    def distinct(self) -> tuple[Certificate, ...]:
        """Each certificate once, in the file's order."""
        return tuple(dict.fromkeys(self.found))

    @cached_property
    def parents(self) -> dict[Certificate, tuple[Certificate, ...]]:
        """Who in the file may have issued each certificate, itself left out."""
        above = kin.parents([c.x509 for c in self.distinct])
        return {c: tuple(self.distinct[i] for i in above[n]) for n, c in enumerate(self.distinct)}

    @cached_property
    def _children(self) -> dict[Certificate, list[Certificate]]:
        found: dict[Certificate, list[Certificate]] = {}
        for child, above in self.parents.items():
            for parent in above:
                found.setdefault(parent, []).append(child)
        return found

    def issued_by(self, parent: Certificate) -> tuple[Certificate, ...]:
        """The certificates of the file that this one may have issued."""
        return tuple(self._children.get(parent, ()))

    @cached_property
    def below(self) -> dict[Certificate, int]:
        """The longest row of CAs under each certificate; self-issued ones do not count (RFC 5280 6.1.4 l).

        Of CAs that have signed each other in a circle, those count that stand below in the file's one order.
        """
        height = dict(zip(self.distinct, kin.heights([c.x509 for c in self.distinct]), strict=True))
        found: dict[Certificate, int] = {}
        for parent in sorted(self.distinct, key=height.__getitem__, reverse=True):
            rows = [
                1 + found[child]
                for child in self.issued_by(parent)
                if child.is_ca and not child.is_self_issued and height[child] > height[parent]
            ]
            found[parent] = max(rows, default=0)
        return found

    @cached_property
    def authorities(self) -> tuple[Certificate, ...]:
        """Those that are there to sign: CAs, and what has signed another, itself, or says that it may."""
        return tuple(c for c in self.distinct if c.is_ca or self._signs(c))

    def _signs(self, certificate: Certificate) -> bool:
        signed = certificate.is_self_issued or bool(self.issued_by(certificate))
        return signed or "keyCertSign" in (traits.usages(certificate) or ())

    @property
    def ders(self) -> list[bytes]:
        """All that is trusted when this bundle is uploaded."""
        return [c.der for c in self.distinct]


@dataclass(frozen=True)
class Client:
    """One client certificate and the bundle that shall let it in (None when it is looked at alone)."""

    certificate: Certificate
    bundle: Bundle | None
    at: datetime
    soon: timedelta


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """One thing to look for in a `Bundle` or a `Client`."""

    code: Code
    find: Callable[[T], Iterator[str]]
    fix: str


def apply(rules: Iterable[Rule[T]], subject: T) -> tuple[Diagnostic, ...]:
    """Every finding of every rule, in the rules' order."""
    return tuple(rule.code.found(detail, rule.fix) for rule in rules for detail in rule.find(subject))
