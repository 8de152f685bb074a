"""Every address of the API as a row: method, path, permission, handler.

Rules of this file:
- The first row that fits wins: `settings` stands before `{id}`.
- `{scope}` is `accounts/…` or `zones/…`; `{account}` and `{zone}` only the one.
- A permission of "" is open to every token.

Source: facts: cloudflare-api 1.1, 2, 3.1, 4.1, 5, 7.1, 8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cf_mtls.emulator import apppolicies, apps, catalogue, certificates, groups, policies, settings
from cf_mtls.emulator.tokens import APPS, DNS, MTLS, ORGANIZATION, SERVICE_TOKENS, SSL

if TYPE_CHECKING:
    from collections.abc import Callable

    from cf_mtls.emulator.http import Answer
    from cf_mtls.emulator.world import Call

BASE = "/client/v4"

_PLACES = {
    "scope": r"(?P<kind>accounts|zones)/(?P<scope>[0-9a-f]{32})",
    "account": r"(?P<kind>accounts)/(?P<scope>[0-9a-f]{32})",
    "zone": r"(?P<kind>zones)/(?P<scope>[0-9a-f]{32})",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One address."""

    method: str
    pattern: re.Pattern[str]
    permission: str
    handler: Callable[[Call], Answer]
    path: str


def _row(method: str, path: str, family: str, handler: Callable[[Call], Answer]) -> Route:
    verb = "Read" if method == "GET" else "Write"
    parts = [_PLACES.get(p, rf"(?P<{p}>[^/]+)") for p in re.findall(r"\{(\w+)\}", path)]
    literals = [re.escape(t) for t in re.split(r"\{\w+\}", path)]
    pattern = "".join(a + b for a, b in zip(literals, [*parts, ""], strict=True))
    return Route(method, re.compile(pattern), f"{family} {verb}" if family else "", handler, path)


_CERTIFICATES = "/{scope}/access/certificates"
_APPS = "/{scope}/access/apps"
_POLICIES = "/{account}/access/policies"
_GROUPS = "/{scope}/access/groups"
_TAGS = "/{account}/access/tags"
_TOKENS = "/{scope}/access/service_tokens"

ROUTES: tuple[Route, ...] = tuple(
    _row(*row)
    for row in (
        ("GET", "/user/tokens/verify", "", catalogue.verify("user")),
        ("GET", "/{account}/tokens/verify", "", catalogue.verify("account")),
        ("GET", "/accounts", "", catalogue.accounts),
        ("GET", "/{account}", "", catalogue.account),
        ("GET", "/zones", "", catalogue.zones),
        ("GET", "/{zone}", "", catalogue.zone),
        ("GET", "/{zone}/dns_records", DNS, catalogue.dns_records),
        ("GET", "/{scope}/access/organizations", ORGANIZATION, catalogue.organization),
        ("GET", "/{scope}/access/identity_providers", ORGANIZATION,
         catalogue.plain_list("identity_providers")),
        ("GET", _CERTIFICATES, MTLS, certificates.listing),
        ("POST", _CERTIFICATES, MTLS, certificates.create),
        ("GET", _CERTIFICATES + "/settings", MTLS, settings.get),
        ("PUT", _CERTIFICATES + "/settings", MTLS, settings.put),
        ("GET", _CERTIFICATES + "/{id}", MTLS, certificates.get),
        ("PUT", _CERTIFICATES + "/{id}", MTLS, certificates.update),
        ("DELETE", _CERTIFICATES + "/{id}", MTLS, certificates.delete),
        ("GET", _APPS, APPS, apps.listing),
        ("POST", _APPS, APPS, apps.create),
        ("GET", _APPS + "/{app}", APPS, apps.get),
        ("PUT", _APPS + "/{app}", APPS, apps.update),
        ("DELETE", _APPS + "/{app}", APPS, apps.delete),
        ("GET", _APPS + "/{app}/policies", APPS, apppolicies.listing),
        ("POST", _APPS + "/{app}/policies", APPS, apppolicies.create),
        ("GET", _APPS + "/{app}/policies/{id}", APPS, apppolicies.get),
        ("PUT", _APPS + "/{app}/policies/{id}", APPS, apppolicies.update),
        ("DELETE", _APPS + "/{app}/policies/{id}", APPS, apppolicies.delete),
        ("GET", _POLICIES, APPS, policies.listing),
        ("POST", _POLICIES, APPS, policies.create),
        ("GET", _POLICIES + "/{id}", APPS, policies.get),
        ("PUT", _POLICIES + "/{id}", APPS, policies.update),
        ("DELETE", _POLICIES + "/{id}", APPS, policies.delete),
        ("GET", _GROUPS, ORGANIZATION, groups.listing),
        ("POST", _GROUPS, ORGANIZATION, groups.create),
        ("GET", _GROUPS + "/{id}", ORGANIZATION, groups.get),
        ("PUT", _GROUPS + "/{id}", ORGANIZATION, groups.update),
        ("DELETE", _GROUPS + "/{id}", ORGANIZATION, groups.delete),
        ("GET", _TAGS, APPS, groups.tags),
        ("POST", _TAGS, APPS, groups.tag_create),
        ("GET", _TAGS + "/{name}", APPS, groups.tag),
        ("PUT", _TAGS + "/{name}", APPS, groups.tag_rename),
        ("DELETE", _TAGS + "/{name}", APPS, groups.tag_delete),
        ("GET", _TOKENS, SERVICE_TOKENS, catalogue.plain_list("service_tokens", 1000)),
        ("GET", _TOKENS + "/{id}", SERVICE_TOKENS, catalogue.plain_get("service_tokens")),
        ("GET", "/{account}/mtls_certificates", SSL, catalogue.plain_list("mtls_certificates")),
        ("GET", "/{account}/mtls_certificates/{id}", SSL, catalogue.plain_get("mtls_certificates")),
        ("GET", "/{zone}/client_certificates", SSL, catalogue.plain_list("client_certificates", 20)),
        ("GET", "/{zone}/certificate_authorities/hostname_associations", SSL,
         catalogue.hostname_associations),
        ("GET", "/{zone}/origin_tls_client_auth", SSL, catalogue.plain_list("origin_tls_client_auth", 20)),
    )
)  # fmt: skip


def routed(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The row for a request and what its placeholders stand for, None without one. path: below `BASE`."""
    for route in ROUTES:
        found = route.pattern.fullmatch(path) if route.method == method else None
        if found:
            return route, {name: unquote(str(value)) for name, value in found.groupdict().items()}
    return None


def known(path: str) -> bool:
    """Whether the path is there for some method."""
    return any(route.pattern.fullmatch(path) for route in ROUTES)
