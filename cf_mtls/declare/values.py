"""What a value in a plan file may be: labels, ids, hostnames, domains, rules, and how an editor is told.

Rules of this file:
- A type refuses what it cannot mean, in words that fit behind "must" or "is".
- Short forms are expanded here, so that nothing later knows of them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    WithJsonSchema,
)

from cf_mtls.model.rules import MEMBERS, names

LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_DNS_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOSTNAME = re.compile(rf"(?:\*[a-z0-9-]*\.)?(?:{_DNS_LABEL}\.)+{_DNS_LABEL}")
ID32 = re.compile(r"[0-9a-f]{32}")

HEX32 = "0123456789abcdef0123456789abcdef"
HEX64 = HEX32 * 2
UUID = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"
"""What ids look like, in examples."""

PIN = "The id of what is in the account already: pinned, it is managed in place and keeps its name."
"""What an `id` is for, wherever one may stand."""

RULE_KINDS = frozenset({
    "any_valid_service_token", "auth_context", "auth_method", "azureAD", "certificate",
    "cloudflare_account_member", "common_name", "device_posture", "email", "email_domain", "email_list",
    "everyone", "external_evaluation", "geo", "github-organization", "group", "gsuite", "ip", "ip_list",
    "linked_app_token", "login_method", "oidc", "okta", "saml", "service_token", "user_risk_score",
})  # fmt: skip
"""The selectors of a policy: facts 4.4."""


def _id32(value: str) -> str:
    if not ID32.fullmatch(value):
        message = "must be 32 hexadecimal characters, as the dashboard shows it"
        raise ValueError(message)
    return value


def hostname(value: str) -> str:
    """A hostname as plan files hold it: lower case, no dot at the end. ValueError for anything else."""
    host = value.lower().rstrip(".")
    if "://" in value or "/" in value or ":" in value:
        message = "must be a plain hostname, without scheme, port or path"
        raise ValueError(message)
    if re.fullmatch(r"[0-9.]+", host):
        message = "is an IP address; Access knows hostnames only"
        raise ValueError(message)
    if len(host) > 253 or not _HOSTNAME.fullmatch(host):
        message = "is not a hostname (an international name is written in its xn-- form)"
        raise ValueError(message)
    return host


def _domain(value: str) -> str:
    host, slash, path = value.partition("/")
    if "://" in value or "?" in value or "#" in value:
        message = "must be host/path, without scheme, query or fragment"
        raise ValueError(message)
    path = path.rstrip("/")  # the account knows host/path/ and host/path as one
    return hostname(host) + (slash + path if path else "")


def same_url(url: str) -> str:
    """A URL in the one form in which two of them are compared: host in lower case, no slash at the end."""
    host, slash, path = url.removeprefix("https://").partition("/")
    return f"https://{host.lower()}{slash}{path}".rstrip("/")


def _target_url(value: str) -> str:
    if not value.startswith("https://"):
        message = "must be a URL of this file, https://host/path"
        raise ValueError(message)
    return value


def _text(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        message = f"{value} is a number here; put it in quotes"
        raise ValueError(message)
    return value


def _label(value: str) -> str:
    if not LABEL.fullmatch(value):
        message = "may hold a-z, 0-9 and inner hyphens"
        raise ValueError(message)
    return value


def _rule(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        message = "must be one selector, such as {certificate: {}} or {common_name: fleet}"
        raise ValueError(message)
    kind, inner = next(iter(value.items()))
    if kind not in RULE_KINDS:
        from difflib import get_close_matches

        near = get_close_matches(kind, RULE_KINDS, 1)
        message = f"{kind} is not a selector of Access" + (f"; did you mean {near[0]}?" if near else "")
        raise ValueError(message)
    expanded = _expanded(kind, inner)
    if kind in MEMBERS and not names(kind, expanded):
        message = f"{kind} names nobody: give it {MEMBERS[kind]}"
        raise ValueError(message)
    return {kind: expanded}


SHORT = {
    "auth_method": "auth_method",
    "common_name": "common_name",
    "email": "email",
    "email_domain": "domain",
    "geo": "country_code",
    "group": "id",
    "ip": "ip",
    "service_token": "token_id",
}
"""Selectors that may be written as one text, and the member it stands for."""


def _expanded(kind: str, inner: Any) -> Any:
    if isinstance(inner, str) and kind in SHORT:
        return {SHORT[kind]: inner}
    if inner is None:
        return {}
    if not isinstance(inner, dict):
        message = f"the value of {kind} must be a mapping, as the API has it"
        raise ValueError(message)
    return inner


def _pattern(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _rule_schema() -> dict[str, Any]:
    """What an editor offers for a rule: one selector, the short ones also as one text."""
    mapping, text = {"type": "object"}, {"type": "string"}
    kinds = {k: {"anyOf": [text, mapping]} if k in SHORT else mapping for k in sorted(RULE_KINDS)}
    one = {"minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    return {"type": "object", "properties": kinds, **one}


UNKNOWN = "unknown"
"""What stands for a chain whose PEM nobody has; a file of that name is written ./unknown."""

MD5 = re.compile(r"[0-9a-f]{32}")


def _fingerprint(value: str) -> str:
    digits = value.rpartition("=")[2].replace(":", "").lower()
    if not MD5.fullmatch(digits):
        message = "must be the MD5 fingerprint that the account shows, 32 hexadecimal characters"
        raise ValueError(message)
    return digits


SHA256 = re.compile(r"[0-9a-f]{64}")


def _sha256(value: str) -> str:
    digits = value.replace(":", "").lower()
    if not SHA256.fullmatch(digits):
        message = "must be a SHA-256, 64 hexadecimal characters"
        raise ValueError(message)
    return digits


Text = Annotated[str, BeforeValidator(_text), StringConstraints(min_length=1)]
Label = Annotated[
    str, BeforeValidator(_text), AfterValidator(_label), WithJsonSchema(_pattern(LABEL.pattern))
]
Id32 = Annotated[str, BeforeValidator(_text), AfterValidator(_id32), WithJsonSchema(_pattern(ID32.pattern))]
Fingerprint = Annotated[str, BeforeValidator(_text), AfterValidator(_fingerprint)]
Sha256 = Annotated[str, BeforeValidator(_text), AfterValidator(_sha256)]
Hostname = Annotated[str, BeforeValidator(_text), AfterValidator(hostname)]
TargetUrl = Annotated[str, BeforeValidator(_text), AfterValidator(_target_url)]
Domain = Annotated[str, BeforeValidator(_text), AfterValidator(_domain)]
RuleDocument = Annotated[dict[str, Any], BeforeValidator(_rule), WithJsonSchema(_rule_schema())]


class Strict(BaseModel):
    """A mapping in the file: unknown keys are refused.

    Its validator is built with that of the whole document, once, and not for each mapping beforehand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
