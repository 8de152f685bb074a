"""Access's cookies and tokens at the edge: what is signed, what is believed, where a login would be.

Rules of this file:
- A cookie of ours tells an identity only when it is signed, for this application, and not expired.
- A cookie never stands in for a certificate: that is looked at on every request (facts: cloudflare-api 4.5).

Source: facts: cloudflare-api 6.2, 6.3.
"""

from __future__ import annotations

import hmac
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.emulator.http import Request
    from cf_mtls.emulator.minting import Signer
    from cf_mtls.emulator.policy import Asker
    from cf_mtls.emulator.store import Record

COOKIE = "CF_Authorization"
LOGIN = "/cdn-cgi/access/login/"
PROTECTED_RESOURCE = "/.well-known/cloudflare-access-protected-resource/"
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")


def host_of(authority: str) -> str:
    """The hostname of an authority in lower case, without port or last dot."""
    if authority.startswith("["):
        return authority.partition("]")[0][1:].lower()
    return authority.partition(":")[0].lower().rstrip(".")


def seconds_of(duration: str) -> float:
    """A Go duration such as 24h or 1h30m in seconds; a day when it is none."""
    parts = _DURATION.findall(duration)
    if "".join(n + u for n, u in parts) != duration or not parts:
        return 86400.0
    return sum(float(n) * _UNITS_S[u] for n, u in parts)


def claims(app: Record, asker: Asker, team: str, now: float) -> dict[str, Any]:
    """What the cookie of a passed request says."""
    said: dict[str, Any] = {
        "aud": [app["aud"]], "iss": f"https://{team}", "type": "app", "iat": int(now), "nbf": int(now),
        "exp": int(now + seconds_of(str(app.get("session_duration", "24h")))), "sub": "",
    }  # fmt: skip
    if asker.email:
        said |= {"email": asker.email, "sub": asker.email}
    elif asker.valid_certificate and asker.common_names:
        said["common_name"] = asker.common_names[0]
    elif asker.service_token:
        said["common_name"] = asker.service_token
    return said


def set_cookie(app: Record, token: str) -> str:
    """The Set-Cookie header of a passed request."""
    only = "; HttpOnly" if app.get("http_only_cookie_attribute", True) else ""
    return f"{COOKIE}={token}; Path=/; Secure{only}"


def metadata(app: Record, host: str, team: str, now: float) -> dict[str, Any]:
    """What `cf-access-metadata` says: an application matches here (facts 6.2)."""
    return {
        "type": "match", "aud": app["aud"], "auth_domain": team, "hostname": host,
        "app_hostname": str(app.get("domain", "")).partition("/")[0], "iat": int(now),
    }  # fmt: skip


def login_url(request: Request, app: Record, team: str, signer: Signer, now: float) -> str:
    """Where a browser is sent to log in."""
    host = host_of(request.authority)
    meta = signer.sign({"type": "meta", "aud": app["aud"], "hostname": host, "iat": int(now)})
    back = quote(request.target if is_header_text(request.target) else "/", safe="")
    return f"https://{team}{LOGIN}{host}?kid={app['aud']}&meta={meta}&redirect_url={back}"


def is_header_text(text: str) -> bool:
    """Whether the text may stand in a header: visible ASCII."""
    return all("!" <= c <= "~" for c in text)


def identity(request: Request, app: Record, signer: Signer, now: float) -> str | None:
    """The email of a session for this application, None without one."""
    for name, value in _cookies(request):
        said = signer.claims(value) if name == COOKIE else None
        if said and said.get("aud") == [app["aud"]] and said.get("nbf", 0) <= now + 1 < said.get("exp", 0):
            email = said.get("email")
            return email if isinstance(email, str) else None
    return None


def _cookies(request: Request) -> list[tuple[str, str]]:
    pairs = [p.partition("=") for k, v in request.headers if k == "cookie" for p in v.split(";")]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def service_token(request: Request, app: Record, known: Mapping[str, Record]) -> str | None:
    """The id of the service token that the request carries with the right secret."""
    client, secret = request.header("cf-access-client-id"), request.header("cf-access-client-secret")
    single = app.get("read_service_tokens_from_header")
    if not client and isinstance(single, str) and request.header(single.lower()):
        client, secret = _from_one_header(request.header(single.lower()) or "")
    for record in known.values():
        if client == record.get("client_id") and record.get("_client_secret"):
            right = hmac.compare_digest((secret or "").encode(), str(record["_client_secret"]).encode())
            return str(record["id"]) if right else None
    return None


def _from_one_header(text: str) -> tuple[str | None, str | None]:
    try:
        pair = json.loads(text)
        return str(pair["cf-access-client-id"]), str(pair["cf-access-client-secret"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, None
