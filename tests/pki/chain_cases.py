"""How the matrix of chains is written: a row is a name, a drawing, and what differs from a good chain.

    row("leaf expired", "root -> leaf", leaf=over)

A row's certificates are made when it is asked for. `mids` are the intermediates from the top down, each a set
of overrides; `upload` and `sent` pick from [root, mids…] by position. What is no single line is a `special`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from cf_mtls.pki.authority import Authority, root
from cf_mtls.pki.keys import PrivateKey, generate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cf_mtls.pki.pem import Certificate

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Changes = dict[str, Any]

OVER: Changes = {"not_before": NOW - 9 * DAY, "not_after": NOW - 2 * DAY}
EARLY: Changes = {"not_before": NOW + 2 * DAY, "not_after": NOW + 9 * DAY}

ROWS: dict[str, Callable[[], Case]] = {}
DRAWINGS: dict[str, str] = {}


@dataclass(frozen=True)
class Case:
    """What is uploaded, what the client sends beside its leaf, and the leaf."""

    trusted: tuple[Certificate, ...]
    leaf: Certificate
    sent: tuple[Certificate, ...] = ()
    at: datetime = NOW


@dataclass(frozen=True)
class Line:
    """A line of authorities from the root down, and a leaf."""

    authorities: tuple[Authority, ...]
    leaf: Certificate

    @property
    def all(self) -> tuple[Certificate, ...]:
        """The authorities' certificates, root first."""
        return tuple(a.certificate for a in self.authorities)


@cache
def key(key_type: str, number: int) -> PrivateKey:
    """A key of this type, the same one for the same number: RSA keys are slow to make."""
    return generate(key_type)


def line(top: Changes | None = None, mids: Sequence[Changes] = (), leaf: Changes | None = None) -> Line:
    """Root -> intermediates -> leaf, each with its overrides; key_type too."""
    authorities = [root("case root", now=NOW, **keyed(top or {}, 0))]
    for number, mid in enumerate(mids, 1):
        name = f"case intermediate {number}"
        changes = {"path_length": None, **keyed(mid, number)}
        authorities.append(authorities[-1].intermediate(name, now=NOW, **changes))
    changes = keyed({"dns_names": ("ava.example",), **(leaf or {})}, 9)
    issued = authorities[-1].issue("ava", now=NOW, **changes)
    return Line(tuple(authorities), issued.certificate)


def keyed(changes: Changes, number: int) -> Changes:
    """The overrides with a shared key in the place of an RSA key type."""
    changes = dict(changes)
    if changes.get("key_type", "").startswith("rsa"):
        changes["key"] = key(changes.pop("key_type"), number)
    return changes


def row(
    name: str,
    drawing: str,
    *,
    top: Changes | None = None,
    mids: Sequence[Changes] = (),
    leaf: Changes | None = None,
    upload: Sequence[int] | None = None,
    sent: Sequence[int] = (),
) -> None:
    """Register a line of certificates; by default all authorities are uploaded, issuing one first."""

    def build() -> Case:
        made = line(top, mids, leaf)
        chosen = reversed(made.all) if upload is None else [made.all[i] for i in upload]
        return Case(tuple(chosen), made.leaf, tuple(made.all[i] for i in sent))

    _register(name, drawing, build)


def special(name: str, drawing: str) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Register a case that is more than one line of certificates."""

    def register(build: Callable[[], Case]) -> Callable[[], Case]:
        _register(name, drawing, build)
        return build

    return register


def _register(name: str, drawing: str, build: Callable[[], Case]) -> None:
    assert name not in ROWS
    ROWS[name], DRAWINGS[name] = build, drawing
