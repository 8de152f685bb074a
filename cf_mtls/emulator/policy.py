"""What Access does with a request, from the raw JSON of applications, policies and groups.

Rules of this file:
- Shares nothing with `access/`: this is the emulator's own reading of the facts.
- Pure: who asks, when and from where come in as arguments.
- A selector that is not understood never matches.

Source: facts: cloudflare-api 3.8, 4.4, 4.5, 4.6, 6.2.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Json = dict[str, Any]

_UNRESERVED = re.compile(r"%([0-9A-Fa-f]{2})")
_MOST_GROUPS = 100
"""Groups that one decision follows."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who sends a request, as far as the edge can tell."""

    valid_certificate: bool = False
    common_names: tuple[str, ...] = ()
    """Those that count; of a certificate that is not valid none, unless a switch says otherwise."""
    address: str = "127.0.0.1"
    country: str | None = None
    email: str | None = None
    """The identity of a session, None before login."""
    service_token: str | None = None
    """The id of a service token whose secret was right."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`origin`: passes, with a cookie; `bypass`: passes untouched; `login`; `deny`."""

    kind: Literal["origin", "bypass", "login", "deny"]
    policy: Json | None = None


# Which application


def normal_path(path: str) -> str:
    """The path as Access compares it: unreserved escapes decoded, slashes merged, dot segments resolved."""
    decoded = _UNRESERVED.sub(_decode, path.replace("\\", "/"))
    out: list[str] = []
    for segment in decoded.split("/"):
        if segment == "..":
            out = out[:-1]
        elif segment not in {"", "."}:
            out.append(segment)
    tail = "/" if out and decoded.endswith(("/", "/.", "/..")) else ""
    return "/" + "/".join(out) + tail


