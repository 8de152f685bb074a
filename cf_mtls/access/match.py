"""Which application governs a host and path.

Rules of this file:
- The most specific application wins and inherits nothing; within one, the domain that matched decides
  which override applies.
- Whether a longer path on a wildcard host beats an exact host is not known: both orders are offered, and
  `disputed` says where it matters.

Source: facts, cloudflare-api 3.3 and 3.8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from cf_mtls.model.frozen import Record
from cf_mtls.model.resources import AccessApplication, Address, host_of, path_of

if TYPE_CHECKING:
    from cf_mtls.model.state import State

Order: TypeAlias = Literal["path-first", "host-first"]


@dataclass(frozen=True, slots=True)
class Governor:
    """The application that decides for a request, by which of its domains, and whether that path is public."""

    address: Address
    application: AccessApplication
    domain: str
    is_public: bool


@lru_cache(maxsize=8192)
def _matchers(domain: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    # A star that is a whole label stands for one label: never the apex, never deeper.
    labels = [
        "[^.]+" if label == "*" else "[^.]*".join(map(re.escape, label.split("*")))
        for label in host_of(domain).split(".")
    ]
    path = path_of(domain).rstrip("/")
    body = ".*".join(map(re.escape, path.split("*")))
    return re.compile(r"\.".join(labels)), re.compile(f"{body}(?:/.*)?", re.DOTALL)


def covers(domain: str, host: str, path: str) -> bool:
    """Whether an application's domain covers a host and path: `x/alpha` covers /alpha and below, not /alphabet."""
    hosts, paths = _matchers(domain)
    return bool(hosts.fullmatch(host)) and bool(paths.fullmatch(path))


@lru_cache(maxsize=8192)
def specificity(domain: str, order: Order = "path-first") -> tuple[tuple[int, int], tuple[int, int]]:
    """How specific a domain is; greater wins."""
    host, path = host_of(domain), path_of(domain)
    by_host = (0 if "*" in host else 1, len(host.replace("*", "")))
    by_path = (len([s for s in path.split("/") if s]), len(path.replace("*", "")))
    return (by_path, by_host) if order == "path-first" else (by_host, by_path)


def governor(state: State, host: str, path: str, order: Order = "path-first") -> Governor | None:
    """The application that decides for this host and path, None when the origin stands open.

    host: lower case. path: as the request has it, without a query.
    """
    candidates = [
        (specificity(domain, order), address, app, domain)
        for address, app in state.of(AccessApplication)
        for domain in app.domains
        if covers(domain, host, path)
    ]
    if not candidates:
        return None
    _, address, app, domain = max(candidates, key=lambda c: (c[0], c[1]))
    return Governor(address, app, domain, _is_public(app, domain, path))


def disputed(state: State, host: str, path: str) -> bool:
    """Whether the two possible orders of specificity name different applications."""
    first, second = governor(state, host, path, "path-first"), governor(state, host, path, "host-first")
    return (first and first.address) != (second and second.address)


def _is_public(app: AccessApplication, domain: str, path: str) -> bool:
    """Whether an override of the destination makes this path skip Access; sub-paths are not covered (facts 3.3)."""
    overrides = (
        override
        for destination in app.destinations
        if destination.get("uri") == domain
        for override in _records(destination.get("overrides"))
    )
    return any(
        override.get("behavior") == "public"
        and override_pattern(str(override.get("path_pattern") or "")).fullmatch(path)
        for override in overrides
    )


def _records(value: object) -> tuple[Record, ...]:
    return tuple(v for v in value if isinstance(v, Record)) if isinstance(value, tuple) else ()


@lru_cache(maxsize=8192)
def override_pattern(pattern: str) -> re.Pattern[str]:
    """What an override's path_pattern matches: a star stays within its segment; an empty pattern matches nothing."""
    return re.compile("[^/]*".join(map(re.escape, pattern.split("*")))) if pattern else re.compile(r"(?!)")
