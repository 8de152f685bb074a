"""The rules of policies and groups, as the API takes and returns them.

Rules of this file:
- One selector an object comes back, however they were sent.
- The certificate object is free-form; only its key counts.

Source: facts: cloudflare-api 4.4, 9 (#1215).
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from cf_mtls.emulator import answers

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: dict[str, tuple[str, ...]] = {
    "certificate": (), "everyone": (), "any_valid_service_token": (),
    "common_name": ("common_name",), "auth_method": ("auth_method",), "ip": ("ip",), "ip_list": ("id",),
    "service_token": ("token_id",), "group": ("id",), "email": ("email",), "email_domain": ("domain",),
    "email_list": ("id",), "geo": ("country_code",), "login_method": ("id",),
    "device_posture": ("integration_uid",), "external_evaluation": ("evaluate_url", "keys_url"),
    "auth_context": ("id", "ac_id", "identity_provider_id"), "linked_app_token": ("app_uid",),
    "oidc": (), "saml": (), "okta": (), "gsuite": (), "azureAD": (), "github-organization": (),
    "user_risk_score": (), "cloudflare_account_member": (),
}  # fmt: skip
"""Selector to the members that its object must have, each a string."""


def normal(rules: Any, name: str, group_exists: Callable[[str], bool]) -> list[dict[str, Any]]:
    """The rules of one list, checked and in the API's form; null is an empty list. Errors: `ApiError`."""
    if rules is None:
        return []
    if not isinstance(rules, list) or not all(isinstance(r, dict) and r for r in rules):
        raise answers.invalid(f"{name} must be a list of rules")
    return [_one(kind, value, group_exists) for rule in rules for kind, value in rule.items()]


def _one(kind: str, value: Any, group_exists: Callable[[str], bool]) -> dict[str, Any]:
    if kind not in KINDS:
        raise answers.invalid(f"unknown rule {kind[:80]!r}")
    if not isinstance(value, dict) or not all(isinstance(value.get(m), str) for m in KINDS[kind]):
        raise answers.invalid(f"rule {kind!r} is not well formed")
    if kind == "ip":
        return {"ip": {"ip": _network(value["ip"])}}
    if kind == "group" and not group_exists(value["id"]):
        raise answers.group_not_loaded()
    return {kind: value}


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise answers.invalid("ip is not an address or a network") from error
