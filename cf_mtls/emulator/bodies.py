"""Reading request bodies: each member is what it should be, or the answer is a 12130 that says which is not.

Rules of this file:
- Members nobody asked about are left alone: the API tolerates them (facts: cloudflare-api 1.2).
"""

from __future__ import annotations

import json
import re
from typing import Any

from cf_mtls.emulator.answers import invalid

NAME_MOST = 350
_HOSTNAME = re.compile(
    r"(?=.{1,253}$)(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)


def parsed(body: bytes) -> Any:
    """The JSON of a body, {} for an empty one. Errors: `ApiError`."""
    if not body.strip():
        return {}
    try:
        return json.loads(body, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise invalid("malformed JSON in request body") from error


def _constant(name: str) -> Any:
    raise ValueError(name)


def members(body: Any) -> dict[str, Any]:
    """The body as an object. Errors: `ApiError`."""
    if not isinstance(body, dict):
        raise invalid("request body must be an object")
    return body


def text(body: dict[str, Any], name: str, *, most: int = NAME_MOST) -> str:
    """A string that must be there. Errors: `ApiError`."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{name} is required")
    if len(value) > most:
        raise invalid(f"{name} must be at most {most} characters")
    return value


def optional_text(body: dict[str, Any], name: str, default: str, *, most: int = NAME_MOST) -> str:
    """A string, or the default when it is absent or null. Errors: `ApiError`."""
    return default if body.get(name) is None else text(body, name, most=most)


def boolean(body: dict[str, Any], name: str, *, default: bool = False) -> bool:
    """A boolean, or the default when it is absent or null. Errors: `ApiError`."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid(f"{name} must be a boolean")
    return value


def strings(body: dict[str, Any], name: str) -> list[str]:
    """A list of strings, empty when it is absent or null. Errors: `ApiError`."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise invalid(f"{name} must be a list of strings")
    return list(value)


def hostname(value: str, *, wildcard: bool = False) -> str:
    """A hostname in lower case: no scheme, path or port. Errors: `ApiError`."""
    name = value.strip().lower()
    if not _HOSTNAME.fullmatch(name) or (name.startswith("*") and not wildcard):
        raise invalid(f"{value[:80]!r} is not a valid hostname")
    return name
