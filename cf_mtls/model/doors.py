"""What Access does with a request, and who can get in at a URL: the nouns, not the theory.

Rules of this file:
- Values only; `access/` makes them.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from cf_mtls.model.resources import AccessPolicy, Address


class Outcome(Enum):
    """What Access does."""

    OPEN = "no application stands there"
    PUBLIC = "an override makes the path public"
    BYPASSED = "bypassed"
    ADMITTED = "admitted"
    LOGIN = "sent to the login page"
    BLOCKED = "blocked"
    REFUSED = "no policy matches"

    @property
    def lets_in(self) -> bool:
        """Whether the origin answers."""
        return self in LETS_IN


LETS_IN = frozenset({Outcome.OPEN, Outcome.PUBLIC, Outcome.BYPASSED, Outcome.ADMITTED})
"""Made once: the property is asked for every request of every state."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, and the application and policy that decided; None where none did."""

    outcome: Outcome
    application: Address | None = None
    policy: AccessPolicy | None = None


class Reach(IntEnum):
    """Who can get in; a step up is a weakening."""

    NOBODY = 0
    HOLDERS = 1
    OTHERS = 2
    ANYONE = 3


@dataclass(frozen=True, slots=True)
class Door:
    """Who can get in at one host and path, and the decisions that show it."""

    host: str
    path: str
    reach: Reach
    certificates: frozenset[Address]
    """CAs whose clients get in; empty where nobody needs one."""
    common_names: frozenset[str] | None
    """The only names that get in; None when any name does."""
    credentials: frozenset[str]
    """Other credentials that get in without a certificate."""
    needs_login: bool
    """Whether holders get in only after a login too."""
    decided: Decision
    """What happens to a request without a certificate and without anything else."""


@dataclass(frozen=True, slots=True)
class Doorway:
    """One URL, or several that nobody can tell apart, before and after."""

    url: str
    before: Door
    after: Door

    @property
    def is_weaker(self) -> bool:
        """Whether more kinds of people get in afterwards."""
        return self.after.reach > self.before.reach

    @property
    def is_same(self) -> bool:
        """Whether the same people get in, for the same reasons or others."""
        return who(self.before) == who(self.after)


def who(found: Door) -> tuple[object, ...]:
    """What of a door says who gets in, comparable."""
    return (found.reach, found.certificates, found.common_names, found.credentials, found.needs_login)
