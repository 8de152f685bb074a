"""When two selectors are the same: their canonical form.

Rules of this file:
- One selector, one line of text; equal text is equal meaning.
- A row in `VALUES` says how a kind's value is normalised, and its source.
- A row in `MEMBERS` says which member a kind cannot do without: a selector that has lost it says nothing.
- Of a kind whose object is empty by nature, such as `certificate`, `{}` is the selector and null is not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cf_mtls.model.frozen import Record, canonical, thaw

if TYPE_CHECKING:
    from cf_mtls.model.resources import AccessApplication, Rule

SECRETS = ("password", "secret", "token", "private_key")
"""What the name of a member that can only be written holds: facts, second-look 1.6."""

NO_SECRETS = frozenset({"read_service_tokens_from_header"})
"""Names that hold such a word and are of members that anybody may read: facts, cloudflare-api 3.3."""


def is_secret(name: str) -> bool:
    """Whether a member can only be written, by its name; an address or a span of time is none."""
    is_about = name in NO_SECRETS or name.endswith(("_url", "_lifetime"))
    return not is_about and any(word in name for word in SECRETS)


CERTIFICATE_RULES = frozenset({"certificate", "common_name"})
"""Selectors that only a verified client certificate can meet: facts 4.4 and 4.5."""


def is_about_certificates(rule: Rule) -> bool:
    """Whether a rule can only be met by showing a certificate."""
    return rule.kind in CERTIFICATE_RULES


def demands_certificate(app: AccessApplication) -> bool:
    """Whether any policy of an application includes or requires a certificate; rules of groups are not looked at."""
    return any(is_about_certificates(rule) for p in app.policies for rule in (*p.include, *p.require))


def member(rule: Rule, name: str) -> str:
    """A text member of a rule's value, '' when it has none: an emptied rule selects nobody (facts 4.4)."""
    value = rule.value.get(name) if isinstance(rule.value, Record) else None
    return value if isinstance(value, str) else ""


def rule_meaning(rule: Rule) -> str:
    """A selector in canonical form, as text."""
    value = thaw(rule.value)
    return canonical({rule.kind: VALUES.get(rule.kind, _pruned)(value)})


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):  # facts 4.4: inner nulls come and go
        return {k: _pruned(v) for k, v in value.items() if v is not None}
    return value


def _network(value: Any) -> Any:
    try:
        return {"ip": str(ipaddress.ip_network(value["ip"], strict=False))}
    except (ValueError, KeyError, TypeError):
        return _pruned(value)


def _lower(value: Any) -> Any:
    return {k: v.lower() if isinstance(v, str) else v for k, v in _pruned(value).items()}


def is_emptied(rule: Rule) -> bool:
    """Whether it names nobody, as the empty selectors do that the server adds to its answers: facts 4.4."""
    return rule.kind in MEMBERS and not names(rule.kind, rule.value)


def names(kind: str, value: Any) -> bool:
    """Whether the value of this kind of selector holds the member that it cannot do without, and not blank."""
    held = value.get(MEMBERS[kind]) if isinstance(value, Mapping) else None
    return held is not None and not (isinstance(held, str) and not held.strip())


def _bare(value: Any) -> Any:
    return None if value is None else {}


MEMBERS: Mapping[str, str] = {
    "common_name": "common_name",
    "email": "email",
    "email_domain": "domain",
    "email_list": "id",
    "ip": "ip",
    "ip_list": "id",
    "geo": "country_code",
    "group": "id",
    "service_token": "token_id",
    "login_method": "id",
    "auth_method": "auth_method",
    "device_posture": "integration_uid",
}
"""The member that names what is selected: facts 4.4."""

VALUES: Mapping[str, Callable[[Any], Any]] = {
    "certificate": _bare,  # facts 4.4: the object is free-form, compare by key
    "everyone": _bare,
    "any_valid_service_token": _bare,
    "ip": _network,  # facts 4.4: /32 and /128 are appended
    "email": _lower,
    "email_domain": _lower,
}
