"""Where an application stands: its domain, destinations and self-hosted domains, mirrored into each other.

Rules of this file:
- `destinations` wins over `self_hosted_domains`, which wins over `domain` alone.
- A host may hold one `*` a label, a path one a segment; no scheme, port, query or fragment.

Source: facts: cloudflare-api 3.3, 3.8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers, bodies

if TYPE_CHECKING:
    from cf_mtls.emulator.store import Record

_MOST_DOMAINS = 5
_LABEL = re.compile(r"[a-z0-9_-]*\*?[a-z0-9_-]*")


def read(body: dict[str, Any]) -> dict[str, Any]:
    """`domain` and `destinations` of a body, made to agree. Errors: `ApiError`."""
    given = _destinations(body)
    if not given:
        uris = bodies.strings(body, "self_hosted_domains") or [bodies.text(body, "domain")]
        given = [{"type": "public", "uri": uri} for uri in uris]
    for destination in given:
        if destination["type"] == "public":
            destination["uri"] = clean(destination["uri"])
    public = [d["uri"] for d in given if d["type"] == "public"]
    if len(public) > _MOST_DOMAINS:
        raise answers.invalid(f"an application may have at most {_MOST_DOMAINS} domains")
    first = public[0] if public else ""
    domain = clean(bodies.optional_text(body, "domain", first)) if first or body.get("domain") else first
    return {"domain": domain, "destinations": given}


def _destinations(body: dict[str, Any]) -> list[dict[str, Any]]:
    given = body.get("destinations")
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(d, dict) for d in given):
        raise answers.invalid("destinations must be a list of objects")
    found = [{"type": "public"} | d for d in given]  # the server fills in the type (facts 3.6)
    for destination in found:
        if destination["type"] == "public" and not isinstance(destination.get("uri"), str):
            raise answers.invalid("a public destination needs a uri")
        _overrides(destination)
    return found


def _overrides(destination: dict[str, Any]) -> None:
    overrides = destination.get("overrides") or []
    if not isinstance(overrides, list) or not all(
        isinstance(o, dict) and isinstance(o.get("path_pattern", "/"), str) for o in overrides
    ):
        raise answers.invalid("overrides must be a list of objects with a path_pattern")


def clean(uri: str) -> str:
    """`host/path` with the host in lower case and no slash at the end. Errors: `ApiError`."""
    host, slash, path = uri.strip().partition("/")
    host = host.lower()
    labels = host.split(".")
    if len(labels) < 2 or not all(label and _LABEL.fullmatch(label) for label in labels):
        raise answers.invalid(f"domain {uri[:80]!r} is not a hostname with an optional path")
    if any(c in path for c in "?#\\ ") or any(s.count("*") > 1 for s in path.split("/")):
        raise answers.invalid(f"domain {uri[:80]!r} has a path that is not supported")
    path = path.rstrip("/")
    return host + slash + path if path else host


def of(app: Record) -> list[str]:
    """The public domains of an application, the first one first."""
    public = [d["uri"] for d in app.get("destinations", []) if d.get("type") == "public"]
    return list(dict.fromkeys([d for d in [app.get("domain"), *public] if d]))
