"""Who calls: API tokens, the permissions they carry, and what an Authorization header says.

Rules of this file:
- Tokens are made new at every start from the system's randomness, never from the seed.
- A token is compared whole; it is in no record, log or dump.

Source: facts: cloudflare-api 7.1, 7.2, 7.4.
"""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cf_mtls.emulator import answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.emulator.http import Request
    from cf_mtls.emulator.switches import Switches

MTLS = "Access: Mutual TLS Certificates"
APPS = "Access: Apps and Policies"
ORGANIZATION = "Access: Organizations, Identity Providers, and Groups"
SERVICE_TOKENS = "Access: Service Tokens"
ZONE = "Zone"
DNS = "DNS"
SSL = "SSL and Certificates"

FAMILIES = (MTLS, APPS, ORGANIZATION, SERVICE_TOKENS, ZONE, DNS, SSL)
_SHAPE = re.compile(r"[A-Za-z0-9_-]{20,100}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its name for people, what it may, and where."""

    name: str
    id: str
    permissions: frozenset[str]
    owner: str = "both"
    """`user`, `account`, or `both`: on which verify path it is known."""
    status: str = "active"
    scopes: frozenset[str] = frozenset()
    """`accounts/…` and `zones/…` it is for; none named means everywhere."""
    expires_on: str | None = None
    """What the verify paths say about its end, as given; it works afterwards too, and None says nothing."""

    def may(self, permission: str) -> bool:
        """Whether the token holds this permission; whoever may write may read."""
        family, _, verb = permission.rpartition(" ")
        return permission in self.permissions or (verb == "Read" and f"{family} Write" in self.permissions)


ALL = frozenset(f"{family} {verb}" for family in FAMILIES for verb in ("Read", "Write"))
READ = frozenset(f"{family} Read" for family in FAMILIES)


def new_secret() -> str:
    """A token's text: forty letters and digits, as Cloudflare's are."""
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(40))


def caller(request: Request, tokens: Mapping[str, Token], switches: Switches, *, verifying: bool) -> Token:
    """Whose request it is. Errors: `ApiError`."""
    given = request.header("authorization")
    if given is None:
        raise answers.no_authorization(switches.number("missing-auth-status"))
    scheme, _, text = given.partition(" ")
    if scheme.lower() != "bearer" or not _SHAPE.fullmatch(text):
        raise answers.malformed_authorization()
    token = tokens.get(text)
    if token is None or token.status != "active":
        raise answers.invalid_token() if verifying else answers.unknown_token()
    return token
