"""When two selectors are the same: their canonical form.

Rules of this file:
- One selector, one line of text; equal text is equal meaning.
- A row in `VALUES` says how a kind's value is normalised, and its source.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from cf_mtls.model.frozen import canonical, thaw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cf_mtls.model.resources import Rule


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


VALUES: Mapping[str, Callable[[Any], Any]] = {
    "certificate": lambda _: {},  # facts 4.4: the object is free-form, compare by key
    "everyone": lambda _: {},
    "any_valid_service_token": lambda _: {},
    "ip": _network,  # facts 4.4: /32 and /128 are appended
    "email": _lower,
    "email_domain": _lower,
}
