"""When two values mean the same: the canonical form of every managed attribute, one table per kind.

Rules of this file:
- A row is an attribute by Cloudflare's name, and how its meaning is read from a resource.
- What the server normalises (defaults, null, order, `/32`) is neutralised here and nowhere else;
  each row names its source. `facts` is the sheet on Cloudflare's API.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cf_mtls.model.frozen import canonical, thaw
from cf_mtls.model.resources import (
    AccessApplication,
    AccessGroup,
    AccessPolicy,
    CaCertificate,
    HostnameSettings,
    Rule,
)
from cf_mtls.model.rules import is_emptied, rule_meaning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cf_mtls.model.frozen import Frozen
    from cf_mtls.model.resources import Resource

FALSE_IS_ABSENT = (
    "auto_redirect_to_identity", "service_auth_401_redirect", "skip_interstitial", "options_preflight_bypass",
    "enable_binding_cookie", "path_cookie_attribute", "allow_iframe", "allow_authenticate_via_warp",
)  # fmt: skip
"""Booleans of which null equals false: facts 3.3."""

DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(FALSE_IS_ABSENT, False),
    "type": "self_hosted",  # what we make; facts 3.3
    "app_launcher_visible": True,  # facts 3.3
    "http_only_cookie_attribute": True,  # facts 3.3: null equals true
    "eager_redirect_cookie_setting": True,  # facts 3.3
    "session_duration": "24h",  # facts 3.3, recorded answer in 3.2
    "allowed_idps": [],  # facts 3.3: null equals [] equals all
    "tags": [],  # facts 3.3
    "custom_deny_url": "",  # facts 3.3: "" equals null
    "custom_non_identity_deny_url": "",  # facts 3.3
    "custom_deny_message": "",  # facts 3.3
}
"""What the server answers for a member that was never set."""

PARTS = ("include", "require", "exclude")

UNORDERED = frozenset({"allowed_idps", "tags", "custom_pages"})
"""Lists whose order the server chooses: facts 3.3 (tags come back alphabetically)."""

POLICY_DEFAULTS: Mapping[str, Any] = {"session_duration": "24h"}
"""Of a policy: facts 4.2, recorded answer."""


def meaning(resource: Resource) -> dict[str, str]:
    """What each attribute of a resource means, as comparable text, keyed by Cloudflare's name.

    Not compared: ids, timestamps, counters, and a certificate's content, which is its address.
    """
    match resource:
        case CaCertificate():
            hosts = sorted(
                {h.lower() for h in resource.associated_hostnames}
            )  # facts 1.3: order is not stable
            return {"name": resource.name, "associated_hostnames": canonical(hosts)}
        case HostnameSettings():
            return {
                "client_certificate_forwarding": canonical(resource.client_certificate_forwarding),
                "china_network": canonical(resource.china_network),
            }
        case AccessApplication():
            return {
                "name": resource.name,
                "destinations": canonical([thaw(d) for d in resource.destinations]),
                "policies": canonical([policy_meaning(p) for p in resource.policies]),
                **{k: v for k, v in fields_meaning(resource.fields).items() if v is not None},
            }
        case AccessPolicy():
            return {
                name: canonical(value)
                for name, value in policy_meaning(replace(resource, reusable=False)).items()
            }
        case AccessGroup():
            return {
                "name": resource.name,
                **{part: canonical(_rules(getattr(resource, part))) for part in PARTS},
            }


def differing(before: Resource, after: Resource) -> tuple[str, ...]:
    """Cloudflare's names of the attributes whose meaning differs, sorted."""
    left, right = meaning(before), meaning(after)
    return tuple(sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name)))


def fields_meaning(fields: Mapping[str, Frozen]) -> dict[str, str | None]:
    """The members that say something: those that equal the server's default are left out."""
    return {name: text for name, value in fields.items() if (text := _field(name, thaw(value), DEFAULTS))}


def _field(name: str, value: Any, defaults: Mapping[str, Any]) -> str | None:
    if value is None or value == defaults.get(name, None):
        return None
    if name in UNORDERED and isinstance(value, list):
        value = sorted(value, key=canonical)
    return canonical(value)


def policy_meaning(policy: AccessPolicy) -> dict[str, Any]:
    """A policy without ids: rules in canonical form; a reusable one is its id alone: facts 3.4."""
    if policy.reusable:
        return {"id": policy.id}
    fields = {n: t for n, v in policy.fields.items() if (t := _field(n, thaw(v), POLICY_DEFAULTS))}
    return {
        **{name: text for name, text in fields.items() if text not in {"[]", "{}", '""', "false"}},
        "name": policy.name,
        "decision": policy.decision,
        **{part: _rules(getattr(policy, part)) for part in PARTS},
    }


def _rules(rules: tuple[Rule, ...]) -> list[str]:
    # include is OR and require is AND, so neither order nor repetition means anything: facts 4.5. An emptied
    # selector is the server's own: it comes and goes, and where it took a real one's place, that one is missing.
    return sorted({rule_meaning(rule) for rule in rules if not is_emptied(rule)})
