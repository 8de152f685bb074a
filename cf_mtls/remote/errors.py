"""Cloudflare's refusals in words: the code, its likely cause, and the next command.

Rules of this file:
- A refusal is a row: when it is that one, and what to tell. The API's own words and the ray id are kept.
- Whose fault it is, is decided here: the token, the account, the network, or Cloudflare.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cf_mtls.diagnostics import Code, Diagnostic, Failure, Fault, Severity
from cf_mtls.quick import dataclass
from cf_mtls.remote.conflicts import Conflict, conflict
from cf_mtls.remote.gateway import Answer, NoAnswer
from cf_mtls.remote.shape import Misshapen

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_REFUSED = Code(
    "api.token-refused", Severity.ERROR, Fault.INVOCATION, "Cloudflare does not accept the token"
)
PERMISSION = Code("api.permission-missing", Severity.ERROR, Fault.INVOCATION, "the token lacks a permission")
NO_ROUTE = Code(
    "api.no-route", Severity.ERROR, Fault.INVOCATION, "Cloudflare does not know that account or zone"
)
NOT_ENABLED = Code("api.access-not-enabled", Severity.ERROR, Fault.ACCOUNT, "Access is not enabled")
QUOTA = Code("api.no-more-certificates", Severity.ERROR, Fault.ACCOUNT, "the account takes no more CAs")
FOREIGN_HOST = Code(
    "api.hostname-not-yours", Severity.ERROR, Fault.FILE, "a hostname is in none of the zones"
)
BAD_HOST = Code("api.hostname-not-valid", Severity.ERROR, Fault.FILE, "Cloudflare does not take a hostname")
DOMAIN_TAKEN = Code("api.domain-taken", Severity.ERROR, Fault.ACCOUNT, "another application has that domain")
ONE_CA = Code("api.hostname-on-another-ca", Severity.ERROR, Fault.ACCOUNT, "a hostname is on another CA")
ASSOCIATED = Code("api.still-associated", Severity.ERROR, Fault.CLOUDFLARE, "the CA is still associated")
BUSY = Code(
    "api.conflict", Severity.ERROR, Fault.CLOUDFLARE, "Cloudflare is still busy with an earlier change"
)
EXISTS = Code(
    "api.certificate-exists", Severity.ERROR, Fault.ACCOUNT, "the account has that certificate already"
)
OTHER_CONFLICT = Code(
    "api.other-conflict", Severity.ERROR, Fault.ACCOUNT, "the change conflicts with something in the account"
)
THROTTLED = Code("api.throttled", Severity.ERROR, Fault.CLOUDFLARE, "too many requests")
REFUSED = Code("api.refused", Severity.ERROR, Fault.CLOUDFLARE, "Cloudflare refused the request")
BROKEN = Code("api.failing", Severity.ERROR, Fault.CLOUDFLARE, "Cloudflare's API is failing")
UNREACHABLE = Code("api.unreachable", Severity.ERROR, Fault.NETWORK, "Cloudflare's API cannot be reached")
LOST = Code("api.answer-lost", Severity.ERROR, Fault.NETWORK, "the answer was lost")
STRANGE = Code(
    "api.strange-answer", Severity.ERROR, Fault.CLOUDFLARE, "Cloudflare's answer is not understood"
)
BEYOND = Code("api.beyond-limit", Severity.ERROR, Fault.CLOUDFLARE, "an answer is beyond the limits")
INCOMPLETE = Code("api.incomplete-list", Severity.ERROR, Fault.CLOUDFLARE, "a list could not be read whole")

REPORT = "If it lasts, please report it."

PERMISSIONS = (
    ("/access/certificates", "Access: Mutual TLS Certificates"),
    ("/access/apps", "Access: Apps and Policies"),
    ("/access/policies", "Access: Apps and Policies"),
    ("/access/groups", "Access: Organizations, Identity Providers, and Groups"),
)
"""The permission group that a path needs: facts 7.1."""


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of refusal."""

    code: Code
    matches: Callable[[Answer], bool]
    fix: str


def _in_conflict(kind: Conflict) -> Callable[[Answer], bool]:
    return lambda answer: conflict(answer) is kind


