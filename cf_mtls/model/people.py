"""Who is to get in and where: what a plan file says of clients and URLs, before anybody has asked.

Rules of this file:
- Key material is never in here, only paths and names.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from cf_mtls.model.resources import Address


class Expected(Enum):
    """What must happen: *allowed* means that the origin answered, *refused* that Access did."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    LOGIN = "login"
    """Sent to the login page."""
    UNDECLARED = "not declared"
    """No declared application stands there, so none of them may answer."""
    UNFORESEEN = "unforeseen"
    """It hangs on where the request comes from or on another service: no outcome can be demanded."""


Expect: TypeAlias = Expected | tuple[tuple[str, Expected], ...] | None
"""What a plan file demands of a client: everywhere, or by URL as the targets have them, sorted; None says nothing."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: a label, the paths of its files, and what must happen to it."""

    name: str
    certificate: str
    key: str | None = None
    """None when the certificate's file holds the key too: PKCS#12, or one PEM file for both."""
    expect: Expect = None
    is_here: bool = True
    """Whether both files could be found when the plan file was read."""
    passphrase_env: str | None = None
    passphrase_file: str | None = None

    def expected_at(self, url: str) -> Expected | None:
        """What the plan file demands at a target's URL, ALLOWED or REFUSED; None leaves it to the policies.

        url: as the target has it, stars included.
        """
        return dict(self.expect).get(url) if isinstance(self.expect, tuple) else self.expect


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client's file shows to the edge, DER: its certificate, and the issuers that it sends along."""

    leaf: bytes
    sent: tuple[bytes, ...] = ()
    common_names: frozenset[str] = frozenset()
    fault: str = ""
    """Why no CA at all could get it in, such as that it has expired; '' when it can."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the CAs that the certificate is valid under (none without one), its name, other credentials."""

    trusted_by: frozenset[Address] = frozenset()
    common_names: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    """Other credentials in canonical form, and `login` for somebody who can log in."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that an application stands on, and how to ask for it."""

    url: str
    application: str
    method: str = "GET"
    expect_status: int | None = None
    """The origin's status that an allowed request must get; None accepts any answer of the origin."""
