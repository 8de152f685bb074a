"""What every witness keeps of an answer, and how raw answers are read.

Rules of this file:
- Pure. A cookie is kept apart from the headers, so that no report can show it.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING

from cf_mtls.model.asked import EMULATOR_HEADER
from cf_mtls.model.evidence import Evidence, Got

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT_HEADERS = frozenset(
    {
        EMULATOR_HEADER,
        "cf-ray",
        "cf-access-aud",
        "cf-access-domain",
        "location",
        "server",
        "www-authenticate",
        "content-type",
    }
)
"""What evidence keeps; never a cookie, which would let its reader in."""

SESSION_COOKIE = "CF_Authorization"
"""What Access calls the cookie of somebody it let in: facts, cloudflare-api 6.2."""

LONGEST = 2000
"""Characters of a header's value that are kept; nothing that is judged is longer."""


def evidence(status: int | None, version: str, headers: Iterable[tuple[str, str]], ms: int) -> Evidence:
    """What is kept of an answer. ms: how long it took."""
    listed = [(k.lower(), v) for k, v in headers]
    cookies = tuple(v.partition(";")[0].strip() for k, v in listed if k == "set-cookie")
    kept = tuple((k, v[:LONGEST]) for k, v in listed if k in KEPT_HEADERS)
    return Evidence(status, version, kept, ms=ms, cookies=cookies, session_of=_audience(cookies))


def _audience(cookies: Iterable[str]) -> str:
    """The first audience of the session that a cookie opens (facts, cloudflare-api 6.3), '' when there is none.

    Not checked: the signature. It came over the connection that is judged, and only compares answers.
    """
    tokens = (c.partition("=")[2] for c in cookies if c.startswith(f"{SESSION_COOKIE}="))
    body = next(tokens, "").split(".")[1:2]
    try:
        claims = json.loads(base64.urlsafe_b64decode(body[0] + "=" * (-len(body[0]) % 4))) if body else {}
    except (ValueError, binascii.Error, RecursionError):
        return ""
    found = claims.get("aud") if isinstance(claims, dict) else None
    first = found[0] if isinstance(found, list) and found else found
    return first[:LONGEST] if isinstance(first, str) else ""


def replayable(seen: Evidence) -> str | None:
    """The Cookie header that replays a session, None when the session got none from Access."""
    has_session = any(cookie.startswith(f"{SESSION_COOKIE}=") for cookie in seen.cookies)
    return "; ".join(seen.cookies) if has_session else None


def no_cookie(first: Evidence) -> Evidence:
    """What is known when the first request of a replay brought no cookie."""
    got = f"{first.failure.value}, {first.detail}" if first.failure else f"it got {first.status}"
    why = f"the first request was given no {SESSION_COOKIE} cookie to replay ({got})"
    return Evidence(failure=Got.UNTRIED, detail=why, ms=first.ms)


def parse(dump: str, ms: int) -> Evidence:
    """The last answer of a dump of status lines and headers; 100 Continue comes first."""
    last = [block for block in dump.replace("\r\n", "\n").split("\n\n") if block.startswith("HTTP/")][-1:]
    if not last:
        return evidence(None, "", (), ms)
    first, *rest = last[0].split("\n")
    version, _, after = first.partition(" ")
    number = after.split(" ", 1)[0]
    headers = ((k.strip(), v.strip()) for k, colon, v in (line.partition(":") for line in rest) if colon)
    is_status = len(number) <= 3 and number.isascii() and number.isdigit()
    return evidence(int(number) if is_status else None, version, headers, ms)
