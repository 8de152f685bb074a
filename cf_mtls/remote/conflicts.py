"""What a conflict is about: Cloudflare's number for it says only that there is one, its message says which.

Rules of this file:
- 12132 is `access.api.error.conflict`, the generic one; a 409 may carry another number, or none.
- A message that no row knows is a conflict of an unknown kind: it may pass, so it may be waited for, never by a POST.

Source: facts, second-look 1.1; cloudflare-api 1.8, 2 and 3.5.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cf_mtls.remote.gateway import Answer


class Conflict(Enum):
    """A kind of conflict."""

    ASSOCIATED = "a CA still has hostnames"
    BUSY = "an earlier change of settings is still being worked on"
    DOMAIN_TAKEN = "another application has the domain"
    CERTIFICATE_EXISTS = "the account has the certificate already"
    UNKNOWN = "the message says something else"


NUMBERS = (12132, 11010)
"""The conflict of Access, and the older number of a taken domain."""

WORDS: tuple[tuple[Conflict, tuple[str, ...]], ...] = (
    (Conflict.ASSOCIATED, ("active associations",)),
    (Conflict.BUSY, ("still being updated",)),
    (Conflict.DOMAIN_TAKEN, ("application already exists", "belongs to another application")),
    (Conflict.CERTIFICATE_EXISTS, ("certificate already exists", "certificate has already been")),
)
"""What the messages hold, in lower case and with spaces for underscores."""


def conflict(answer: Answer) -> Conflict | None:
    """Which conflict an answer reports, None when it reports none."""
    if answer.ok or not (answer.status == 409 or any(map(answer.has, NUMBERS))):
        return None
    said = " ".join(error.message for error in answer.errors).lower().replace("_", " ")
    known = next((kind for kind, words in WORDS if any(word in said for word in words)), None)
    return known or (Conflict.DOMAIN_TAKEN if answer.has(11010) else Conflict.UNKNOWN)