def _decode(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return (
        character
        if character.isascii() and (character.isalnum() or character in "-._~")
        else found[0].upper()
    )


@lru_cache(maxsize=4096)
def _pattern(uri: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    host, _, path = uri.partition("/")
    labels = ["[^.]+" if t == "*" else re.escape(t).replace(r"\*", "[^.]*") for t in host.lower().split(".")]
    if not path:
        return re.compile(r"\.".join(labels)), re.compile(".*", re.DOTALL)
    first, *rest = (re.escape(piece) for piece in normal_path("/" + path).rstrip("/").split("*"))
    # Atomic: once the nearest place of a piece is found, no other is tried, or forty stars would never end.
    steps = first + "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    tail = f".*{rest[-1]}" if rest else ""
    return re.compile(r"\.".join(labels)), re.compile(f"{steps}{tail}(?:/.*)?", re.DOTALL)


@lru_cache(maxsize=4096)
def specificity(uri: str, order: str = "path-first") -> tuple[tuple[int, int], tuple[int, int]]:
    """Greater means more specific. order: which of path and host counts first."""
    host, _, path = uri.partition("/")
    by_host = (int("*" not in host), len(host.replace("*", "")))
    by_path = (len([s for s in path.split("/") if s]), len(path.replace("*", "")))
    return (by_path, by_host) if order == "path-first" else (by_host, by_path)


def covers(uri: str, host: str, path: str) -> bool:
    """Whether an application's domain covers a request. path: normal."""
    for_host, for_path = _pattern(uri)
    return bool(for_host.fullmatch(host) and for_path.fullmatch(path))


def uris_of(app: Json) -> list[str]:
    """The public addresses of an application."""
    public = [d["uri"] for d in app.get("destinations") or [] if d.get("type", "public") == "public"]
    return public or ([app["domain"]] if app.get("domain") else [])


def find_app(
    apps: Iterable[Json], host: str, path: str, order: str = "path-first"
) -> tuple[Json, str] | None:
    """The application that decides, and by which address: the most specific; nothing is inherited."""
    covering = [(app, uri) for app in apps for uri in uris_of(app) if covers(uri, host, path)]
    return max(covering, key=lambda found: specificity(found[1], order), default=None)


def overridden(app: Json, uri: str, path: str) -> bool:
    """Whether the destination's overrides make this path public; sub-paths are not covered (facts 3.3)."""
    for destination in app.get("destinations") or []:
        if destination.get("uri") != uri:
            continue
        for override in destination.get("overrides") or []:
            pattern = re.escape(str(override.get("path_pattern") or "")).replace(r"\*", "[^/]*")
            if override.get("behavior") == "public" and pattern and re.fullmatch(pattern, path):
                return True
    return False


# Which policy


def decide(
    policies: Sequence[Json], groups: Mapping[str, Json], asker: Asker, *, certificate_first: bool = False
) -> Outcome:
    """What an application's policies, in order, do with the asker.

    certificate_first: an Allow policy that no login could satisfy, for want of a certificate, is passed over
    before the login page instead of after it.
    """
    first = [p for p in policies if p["decision"] in {"bypass", "non_identity"}]
    then = [p for p in policies if p["decision"] in {"allow", "deny"}]
    for policy in first + then:
        if policy["decision"] == "allow" and asker.email is None:
            if not certificate_first or _certificate_could_do(policy, groups, asker):
                return Outcome("login", policy)
        elif matches(policy, groups, asker):
            kinds: Mapping[str, Literal["bypass", "origin", "deny"]]
            kinds = {"bypass": "bypass", "non_identity": "origin", "allow": "origin", "deny": "deny"}
            return Outcome(kinds[policy["decision"]], policy)
    return Outcome("deny")


def _certificate_could_do(policy: Json, groups: Mapping[str, Json], asker: Asker) -> bool:
    about = [r for r in policy.get("require") or [] if {"certificate", "common_name"} & r.keys()]
    return all(_selects(rule, groups, asker, {}) for rule in about)


def matches(
    rules: Json, groups: Mapping[str, Json], asker: Asker, asked: dict[str, bool] | None = None
) -> bool:
    """Include any, require all, exclude none (facts 4.5). asked: groups that were asked about already."""
    asked = {} if asked is None else asked
    return (
        any(_selects(r, groups, asker, asked) for r in rules.get("include") or [])
        and all(_selects(r, groups, asker, asked) for r in rules.get("require") or [])
        and not any(_selects(r, groups, asker, asked) for r in rules.get("exclude") or [])
    )


def _selects(rule: Json, groups: Mapping[str, Json], asker: Asker, asked: dict[str, bool]) -> bool:
    ((kind, value),) = rule.items()
    if not isinstance(value, dict):
        return False
    if kind == "group":
        return _is_in(str(value.get("id")), groups, asker, asked)
    test = _SELECTORS.get(kind)
    return test is not None and test(value, asker)


def _is_in(id_: str, groups: Mapping[str, Json], asker: Asker, asked: dict[str, bool]) -> bool:
    """Whether the asker is in a group; one that is asked about while it is asked about has nobody in it."""
    if id_ not in asked and id_ in groups and len(asked) < _MOST_GROUPS:
        asked[id_] = False
        asked[id_] = matches(groups[id_], groups, asker, asked)
    return asked.get(id_, False)


def _in_network(value: Json, asker: Asker) -> bool:
    try:
        return ipaddress.ip_address(asker.address) in ipaddress.ip_network(str(value.get("ip")), strict=False)
    except ValueError:
        return False


def _same(value: Json, member: str, actual: str | None) -> bool:
    wanted = value.get(member)
    return isinstance(wanted, str) and actual is not None and wanted.lower() == actual.lower()


_SELECTORS: Mapping[str, Callable[[Json, Asker], bool]] = {
    "certificate": lambda _, asker: asker.valid_certificate,
    "common_name": lambda value, asker: value.get("common_name") in asker.common_names,
    "everyone": lambda _value, _asker: True,
    "ip": _in_network,
    "geo": lambda value, asker: _same(value, "country_code", asker.country),
    "email": lambda value, asker: _same(value, "email", asker.email),
    "email_domain": lambda value, asker: _same(
        value, "domain", (asker.email or "").rpartition("@")[2] or None
    ),
    "any_valid_service_token": lambda _, asker: asker.service_token is not None,
    "service_token": lambda value, asker: _same(value, "token_id", asker.service_token),
}