ROWS: tuple[Row, ...] = (
    Row(NOT_ENABLED, lambda a: a.has(9999), "Enable Zero Trust for the account in the dashboard."),
    Row(
        QUOTA,
        lambda a: a.has(12130) and "maximum number of certificates" in _said(a),
        "With no CA in the account, its plan does not include Access mutual TLS; otherwise 50 are reached.",
    ),
    Row(
        BAD_HOST,
        lambda a: a.has(12130) and "not a valid hostname" in _said(a),
        "Cloudflare takes plain hostnames there, without a wildcard, a path or a port: name each host.",
    ),
    Row(
        ONE_CA,
        lambda a: a.has(12130) and "hostname" in _said(a),
        "If this account takes a hostname on one CA only, plan again with:\n    --one-ca-per-hostname",
    ),
    Row(FOREIGN_HOST, lambda a: a.has(12036), "Each hostname must belong to a zone of this account or zone."),
    Row(
        DOMAIN_TAKEN,
        _in_conflict(Conflict.DOMAIN_TAKEN),
        "Choose another domain, or see whose it is and take it over with --adopt:\n    cf-mtls show",
    ),
    Row(
        EXISTS,
        _in_conflict(Conflict.CERTIFICATE_EXISTS),
        "See under which name it is there, and bring it into the file:\n    cf-mtls show\n    cf-mtls import\n"
        "If it is there under this stack's own mark, the account refuses a CA that shares certificates with another; "
        "then plan again with (or whole, or any, where a plan with first is refused too):\n"
        "    --refuse-duplicate-certificate first",
    ),
    Row(
        ASSOCIATED,
        _in_conflict(Conflict.ASSOCIATED),
        "A CA can be deleted a minute after its last hostname left it. Then run the same command again.",
    ),
    Row(BUSY, _in_conflict(Conflict.BUSY), "Run the same command again in a minute."),
    Row(
        THROTTLED,
        lambda a: a.status == 429 or a.has(971),
        "Wait five minutes, then run the same command again.",
    ),
    Row(
        OTHER_CONFLICT,
        _in_conflict(Conflict.UNKNOWN),
        "Read what Cloudflare says, and look for what is in the way:\n    cf-mtls show",
    ),
    Row(STRANGE, lambda a: a.strange != "" and a.status < 500, ""),
    Row(TOKEN_REFUSED, lambda a: a.status == 401 or a.has(6003) or a.has(1000) or a.has(9106), ""),
    Row(PERMISSION, lambda a: a.status == 403, ""),
    Row(NO_ROUTE, lambda a: a.has(7003) or a.has(7000), "Compare account_id or zone_id with the dashboard."),
    Row(BROKEN, lambda a: a.status >= 500, "Run the same command again later."),
    Row(REFUSED, lambda _: True, ""),
)

T = TypeVar("T")

_STRANGE_FIX = "A proxy between here and Cloudflare may answer like this. If there is none, please report it."
TOKEN_FIX = "Set CLOUDFLARE_API_TOKEN to an active token of this account."  # noqa: S105 - not a password


def decoded(decode: Callable[[Any], T], raw: Any, path: str) -> T:
    """What `decode` makes of an answer. Raises Failure when a member is not what it must be.

    path: method and path of the request.
    """
    try:
        return decode(raw)
    except Misshapen as error:
        raise Failure([STRANGE.found(f"{path}: {error}.", REPORT)]) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        detail = f"{path} holds something that cannot be read ({type(error).__name__}: {error})."
        raise Failure([STRANGE.found(detail, REPORT)]) from error


def _said(answer: Answer) -> str:
    return " ".join(error.message for error in answer.errors)


def failure(outcome: Answer | NoAnswer, doing: str, path: str) -> Failure:
    """The failure to raise for an outcome that is not a success.

    doing: what was tried, as in "reading the certificates". path: of the request, for the permission's name.
    """
    return Failure([_diagnostic(outcome, doing, path)])


def _diagnostic(outcome: Answer | NoAnswer, doing: str, path: str) -> Diagnostic:
    if isinstance(outcome, NoAnswer):
        if outcome.is_beyond_limit:
            return BEYOND.found(f"While {doing}: {outcome.why}.", REPORT)
        code = LOST if outcome.sent else UNREACHABLE
        fix = "Check the address in CLOUDFLARE_BASE_URL and the network." if code is UNREACHABLE else ""
        return code.found(f"While {doing}: {outcome.why}.", fix or "Run the same command again.")
    row = next(r for r in ROWS if r.matches(outcome))
    if row.code is STRANGE:
        return STRANGE.found(
            f"While {doing}, the answer {outcome.status} of {path}: {outcome.strange}.", _STRANGE_FIX
        )
    said = "; ".join(f"{e.code} {e.message}" for e in outcome.errors) or "nothing more"
    ray = f", ray {outcome.ray}" if outcome.ray else ""
    fix = row.fix or _fix(row, path)
    return row.code.found(f"While {doing}, Cloudflare answered {outcome.status}: {said}{ray}.", fix)


def _fix(row: Row, path: str) -> str:
    if row.code is TOKEN_REFUSED:
        return TOKEN_FIX
    if row.code is PERMISSION:
        group = next((name for part, name in PERMISSIONS if part in path), "the resource's permission")
        return f'{TOKEN_FIX}\nIt needs "{group}": Read for plan, Write for apply.'
    return ""
