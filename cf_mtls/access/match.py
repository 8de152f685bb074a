"""Which application governs a host and path.

Rules of this file:
- The most specific application wins and inherits nothing; within one, the domain that matched decides
  which override applies.
- Applications are looked up by what every host and path under their domains must have in common, never one by one.
- Whether a longer path on a wildcard host beats an exact host is not known: both orders are offered, and
  `disputed` says where it matters.
- A pattern may be anybody's in the account. It is compared from left to right, once, and never becomes a regular
  expression: those go back as often as there are stars.

Source: facts, cloudflare-api 3.3 and 3.8.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from cf_mtls.model.frozen import Record
from cf_mtls.model.resources import AccessApplication, Address, host_of, path_of
from cf_mtls.quick import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cf_mtls.model.state import State

Order: TypeAlias = Literal["path-first", "host-first"]

Standing: TypeAlias = "tuple[Address, AccessApplication, str]"
"""An application, and the domain of it that covers a place."""


@dataclass(frozen=True, slots=True)
class Governor:
    """The application that decides for a request, by which of its domains, and whether that path is public."""

    address: Address
    application: AccessApplication
    domain: str
    is_public: bool


def covers(domain: str, host: str, path: str) -> bool:
    """Whether an application's domain covers a host and path: `x/alpha` covers /alpha and below, not /alphabet."""
    wanted, beginning = host_of(domain), path_of(domain).rstrip("/")
    if not (wanted == host or ("*" in wanted and _covers_host(wanted, host))):
        return False
    return fits(beginning, path) or fits(f"{beginning}/*", path)


def _covers_host(pattern: str, host: str) -> bool:
    """Label by label. A star that is a whole label stands for one label: never the apex, never deeper."""
    wanted, given = pattern.split("."), host.split(".")
    return len(wanted) == len(given) and all(
        fits(label, found) and (label != "*" or found != "")
        for label, found in zip(wanted, given, strict=True)
    )


def fits(pattern: str, text: str) -> bool:
    """Whether a text is a pattern's, in which each star stands for any text, also none.

    What stands between two stars is looked for as far to the left as it can be: no other place leaves more room for
    the rest, so nothing is ever tried again.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    *inner, last = rest
    at = len(first)
    for piece in inner:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return text.endswith(last) and at <= len(text) - len(last)


@lru_cache(maxsize=8192)
def specificity(domain: str, order: Order = "path-first") -> tuple[tuple[int, int], tuple[int, int]]:
    """How specific a domain is; greater wins."""
    host, path = host_of(domain), path_of(domain)
    by_host = (0 if "*" in host else 1, len(host.replace("*", "")))
    by_path = (len([s for s in path.split("/") if s]), len(path.replace("*", "")))
    return (by_path, by_host) if order == "path-first" else (by_host, by_path)


def standing(state: State, host: str, path: str | None = None) -> list[Standing]:
    """Every application of a state that covers a host, or one path of it, by address; with each domain that does.

    host: lower case. path: as the request has it, without a query; None for the whole host.
    """
    index = state.derived("places", _places)
    found = [
        place
        for pattern in index.patterns(host)
        for place in index.under(pattern, path)
        if path is None or covers(place[2], host, path)
    ]
    return sorted(found, key=lambda place: place[0])


class Hosts:
    """Many hosts, by the patterns that cover them."""

    def __init__(self, hosts: Collection[str]) -> None:
        """hosts: lower case, without wildcards."""
        self._all = frozenset(hosts)
        self._by_tail: dict[str, list[str]] = {}
        for host in self._all:
            for tail in _tails(host):
                self._by_tail.setdefault(tail, []).append(host)

    def covered_by(self, pattern: str) -> frozenset[str]:
        """Those that a plain hostname or one with wildcards covers."""
        if "*" not in pattern:
            return self._all & {pattern}
        return frozenset(h for h in self._by_tail.get(_tail(pattern), ()) if covers(pattern, h, "/"))


class _Index:
    """The domains of many applications: by their host, and there by the stem of their path."""

    def __init__(self, places: Iterator[Standing]) -> None:
        self._stems: dict[str, dict[str, list[Standing]]] = {}
        for place in places:
            stems = self._stems.setdefault(host_of(place[2]), {})
            stems.setdefault(_stem(path_of(place[2])), []).append(place)
        self._wild: dict[str, list[str]] = {}
        for pattern in self._stems:
            if "*" in pattern:
                self._wild.setdefault(_tail(pattern), []).append(pattern)

    def patterns(self, host: str) -> list[str]:
        """The host patterns that cover a host, itself first."""
        plain = [host] if host in self._stems and "*" not in host else []
        wild = (p for tail in _tails(host) for p in self._wild.get(tail, ()))
        return plain + [pattern for pattern in wild if covers(pattern, host, "/")]

    def under(self, pattern: str, path: str | None) -> Iterator[Standing]:
        """What stands on a host pattern and may cover a path."""
        stems = self._stems[pattern]
        for stem in stems if path is None else _beginnings(path):
            yield from stems.get(stem, ())


def _places(state: State) -> _Index:
    return _Index((a, app, domain) for a, app in state.of(AccessApplication) for domain in app.guarded)


def _stem(path: str) -> str:
    """What every path under a pattern begins with, up to a slash or to its end."""
    plain, star, _ = path.partition("*")
    return plain.rpartition("/")[0] if star else plain.rstrip("/")


def _beginnings(path: str) -> list[str]:
    """The stems that a path may have: it whole, and up to each of its slashes."""
    return [path, *(path[:end] for end, letter in enumerate(path) if letter == "/")]


def _tail(pattern: str) -> str:
    """The labels that every host under a wildcard ends with."""
    return pattern.rpartition("*")[2].partition(".")[2]


def _tails(host: str) -> list[str]:
    """The tails that a host may have: up to nothing at all."""
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) + 1)]


def governor(state: State, host: str, path: str, order: Order = "path-first") -> Governor | None:
    """The application that decides for this host and path, None when the origin stands open.

    host: lower case. path: as the request has it, without a query.
    """
    return most_specific(standing(state, host, path), path, order)


def most_specific(places: Sequence[Standing], path: str, order: Order = "path-first") -> Governor | None:
    """Which of the applications that cover a path decides there; None when there are none."""
    if not places:
        return None
    address, app, domain = max(places, key=lambda place: (specificity(place[2], order), place[0]))
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
        override.get("behavior") == "public" and _overrides(str(override.get("path_pattern") or ""), path)
        for override in overrides
    )


def _records(value: object) -> tuple[Record, ...]:
    return tuple(v for v in value if isinstance(v, Record)) if isinstance(value, tuple) else ()


def _overrides(pattern: str, path: str) -> bool:
    """Whether an override's path_pattern is a path's: a star stays in its segment; an empty one is nobody's."""
    wanted, given = pattern.split("/"), path.split("/")
    return pattern != "" and len(wanted) == len(given) and all(map(fits, wanted, given))
