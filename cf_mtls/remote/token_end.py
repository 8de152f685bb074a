"""When the token ends, as Cloudflare says it.

Rules of this file:
- It says nothing about permissions, and a token that nobody can tell the end of is no fault: facts 7.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cf_mtls.diagnostics import Code, Fault, Severity
from cf_mtls.remote.gateway import Answer
from cf_mtls.remote.shape import Misshapen, moment

if TYPE_CHECKING:
    from datetime import datetime

    from cf_mtls.diagnostics import Diagnostic
    from cf_mtls.model.resources import Scope
    from cf_mtls.remote.gateway import Reader
    from cf_mtls.remote.pace import Pace

UNKNOWN_END = Code("drift.token-end", Severity.WARNING, Fault.CLOUDFLARE, "nobody says when the token ends")


def token_ends(reader: Reader, scope: Scope, pace: Pace) -> datetime | Diagnostic | None:
    """When the token ends, None when it does not, or why nobody says: that keeps nothing from being checked.

    Asked as an account's token, then a user's: facts 7.2.
    """
    own = [f"{scope.path}/tokens/verify"] if scope.kind == "account" else []
    for path in (*own, "/user/tokens/verify"):
        answer = pace.persist("GET", lambda path=path: reader.get(path))  # type: ignore[misc]
        if isinstance(answer, Answer) and answer.ok and isinstance(answer.result, dict):
            return _end(answer.result.get("expires_on"))
    return UNKNOWN_END.found("Neither /tokens/verify answered.")


def _end(said: object) -> datetime | Diagnostic | None:
    if said is None:
        return None
    try:
        return moment({"expires_on": said}, "expires_on")
    except Misshapen as error:
        return UNKNOWN_END.found(f"Cloudflare's answer is not understood: {error}.")
